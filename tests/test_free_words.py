"""Free words: a telephone number may not stand in the log in clear, however it is written."""

import pytest
import typer
from pydantic import TypeAdapter, ValidationError

from api.cli.refunds import words_given
from api.shapes import Words
from ledger.words import tells_number

NUMBERS = [
    "33612345678",
    "called +33 6 12 34 56 78 about it",
    "0470 00 00 01",
    "0470/00.00.01",
    "0470-000-001",
    "(0470) 00 00 01",
    "+32 (0)470 00 00 01",
    "0470\u00a000\u202f00\u201101",
    "0470\u200b000001",
    "\uff10\uff14\uff17\uff10\uff10\uff10\uff10\uff10\uff11",
    "٠٤٧٠٠٠٠٠١",
    "0470 2026-08-01 000001",
    "0470 00-2026-08-01",
    "ticket 123456",
    "01/08/2026",
    "2026-13-01",
    "12026-08-01",
]
ORDINARY = [
    "never asked for",
    "12345",
    "file of August, 2 of 3",
    "3.00 EUR on 81014",
    "asked on 2026-08-01",
    "2026-08-01 2026-08-31",
    "from 2026-08-01/2026-08-31",
    "2026-08-01, 3 complaints; 2026-08-02T09:30",
    "81014, 81015",
    "",
]
FREE = TypeAdapter(Words)


@pytest.mark.parametrize("words", NUMBERS)
class TestNumber:
    """Words that hold what may be a number."""

    def test_is_seen(self, words: str) -> None:
        assert tells_number(words)

    def test_is_refused_over_http_with_the_reason(self, words: str) -> None:
        with pytest.raises(ValidationError, match="a telephone number may not stand in the log"):
            FREE.validate_python(words)

    def test_is_refused_on_the_command_line_with_the_reason(self, words: str) -> None:
        why = "a telephone number may not stand in the log" if words.isprintable() else "one line"
        with pytest.raises(typer.BadParameter, match=why):
            words_given(words)


@pytest.mark.parametrize("words", ORDINARY)
class TestOrdinary:
    """Words that hold none: short codes, amounts, days."""

    def test_is_let_through(self, words: str) -> None:
        assert not tells_number(words)

    def test_is_let_through_by_both_faces(self, words: str) -> None:
        if words:
            assert FREE.validate_python(words) == words_given(words) == words
