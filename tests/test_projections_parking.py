"""A projection that cannot take a fact stands still, loudly, and stops no other."""

import logging
from collections.abc import Generator, Iterable
from dataclasses import replace

import psycopg
import pytest
from msgspec import structs

from ledger.facts.base import Recorded
from ledger.facts.charges import ChargeCaptured
from ledger.log.session import connect
from ledger.money import Waterfall
from projections.balances.table import PROJECTION as BALANCES
from projections.charges.table import PROJECTION as CHARGES
from projections.engine import Engine
from projections.fold import Context
from projections.merchant_accounts.table import PROJECTION as MERCHANT_ACCOUNTS
from tests.support.database import TestDatabase
from tests.support.history import LAST, two_charges
from tests.support.projected import contents, failing, reset, standing, store

THREE = (BALANCES, MERCHANT_ACCOUNTS, CHARGES)
"""Enough to see that one stands still and the others go on."""


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


class TestParking:
    """A projection that cannot take a fact."""

    def test_stops_it_just_before_that_fact_and_no_other(
        self, connection: psycopg.Connection, caplog: pytest.LogCaptureFixture
    ) -> None:
        history = two_charges()
        store(connection, history.rows)
        engine = Engine(connection, "fr", [BALANCES, MERCHANT_ACCOUNTS, failing(CHARGES, 12)])
        engine.catch_up()
        assert standing(connection, "fr") == {
            "balances": 13,
            "merchant_accounts": 13,
            "charges": 11,
        }
        states = connection.execute("SELECT state FROM charges ORDER BY position").fetchall()
        assert states == [("authorized",), ("authorized",)]
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        fact = history.recorded[11].id
        assert record.message == f"fr: charges is parked at position 12 (fact {fact})"

    def test_is_told_with_its_fact_and_error(self, connection: psycopg.Connection) -> None:
        history = two_charges()
        store(connection, history.rows)
        engine = Engine(connection, "fr", [BALANCES, failing(CHARGES, 12)])
        engine.catch_up()
        balances, charges = engine.status()
        assert (balances.projected, balances.parked, balances.pending) == (13, 0, 0)
        assert (charges.projected, charges.parked, charges.pending) == (11, 1, 1)
        assert (charges.parked_position, charges.parked_fact) == (12, history.recorded[11].id)
        assert charges.parked_error == "ArithmeticError: poison"
        for told in (balances, charges):
            assert told.accepted == told.projected + told.parked + told.pending == 13

    def test_lasts_until_it_is_unparked(self, connection: psycopg.Connection) -> None:
        rows = two_charges().rows
        store(connection, rows)
        Engine(connection, "fr", THREE).catch_up()
        whole = contents(connection, "fr")
        reset(connection, "fr")
        Engine(connection, "fr", [BALANCES, MERCHANT_ACCOUNTS, failing(CHARGES, 12)]).catch_up()
        mended = Engine(connection, "fr", THREE)
        assert mended.catch_up() == 0
        assert (mended.unpark("charges"), mended.unpark("balances")) == (True, False)
        assert mended.catch_up() == 2
        assert contents(connection, "fr") == whole

    def test_comes_again_when_nothing_was_mended(self, connection: psycopg.Connection) -> None:
        store(connection, two_charges().rows)
        engine = Engine(connection, "fr", [BALANCES, failing(CHARGES, 4)])
        engine.catch_up()
        assert engine.unpark("charges")
        engine.catch_up()
        assert standing(connection, "fr") == {"balances": 13, "charges": 3}
        assert engine.unpark("charges")

    def test_follows_also_from_a_row_that_the_database_refuses(
        self, connection: psycopg.Connection
    ) -> None:
        history = two_charges()
        history.exchange("c", LAST)
        captured = history.captured("c", LAST)
        assert isinstance(captured, ChargeCaptured)
        # The parts are one micro short of the price, which only the table of charges checks.
        wrong = Waterfall(price=3, tax=1, operator=0, aggregator=0, merchant=1)
        history.facts[-1] = (LAST, structs.replace(captured, amounts=wrong))
        history.exchange("d", LAST)
        store(connection, history.rows)
        engine = Engine(connection, "fr", THREE)
        engine.catch_up()
        last = len(history.facts)
        assert standing(connection, "fr") == {
            "balances": last,
            "merchant_accounts": last,
            "charges": last - 6,
        }
        (told,) = [one for one in engine.status() if one.projection == "charges"]
        assert "parts_sum_to_the_price" in (told.parked_error or "")

    @pytest.mark.parametrize(
        "change",
        [{"type": "charge_forgiven.v9"}, {"data": b"{"}, {"data": b'{"id":"x"}'}],
        ids=["unknown type", "broken JSON", "another shape"],
    )
    def test_follows_from_a_row_that_nobody_can_read(
        self, connection: psycopg.Connection, change: dict
    ) -> None:
        rows = two_charges().rows
        store(connection, [*rows[:11], rows[11]._replace(**change), rows[12]])
        Engine(connection, "fr", THREE).catch_up()
        assert standing(connection, "fr") == {
            "balances": 11,
            "merchant_accounts": 11,
            "charges": 11,
        }

    def test_does_not_follow_from_an_unreadable_row_of_an_ignored_type(
        self, connection: psycopg.Connection
    ) -> None:
        rows = two_charges().rows
        # 13 releases b: it moves no money, so balances ignores it, and the others need it.
        store(connection, [*rows[:12], rows[12]._replace(data=b"{")])
        Engine(connection, "fr", THREE).catch_up()
        assert standing(connection, "fr") == {
            "balances": 13,
            "merchant_accounts": 12,
            "charges": 12,
        }

    def test_does_not_follow_from_a_database_that_goes_away(
        self, connection: psycopg.Connection, database: TestDatabase
    ) -> None:
        store(connection, two_charges().rows)
        with connect(database.app_url) as other:
            changes = BALANCES.fold.changes

            def meanwhile(recorded: Recorded, context: Context) -> Iterable:
                """End the engine's own session before it writes."""
                connection.execute("SELECT pg_terminate_backend(%s)", (other.info.backend_pid,))
                return changes(recorded, context)

            cut = BALANCES._replace(fold=replace(BALANCES.fold, changes=meanwhile))
            with pytest.raises(psycopg.OperationalError):
                Engine(other, "fr", [cut]).catch_up()
        engine = Engine(connection, "fr", [BALANCES])
        assert [told.parked_at for told in engine.status()] == [None]
        assert engine.catch_up() == 13
