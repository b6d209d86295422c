"""What a fact's fields hold, told without reading it back: no more than that would allow."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from ledger.facts.base import Draft, Fact
from ledger.facts.checked import Checked
from ledger.facts.registry import REGISTRY, Origin, stored_name
from tests.support.examples import examples

ORIGIN = Origin("fr", "test")
OTHERS: tuple[object, ...] = (
    None,
    "",
    "x" * 129,
    "é\n",
    "A" * 32,
    "1_" + "C" * 32,
    "a" * 32 + "\n",
    0,
    1,
    True,
    False,
    1.0,
    -1,
    10**13,
    b"",
    [],
    datetime(2026, 7, 1),  # noqa: DTZ001 - one without a zone is to be refused
    datetime(2026, 7, 1, tzinfo=UTC),
    datetime(2026, 7, 1, tzinfo=timezone(timedelta(hours=2))),
)
"""What may stand in a field by mistake."""
EACH = pytest.mark.parametrize(
    "fact",
    [
        pytest.param(fact, id=f"{place}-{stored_name(type(fact))}")
        for place, (_, fact) in enumerate(examples())
    ],
)


def is_readable(fact: Fact) -> bool:
    """Tell whether a fact could be read again as it is, once it was written."""
    try:
        return REGISTRY.decode(REGISTRY.encode(Draft(fact), ORIGIN)).fact == fact
    except (msgspec.ValidationError, TypeError, ValueError, AttributeError):
        return False


def altered(one: Any, value: object) -> Iterator[Any]:  # noqa: ANN401 - a fact or a part of one
    """Give a fact once with each field replaced, also of its parts."""
    for name in one.__struct_fields__:
        yield msgspec.structs.replace(one, **{name: value})
        part = getattr(one, name)
        if isinstance(part, msgspec.Struct):
            for other in altered(part, value):
                yield msgspec.structs.replace(one, **{name: other})


@EACH
class TestChecked:
    """Whether a fact is known to hold what it may."""

    def test_is_not_told_before_it_was_read_back(self, fact: Fact) -> None:
        assert not Checked().knows(fact)

    def test_is_told_of_no_field_that_could_not_be_read(self, fact: Fact) -> None:
        checked = Checked()
        checked.learn(fact)
        for value in OTHERS:
            for other in altered(fact, value):
                assert not checked.knows(other) or is_readable(other), other


class TestLearnt:
    """What was read back once."""

    def test_is_known_where_only_ids_and_times_are_others(self) -> None:
        kinds = {"mo_received.v1", "keyword_matched.v1", "charge_authorized.v1", "mt_emitted.v1"}
        own = {"mo": "a" * 32, "mt": "b" * 32, "charge": "c" * 32, "consumer": "2_" + "d" * 32}
        told: set[str] = set()
        for _, fact in examples():
            if (name := stored_name(type(fact))) not in kinds:
                continue
            checked = Checked()
            checked.learn(fact)
            told.add(name)
            other: Any = msgspec.structs.replace(fact, occurred_at=datetime(2026, 8, 2, tzinfo=UTC))
            about = getattr(other, "ref", other)
            new = msgspec.structs.replace(
                about, **{one: v for one, v in own.items() if getattr(about, one, None)}
            )
            other = msgspec.structs.replace(other, ref=new) if about is not other else new
            assert checked.knows(other), other
        assert told == kinds

    def test_is_forgotten_in_time(self) -> None:
        fact = next(fact for _, fact in examples() if stored_name(type(fact)) == "mo_received.v1")
        checked = Checked()
        checked.learn(fact)
        for number in range(5_000):
            checked.learn(msgspec.structs.replace(fact, smsc=f"link-{number}"))
        assert not checked.knows(fact)
