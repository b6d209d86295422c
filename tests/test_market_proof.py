"""A simulated market ends with its truth: imported, lived over HTTP, and rebuilt."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from api.books import load_rules
from api.market.check import Verdict, check
from api.market.place import IMPORTED, Place, place
from api.market.prove import Prover
from api.market.simulate import Files, Wanted, simulate
from ledger.log.session import connect

MARKETS = (("fr", 11, 5), ("be", 12, 9))
"""Long enough for charges to become unresolved, and for a week's renewal."""
HOURS_A_TURN = 6
"""Each takes its time, and so few are enough for a small market."""
WAYS = ("import", "live", "rebuild")


@contextmanager
def market(home: Path, book: str, seed: int, days: int) -> Generator[tuple[Files, Place]]:
    rules = {book: load_rules()[book]}
    folder = home.parent / "market"
    files = simulate(
        Wanted(book, seed, days, 700, HOURS_A_TURN), rules[book], folder, lambda _: None
    )
    with place(home, rules, {book: files}) as where:
        yield files, where


class TestProof:
    """All ways of playing a market."""

    @pytest.mark.timeout(240)
    @pytest.mark.parametrize(("book", "seed", "days"), MARKETS)
    def test_holds_whatever_way_the_market_is_played(
        self, book: str, seed: int, days: int, obole_home: Path
    ) -> None:
        with market(obole_home, book, seed, days) as (files, where):
            prover = Prover(where, lambda _: None)
            prover.prove(book, load_rules()[book], files, WAYS, lambda _: None)
            assert [(one.step, one.failures) for one in prover.steps if one.failures] == []
            assert [one.step for one in prover.steps] == [
                *("imported", "imported = truth", "lived", "lived = truth"),
                *("imported = lived, fact for fact", "imported = rebuilt", "rebuilt = truth"),
            ]


class TestCheck:
    """A ledger held against the truth: the control, for the check has to be able to fail."""

    @pytest.mark.timeout(120)
    def test_finds_what_was_dropped_or_doubled(self, obole_home: Path) -> None:
        with market(obole_home, "be", 13, 1) as (files, where):
            Prover(where, lambda _: None).prove(
                "be", load_rules()["be"], files, ("import",), lambda _: None
            )
            with connect(where.owner[IMPORTED]) as connection:
                assert check(connection, files, "be").holds
                for fault in (drop_a_fact, double_a_charge, earn_a_micro, lose_an_account):
                    assert not after(connection, files, fault).holds, fault.__name__

    @pytest.mark.timeout(120)
    def test_names_the_charge_that_differs(self, obole_home: Path) -> None:
        with market(obole_home, "fr", 14, 1) as (files, where):
            Prover(where, lambda _: None).prove(
                "fr", load_rules()["fr"], files, ("import",), lambda _: None
            )
            with connect(where.owner[IMPORTED]) as connection:
                verdict = after(connection, files, double_a_charge, "fr")
        assert any(told.startswith(f"charge {'0' * 32}:") for told in verdict.different)


def after(connection: Connection[Any], files: Files, fault: Any, book: str = "be") -> Verdict:  # noqa: ANN401 - one of those below
    """Check a ledger with a fault, which is undone again."""
    with connection.transaction(force_rollback=True):
        fault(connection)
        return check(connection, files, book)


def drop_a_fact(connection: Connection[Any]) -> None:
    connection.execute("ALTER TABLE facts DISABLE TRIGGER USER")
    connection.execute(
        "DELETE FROM facts WHERE (book, position) = ("
        " SELECT book, max(position) FROM facts WHERE type = 'delivery_received.v1' GROUP BY book)"
    )


def double_a_charge(connection: Connection[Any]) -> None:
    connection.execute("CREATE TEMPORARY TABLE twin AS SELECT * FROM charges LIMIT 1")
    connection.execute("UPDATE twin SET charge = %s", ("0" * 32,))
    connection.execute("INSERT INTO charges SELECT * FROM twin")
    connection.execute("DROP TABLE twin")


def earn_a_micro(connection: Connection[Any]) -> None:
    connection.execute(
        "UPDATE merchant_accounts SET earned_micros = earned_micros + 1"
        " WHERE earned = (SELECT max(earned) FROM merchant_accounts)"
    )


def lose_an_account(connection: Connection[Any]) -> None:
    connection.execute("DELETE FROM balances WHERE account = 'aggregator_revenue'")
