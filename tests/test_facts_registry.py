"""The registry: what every fact has to be, its encoding, and new versions of old facts."""

import re
from datetime import UTC, datetime
from typing import Any, get_type_hints

import msgspec
import pytest

from ledger.facts.base import Draft, Fact, Sealed
from ledger.facts.book import BookOpened
from ledger.facts.charges import ChargeCaptured
from ledger.facts.registry import (
    REGISTRY,
    Envelope,
    Origin,
    Registry,
    UnknownFact,
    UnsealedText,
    fact_id,
    stored_name,
)
from ledger.facts.traffic import MoReceived
from ledger.log.rows import Row, StoredRow
from ledger.words import derived_id
from tests.support.exampled import SEALED
from tests.support.examples import examples

ALL = sorted(REGISTRY.by_name.values(), key=stored_name)
AHEAD = {"expires_at", "due_at", "next_due_at", "opens_at"}
"""Times that a fact says something will end or begin at: no times of its own."""
EACH = pytest.mark.parametrize("fact", ALL, ids=stored_name)
NOON = datetime(2026, 7, 10, 10, tzinfo=UTC)


def example(kind: type[Fact]) -> Fact:
    """Give the full example of a fact."""
    return next(fact for _, fact in examples() if type(fact) is kind)


def schema_of(fact: type[Fact]) -> list[dict[str, Any]]:
    """Give every part of a fact's JSON schema, its fields and those of its parts among them."""
    found, left = [], [msgspec.json.schema(fact)]
    while left:
        match left.pop():
            case dict() as part:
                found.append(part)
                left.extend(part.values())
            case list() as parts:
                left.extend(parts)
    return found


class TestEveryFact:
    """What every fact is."""

    @EACH
    def test_cannot_be_changed(self, fact: type[Fact]) -> None:
        one = example(fact)
        with pytest.raises(AttributeError):
            setattr(one, one.__struct_fields__[0], "changed")

    @EACH
    def test_takes_no_field_that_it_does_not_know(self, fact: type[Fact]) -> None:
        parts = [part for part in schema_of(fact) if "properties" in part]
        assert parts
        assert all(part["additionalProperties"] is False for part in parts)

    @EACH
    def test_says_what_happened(self, fact: type[Fact]) -> None:
        assert fact.__doc__
        assert fact.__doc__ != Fact.__doc__

    @EACH
    def test_is_stored_under_its_own_name_and_version(self, fact: type[Fact]) -> None:
        name, _, version = stored_name(fact).partition(".v")
        assert name == re.sub(r"(?<!^)(?=[A-Z])", "_", fact.__name__).lower()
        assert int(version) >= 1

    @EACH
    def test_has_a_subject(self, fact: type[Fact]) -> None:
        assert example(fact).subject

    @EACH
    def test_holds_two_times_at_most_beside_the_text_of_a_third(self, fact: type[Fact]) -> None:
        times = [name for name in fact.__struct_fields__ if name.endswith(("_at", "_from"))]
        assert set(times) <= {"occurred_at", "effective_from", "stated_at", *AHEAD, "allowed_at"}
        assert ("occurred_at" in times) != ("effective_from" in times)

    @EACH
    def test_holds_no_number_that_is_not_whole(self, fact: type[Fact]) -> None:
        assert {"type": "number"} not in [{"type": part.get("type")} for part in schema_of(fact)]


class TestEncode:
    """Turning a draft into a row."""

    def test_refuses_a_text_that_is_not_sealed(self) -> None:
        with pytest.raises(UnsealedText, match=r"mo_received\.v1"):
            REGISTRY.encode(Draft(example(MoReceived), text="JEU"), Origin("fr", "test"))

    def test_puts_the_sealed_text_into_the_fact(self) -> None:
        bare = msgspec.structs.replace(example(MoReceived), text=None)
        row = REGISTRY.encode(Draft(bare, text="JEU"), Origin("fr", "test"), SEALED)
        assert REGISTRY.decode(row).fact == example(MoReceived)

    def test_leaves_out_what_nobody_said(self) -> None:
        row = REGISTRY.encode(Draft(example(BookOpened)), Origin("fr", "test"))
        assert set(msgspec.json.decode(row.data)) == {"id", "actor", "fact"}

    def test_gives_an_id_by_book_type_subject_and_count(self) -> None:
        fact = example(ChargeCaptured)
        found = {
            REGISTRY.decode(REGISTRY.encode(Draft(fact, n=n), Origin(book, "test"))).id
            for n in (0, 1)
            for book in ("fr", "be")
        }
        assert found == {
            derived_id(book, "charge_captured.v1", fact.subject, n)
            for n in (0, 1)
            for book in ("fr", "be")
        }


class TestDecode:
    """Reading a row."""

    def test_is_refused_for_a_type_that_nobody_knows(self) -> None:
        with pytest.raises(UnknownFact, match=r"mo_received\.v9"):
            REGISTRY.decode(Row("mo_received.v9", (), b"{}"))

    def test_of_a_row_without_a_place_takes_the_book_it_is_told(self) -> None:
        row = REGISTRY.encode(Draft(example(BookOpened)), Origin("fr", "test"))
        assert REGISTRY.decode(row, "fr")[:3] == ("fr", 0, None)


class PriceTold(Fact, frozen=True, kw_only=True, tag="price_told.v1"):
    """A price was told, in whole euros."""

    who: str
    euros: int

    @property
    def subject(self) -> str:
        """Who was told."""
        return self.who


class PriceToldV2(Fact, frozen=True, kw_only=True, tag="price_told.v2"):
    """A price was told, in micros."""

    who: str
    micros: int

    @property
    def subject(self) -> str:
        """Who was told."""
        return self.who


class PriceToldV3(Fact, frozen=True, kw_only=True, tag="price_told.v3"):
    """A price was told, in micros of a currency."""

    who: str
    micros: int
    currency: str

    @property
    def subject(self) -> str:
        """Who was told."""
        return self.who


VERSIONS = Registry(
    [PriceTold, PriceToldV2, PriceToldV3],
    {
        PriceTold: lambda old: PriceToldV2(who=old.who, micros=old.euros * 1_000_000),
        PriceToldV2: lambda old: PriceToldV3(who=old.who, micros=old.micros, currency="EUR"),
    },
)


def as_stored(fact: Fact) -> StoredRow:
    """Store a fact of a version of its own, as the code of its day did."""
    name = stored_name(type(fact))
    envelope = Envelope(id=fact_id("fr", type(fact), fact.subject), actor="test", fact=fact)
    return StoredRow("fr", 7, NOON, name, (), msgspec.json.encode(envelope))


class TestUpcast:
    """Reading a row of an older version."""

    def test_brings_every_version_up_to_the_newest(self) -> None:
        newest = PriceToldV3(who="ada", micros=3_000_000, currency="EUR")
        versions = (PriceTold(who="ada", euros=3), PriceToldV2(who="ada", micros=3_000_000), newest)
        for fact in versions:
            assert VERSIONS.decode(as_stored(fact)).fact == newest

    def test_keeps_the_id_under_which_it_was_stored(self) -> None:
        read = VERSIONS.decode(as_stored(PriceTold(who="ada", euros=3)))
        assert read.id == fact_id("fr", PriceTold, "ada")
        assert (read.position, read.recorded_at) == (7, NOON)

    def test_leaves_the_stored_bytes_alone(self) -> None:
        row = as_stored(PriceTold(who="ada", euros=3))
        kept = bytes(row.data)
        VERSIONS.decode(row)
        assert row.data == kept

    def test_is_not_done_for_the_newest(self) -> None:
        registry = Registry([PriceTold])
        fact = PriceTold(who="ada", euros=3)
        assert registry.decode(as_stored(fact)).fact == fact


class TestSealed:
    """Personal content in a fact."""

    def test_is_the_only_form_of_a_text(self) -> None:
        for fact in ALL:
            if "text" in fact.__struct_fields__:
                assert get_type_hints(fact)["text"] == Sealed | None
