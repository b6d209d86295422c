"""`obole key`: issued, shown once, listed without its secret, revoked."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.access import Grants
from ledger.facts.registry import REGISTRY
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from tests.support.cli import CATALOGUE, Obole, obole_at
from tests.support.database import TestDatabase

LATER = timedelta(minutes=5)


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    made = obole_at(database, tmp_path)
    assert made("book", "open", "fr").status == 0
    assert made("catalogue", "load", str(CATALOGUE)).status == 0
    return made


def grants(database: TestDatabase) -> Grants:
    """Read who may come in."""
    with connect(database.app_url) as connection:
        rows = PostgresLog(connection, "fr").follow(0, 1000)
    return Grants().advance(REGISTRY.decode(row) for row in rows)


def issue(obole: Obole, *more: str) -> dict[str, str]:
    """Issue a key for finance."""
    return obole("key", "issue", "--role", "finance", "--label", "audit", *more, "--json").json


class TestIssue:
    """A new key."""

    def test_opens_the_book_in_its_role(self, obole: Obole, database: TestDatabase) -> None:
        key = issue(obole, "--days", "3")
        now = datetime.now(UTC)  # noqa: TID251 - the key was issued by the real clock
        known = grants(database)
        admitted = known.admits(key["key"], now)
        assert admitted is not None
        assert (admitted.role, admitted.merchant, admitted.label) == ("finance", None, "audit")
        assert known.admits(key["key"], now + timedelta(days=3) - LATER)
        assert known.admits(key["key"], now + timedelta(days=3)) is None

    def test_is_alone_on_standard_output(self, obole: Obole) -> None:
        done = obole(
            "key", "issue", "--role", "gateway", "--label", "kannel", "--only", "kannel-fr"
        )
        assert re.fullmatch(r"obole_[0-9a-f]{16}_[A-Za-z0-9_-]{43}\n", done.out)
        assert "only time" in done.err

    def test_of_a_merchant_names_the_merchant(self, obole: Obole, database: TestDatabase) -> None:
        asked = ("key", "issue", "--role", "merchant", "--label", "x")
        assert obole(*asked).status == 1
        unknown = obole(*asked, "--only", "nobody")
        assert unknown.status == 1
        assert "no merchant 'nobody' is registered" in unknown.err
        assert obole(*asked, "--only", "ludotel").status == 0
        assert [one.merchant for one in grants(database).granted.values()] == ["ludotel"]

    def test_in_an_unknown_role_is_wrong_usage(self, obole: Obole) -> None:
        assert obole("key", "issue", "--role", "king", "--label", "x").status == 2


class TestList:
    """The keys of a book."""

    def test_shows_states_and_no_secret(self, obole: Obole) -> None:
        first, second = issue(obole), issue(obole)
        obole("key", "revoke", first["id"])
        listed = obole("key", "list", "--json")
        assert [(one["id"], one["state"]) for one in listed.json] == [
            (first["id"], "revoked"),
            (second["id"], "open"),
        ]
        for secret in (one["key"].split("_", 2)[2] for one in (first, second)):
            assert secret not in listed.out + obole("key", "list").out


class TestRevoke:
    """A key that opens nothing any more."""

    def test_ends_it_at_once(self, obole: Obole, database: TestDatabase) -> None:
        key = issue(obole)
        assert obole("key", "revoke", key["id"], "--reason", "lost").status == 0
        now = datetime.now(UTC)  # noqa: TID251 - the key was issued by the real clock
        assert grants(database).admits(key["key"], now) is None

    def test_twice_or_of_an_unknown_key_is_refused(self, obole: Obole) -> None:
        key = issue(obole)
        obole("key", "revoke", key["id"])
        assert "was revoked before" in obole("key", "revoke", key["id"]).err
        assert obole("key", "revoke", "0" * 16).status == 1
