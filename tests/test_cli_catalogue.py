"""`obole catalogue` and `obole test-number`: what is sold, taken whole or refused whole."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import sold
from tests.support.cli import CATALOGUE, Obole, Sms, obole_at
from tests.support.database import TestDatabase

TEXT = CATALOGUE.read_text()
OPENED = 2
"""Facts in a book that was opened: that it was, and under which rules."""


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    made = obole_at(database, tmp_path)
    assert made("book", "open", "fr").status == 0
    return made


def edited(folder: Path, *changes: tuple[str, str]) -> str:
    """Write the demonstration catalogue with some changes; each must be one."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "edited.toml"
    path.write_text(text)
    return str(path)


def head(obole: Obole) -> int:
    """Give the number of facts in the book."""
    return obole("status", "--json").json["head"]


class TestLoad:
    """A file of what is sold."""

    def test_records_what_is_new_and_nothing_the_second_time(self, obole: Obole) -> None:
        first = obole("catalogue", "load", str(CATALOGUE), "--json").json
        assert first["recorded"] == sold.RECORDED
        assert first["position"] == head(obole) == OPENED + sold.FACTS
        again = obole("catalogue", "load", str(CATALOGUE))
        assert again.status == 0
        assert "all of it holds already" in again.out
        assert head(obole) == OPENED + sold.FACTS

    def test_is_refused_whole_with_every_error_and_its_place(
        self, obole: Obole, tmp_path: Path
    ) -> None:
        # A 4xxxx code may cost 0.05 and no more; JEU HOROSCOPE is another merchant's on JEU.
        file = edited(
            tmp_path,
            ('price = "0.05"', 'price = "0.50"'),
            ('keyword = "HOROSCOPE"', 'keyword = "JEU HOROSCOPE"'),
        )
        done = obole("catalogue", "load", file)
        assert (done.status, done.out) == (1, "")
        price = next(n for n, line in enumerate(TEXT.splitlines(), 1) if 'price = "0.05"' in line)
        assert "the catalogue is refused, 2 problems" in done.err
        assert f"line {price}: tariffs[3].price" in done.err
        assert "keywords[2]" in done.err
        assert head(obole) == 2

    def test_that_is_no_toml_is_refused_with_its_line(self, obole: Obole, tmp_path: Path) -> None:
        file = tmp_path / "broken.toml"
        file.write_text("book = \n")
        done = obole("catalogue", "load", str(file))
        assert done.status == 1
        assert "is no TOML file" in done.err

    def test_for_another_book_is_refused(self, obole: Obole, tmp_path: Path) -> None:
        file = edited(tmp_path, ('book = "fr"', 'book = "be"'))
        done = obole("catalogue", "load", file)
        assert done.status == 1
        assert "is meant for the book be, not for fr" in done.err

    def test_into_a_book_that_is_not_open_is_refused(
        self, database: TestDatabase, tmp_path: Path
    ) -> None:
        done = obole_at(database, tmp_path)("catalogue", "load", str(CATALOGUE))
        assert done.status == 1
        assert "`obole book open fr` does it" in done.err

    def test_back_dated_is_refused_once_there_is_traffic(
        self, obole: Obole, database: TestDatabase, tmp_path: Path
    ) -> None:
        changed = (('price = "3.00"', 'price = "4.00"'),)
        obole.trade(database, Sms("one", datetime(2026, 7, 1, 10, tzinfo=UTC)))
        done = obole("catalogue", "load", edited(tmp_path, *changed))
        assert done.status == 1
        assert "past, and the book has traffic" in done.err

    def test_under_rules_that_were_not_adopted_is_refused(
        self, obole: Obole, tmp_path: Path
    ) -> None:
        settings = tmp_path / "settings"
        settings.mkdir()
        text = (Path(obole.environ["OBOLE_SETTINGS"]) / "fr.toml").read_text()
        (settings / "fr.toml").write_text(
            text.replace("keyword_rest_days = 90", "keyword_rest_days = 1")
        )
        other = Obole({**obole.environ, "OBOLE_SETTINGS": str(settings)})
        done = other("catalogue", "load", str(CATALOGUE))
        assert done.status == 1
        assert "`obole book open` adopts them" in done.err

    def test_of_no_file_is_wrong_usage(self, obole: Obole) -> None:
        assert obole("catalogue", "load", "nowhere.toml").status == 2


@pytest.fixture
def selling(obole: Obole) -> Obole:
    assert obole("catalogue", "load", str(CATALOGUE)).status == 0
    return obole


class TestShow:
    """What is in force at an instant."""

    def test_prints_every_part_for_people(self, selling: Obole) -> None:
        done = selling("catalogue", "show")
        assert done.status == 0
        for told in ("81014", "VOTE FINALE", "horoscope", "fr-300", "3.00", "48.00 %", "1.15"):
            assert told in done.out

    def test_prints_the_same_for_a_program(self, selling: Obole) -> None:
        shown = selling("catalogue", "show", "--json").json
        assert len(shown["codes"]) == sold.CODES
        assert {one["keyword"] for one in shown["keywords"]} >= {"JEU", "VOTE FINALE"}
        assert len(shown["contracts"]) == sold.CONTRACTS

    def test_of_a_day_begins_in_the_books_zone(self, selling: Obole) -> None:
        before = selling("catalogue", "show", "--at", "2025-12-31", "--json").json
        first = selling("catalogue", "show", "--at", "2026-01-01", "--json").json
        assert (len(before["codes"]), len(first["codes"])) == (0, sold.CODES)
        assert first["at"] == "2025-12-31T23:00:00Z"
        last = selling("catalogue", "show", "--at", "2025-12-31T23:59:59+01:00", "--json").json
        assert last["codes"] == []

    def test_of_no_instant_is_wrong_usage(self, selling: Obole) -> None:
        for at in ("soon", "0001-01-01", "2026-01-01T00:00:00"):
            assert selling("catalogue", "show", "--at", at).status == 2


class TestSuspend:
    """A service that sells nothing for a while."""

    def test_and_resume_are_told_and_shown(self, selling: Obole) -> None:
        done = selling("catalogue", "suspend", "quiz", "--reason", "complaints")
        assert (done.status, done.out) == (0, "quiz is suspended\n")
        assert "suspended" in selling("catalogue", "show").out
        assert selling("catalogue", "resume", "quiz", "--json").json["recorded"] == [
            "service_resumed.v1"
        ]
        assert "suspended" not in selling("catalogue", "show").out

    def test_again_records_nothing(self, selling: Obole) -> None:
        selling("catalogue", "suspend", "quiz", "--reason", "complaints")
        before = head(selling)
        done = selling("catalogue", "suspend", "quiz", "--reason", "complaints")
        assert "already" in done.out
        assert head(selling) == before

    def test_for_a_reason_that_tells_a_number_is_refused(self, selling: Obole) -> None:
        before = head(selling)
        done = selling("catalogue", "suspend", "quiz", "--reason", "call 0470 00 00 01")
        assert (done.status, head(selling)) == (2, before)

    def test_of_what_is_not_sold_is_refused(self, selling: Obole) -> None:
        done = selling("catalogue", "suspend", "nope", "--reason", "x")
        assert (done.status, done.out) == (1, "")
        assert "no service 'nope' is declared" in done.err
        assert selling("catalogue", "resume", "quiz").status == 1


NUMBER = ("--operator", "20801", "--code", "81014", "--sender", "33612345678")


class TestTestNumber:
    """A number that only tests."""

    def test_is_declared_and_withdrawn_by_its_pseudonym(self, selling: Obole) -> None:
        done = selling("test-number", "declare", *NUMBER, "--label", "ours", "--json")
        consumer = done.json["consumer"]
        assert done.json["new"]
        shown = selling("catalogue", "show", "--json").json["test_numbers"]
        assert [one["consumer"] for one in shown] == [consumer]
        assert selling("test-number", "withdraw", consumer).status == 0
        assert selling("catalogue", "show", "--json").json["test_numbers"] == []

    def test_again_is_the_same(self, selling: Obole) -> None:
        first, again = (
            selling("test-number", "declare", *NUMBER, "--label", "ours", "--json").json
            for _ in range(2)
        )
        assert again["consumer"] == first["consumer"]
        assert not again["new"]

    def test_whose_label_tells_it_is_refused(self, selling: Obole) -> None:
        done = selling("test-number", "declare", *NUMBER, "--label", "0033612345678")
        assert done.status == 1
        assert "--label: tells the number itself" in done.err

    def test_whose_label_tells_another_is_refused(self, selling: Obole) -> None:
        done = selling("test-number", "declare", *NUMBER, "--label", "Jan, 0470 00 00 01")
        assert done.status == 1
        assert "--label: " in done.err
        assert "a telephone number may not stand in the log" in done.err

    def test_of_a_file_is_recorded_by_its_pseudonym(self, selling: Obole, tmp_path: Path) -> None:
        file = tmp_path / "numbers.toml"
        file.write_text(
            'book = "fr"\neffective_from = 2026-01-01\n[[test_numbers]]\noperator = "20801"\n'
            'code = "81014"\nsender = "33612345678"\nlabel = "ours"\n'
        )
        assert selling("catalogue", "load", str(file)).status == 0
        declared = selling("test-number", "declare", *NUMBER, "--label", "ours", "--json").json
        assert not declared["new"]
