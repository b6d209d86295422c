"""The bytes of an entry, and which rows belong to a query."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest

from ledger.log.rows import MAX_ENTRY_BYTES, Interest, StoredRow, entry_bytes, matches
from tests.support.log import row, stored

ENTRY = StoredRow(
    book="fr",
    position=1234067,
    recorded_at=datetime(2026, 8, 1, 9, 30, 0, 42, tzinfo=UTC),
    type="mo_received.v1",
    tags=("code:71234", "consumer:1_ab", "mo:00ff"),
    data='{"text":"VOTE é"}'.encode(),
)


class TestEntryBytes:
    """What is hashed and sealed."""

    def test_are_these_for_ever(self) -> None:
        assert entry_bytes(ENTRY) == (
            b"obole/v1\n"
            b"fr\n"
            b"1234067\n"
            b"2026-08-01T09:30:00.000042Z\n"
            b"mo_received.v1\n"
            b"code:71234 consumer:1_ab mo:00ff\n"
            b'{"text":"VOTE \xc3\xa9"}'
        )

    def test_hash_to_this_for_ever(self) -> None:
        assert sha256(b"\0" + entry_bytes(ENTRY)).hexdigest() == (
            "11549d71ecf0c6c12cc130351b375aed0bb178531c88190a5d40c529d8b76517"
        )

    def test_of_a_fact_without_tags_keep_its_line(self) -> None:
        assert entry_bytes(ENTRY._replace(tags=(), data=b"")).endswith(b"mo_received.v1\n\n")

    def test_do_not_depend_on_the_zone_that_a_time_is_written_in(self) -> None:
        paris = timezone(timedelta(hours=2))
        elsewhere = ENTRY._replace(recorded_at=ENTRY.recorded_at.astimezone(paris))
        assert entry_bytes(elsewhere) == entry_bytes(ENTRY)

    def test_fit_an_entry_bundle(self) -> None:
        assert MAX_ENTRY_BYTES < 1 << 16

    @pytest.mark.parametrize(
        "other",
        [
            ENTRY._replace(book="be"),
            ENTRY._replace(position=1234068),
            ENTRY._replace(recorded_at=ENTRY.recorded_at + timedelta(microseconds=1)),
            ENTRY._replace(type="mo_received.v2"),
            ENTRY._replace(tags=ENTRY.tags[1:]),
            ENTRY._replace(data=ENTRY.data + b" "),
        ],
    )
    def test_differ_with_every_field(self, other: StoredRow) -> None:
        assert entry_bytes(other) != entry_bytes(ENTRY)


class TestMatching:
    """Which rows a query means."""

    def test_wants_all_tags_of_an_interest(self) -> None:
        interest = Interest(("code:1", "mo:1"))
        assert matches([interest], row("mo:1", "code:1", "merchant:m"))
        assert not matches([interest], row("mo:1"))

    def test_wants_one_of_the_types(self) -> None:
        interest = Interest(("mo:1",), frozenset({"a.v1", "b.v1"}))
        assert matches([interest], row("mo:1", type="b.v1"))
        assert not matches([interest], row("mo:1", type="c.v1"))

    def test_takes_any_type_where_none_is_named(self) -> None:
        assert matches([Interest(("mo:1",))], stored(1, "mo:1", type="c.v1"))

    def test_wants_one_of_the_interests(self) -> None:
        assert matches([Interest(("mo:2",)), Interest(("mo:1",))], row("mo:1"))

    def test_finds_nothing_for_no_interest(self) -> None:
        assert not matches([], row("mo:1"))
