"""What is due to merchants, worked out by hand, and every line opened to its facts.

Through Orange, of 3.00 EUR with 20 % of tax: tax 0.50; net 2.50, of which Orange owes half, 1.25;
of that the merchant has 80 %, 1.00, and the aggregator 0.25.
"""

import asyncio
from collections.abc import Generator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings

from api.documents import explained as explaining
from api.documents.explained import Explained, NotTogether, explained
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRefunded,
    ChargeUnresolved,
)
from ledger.facts.registry import stored_name
from ledger.log.session import connect, connect_async
from projections.charges.read import Period
from projections.engine import Engine
from projections.merchant_accounts.read import overview
from projections.reading import Answer, answer
from tests.support.api import OTHER_BOOK, Api, serving
from tests.support.cli import Obole, Sms, obole_at
from tests.support.database import TestDatabase
from tests.support.history import LATER, NOON, History, histories, paris
from tests.support.projected import project, store

JULY = Period(date(2026, 7, 1), date(2026, 7, 31))
AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))
PAYOUTS = "/payouts/2026-07"
MINE = "/merchants/ludotel/payouts/2026-07"


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    return obole_at(database, tmp_path)


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def line(facts: int, amount: str) -> dict[str, object]:
    return {"facts": facts, "share": eur(amount)}


def explain(
    database: TestDatabase, period: Period, merchant: str = "acme", book: str = "fr"
) -> Answer[list[Explained]]:
    """Explain a merchant's month."""

    async def run() -> Answer[list[Explained]]:
        async with await connect_async(database.app_url) as opened:
            return await explained(opened, book, merchant, period)

    return asyncio.run(run())


def told(database: TestDatabase, period: Period) -> dict[str, tuple[int, int]]:
    """Give of each line what it comes to and how many facts it has; all of it must be whole."""
    found = explain(database, period).value
    assert all(one.whole for one in found)
    return {one.line: (one.share_micros, len(one.facts)) for one in found}


class TestPayouts:
    """All merchants' month."""

    def test_show_each_line_of_each_merchant_and_the_total(self, api: Api) -> None:
        # ludotel: one captured, one pending, each 1.00 of 3.00.
        api.receipt(api.mo(), 1)
        api.mo(id="mo-2")
        api.project()
        answer = api.get(PAYOUTS, "finance")
        body = answer.json()
        lines = {
            "pending": line(1, "1.00"),
            "unresolved": line(0, "0.00"),
            "earned": line(1, "1.00"),
            "refunded": line(0, "0.00"),
            "written_off": line(0, "0.00"),
            "payable": None,
        }
        assert body["payouts"] == [{"merchant": "ludotel", "currency": "EUR", "lines": lines}]
        assert body["totals"] == [{"currency": "EUR", "lines": lines}]
        assert body["not_recorded"] == ["payable"]
        assert body["provisional"] is True
        assert answer.headers["Obole-Position"] == str(api.facts()[-1].position)

    def test_sum_over_merchants(self, api: Api) -> None:
        api.mo()
        api.mo("VOTE 1", id="mo-2", to="41234")
        api.project()
        body = api.get(PAYOUTS, "admin").json()
        # Of 0.05: tax 0.008333…, net 0.041666…, half of it 0.020833…, of which 80 % are 0.016666….
        pending = {one["merchant"]: one["lines"]["pending"] for one in body["payouts"]}
        assert pending == {"ludotel": line(1, "1.00"), "tele-sept": line(1, "0.016667")}
        assert body["totals"][0]["lines"]["pending"] == line(2, "1.016667")

    def test_of_one_merchant_are_its_own(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.project()
        all_of_them = api.get(PAYOUTS, "finance").json()
        assert api.get(MINE, "merchant").json() == all_of_them

    def test_of_a_month_without_charges_are_none(self, api: Api) -> None:
        api.mo()
        api.project()
        body = api.get("/payouts/2026-06", "finance").json()
        assert (body["payouts"], body["totals"]) == ([], [])

    def test_before_any_projection_is_no_answer(self, api: Api) -> None:
        for path in (PAYOUTS, MINE, f"{MINE}/facts"):
            assert (
                api.get(path, "finance", line="earned").json()["type"] == "/problems/not-projected"
            )

    def test_of_an_unknown_merchant_is_not_found(self, api: Api) -> None:
        api.project()
        for path in ("/merchants/nobody/payouts/2026-07", "/merchants/x/payouts/2026-07/facts"):
            answer = api.get(path, "finance", line="earned")
            assert answer.json()["type"] == "/problems/merchant-not-registered"

    def test_of_another_book_are_not_seen(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.project()
        key = api.issue("finance", book=OTHER_BOOK)
        assert api.get(f"/v1/books/{OTHER_BOOK}{PAYOUTS}", key).json()["payouts"] == []

    @pytest.mark.parametrize("path", [PAYOUTS, MINE])
    @pytest.mark.parametrize("month", ["2026-13", "2026-7", "0000-01", "x"])
    def test_of_an_impossible_month_are_a_problem(self, api: Api, path: str, month: str) -> None:
        answer = api.get(path.replace("2026-07", month), "finance")
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == ["month"]

    def test_are_not_for_another_merchant(self, api: Api) -> None:
        api.project()
        for path in (MINE, f"{MINE}/facts"):
            other = path.replace("ludotel", "tele-sept")
            assert api.get(other, "merchant", line="earned").status_code == 403


class TestFacts:
    """What a line consists of."""

    def test_of_earned_are_the_captures(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.mo(id="mo-2")
        api.project()
        body = api.get(f"{MINE}/facts", "merchant", line="earned").json()
        (captured,) = api.facts(ChargeCaptured)
        assert body["facts"] == [
            {
                "position": captured.position,
                "fact": captured.id,
                "type": stored_name(ChargeCaptured),
                "charge": captured.fact.ref.charge,
                "day": "2026-07-15",
                "amount": eur("3.00"),
                "share": eur("1.00"),
            }
        ]
        assert body["next"] is None

    def test_of_pending_are_the_authorizations(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.mo(id="mo-2")
        api.project()
        body = api.get(f"{MINE}/facts", "finance", line="pending").json()
        assert [one["position"] for one in body["facts"]] == [
            api.facts(ChargeAuthorized)[1].position
        ]

    def test_of_what_was_given_back_lower_what_is_earned(self, api: Api) -> None:
        for number in range(3):
            api.receipt(api.mo(id=f"mo-{number}"), 1)
        whole, unpaid, _ = (one.fact.ref.charge for one in api.facts(ChargeCaptured))
        body = {"id": "r-1", "by": "operator", "channel": "bill", "reason": "complaint"}
        assert api.post(f"/charges/{whole}/refunds", body, "finance").status_code == 200
        body = {"id": "w-1", "reason": "unpaid", "note": "of the file of July"}
        made = api.post(f"/charges/{unpaid}/write-offs", body, "finance").json()
        api.project()
        (one,) = api.get(MINE, "merchant").json()["payouts"]
        # Three earned of 1.00; of one the operator takes the merchant's 1.00 back with the rest.
        assert one["lines"]["earned"] == line(3, "3.00")
        assert one["lines"]["refunded"] == line(1, "1.00")
        borne = "1.00" if made["borne_by"] == "merchant" else "0.00"
        assert one["lines"]["written_off"] == line(1, borne)
        for name, charge in (("refunded", whole), ("written_off", unpaid)):
            (fact,) = api.get(f"{MINE}/facts", "merchant", line=name).json()["facts"]
            assert (fact["charge"], fact["amount"]) == (charge, eur("3.00"))
            assert fact["share"] == one["lines"][name]["share"]

    def test_never_name_the_consumer(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.project()
        answer = api.get(f"{MINE}/facts", "merchant", line="earned")
        assert api.only(ChargeCaptured).ref.consumer not in answer.text

    def test_come_in_pages_that_miss_and_repeat_nothing(self, api: Api) -> None:
        for number in range(5):
            api.receipt(api.mo(id=f"mo-{number}"), 1)
        api.project()
        found: list[int] = []
        query: dict[str, str | int] = {"line": "earned", "limit": 2}
        while True:
            body = api.get(f"{MINE}/facts", "finance", **query).json()
            found += [one["position"] for one in body["facts"]]
            if body["next"] is None:
                break
            # More comes while somebody is reading.
            api.receipt(api.mo(id=f"more-{len(found)}"), 1)
            query["cursor"] = body["next"]
        assert found == [one.position for one in api.facts(ChargeCaptured)][:5]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({}, "line"),
            ({"line": "payable"}, "line"),
            ({"line": "earned", "cursor": "x"}, "cursor"),
            ({"line": "earned", "cursor": "2026-13-01.1"}, "cursor"),
            ({"line": "earned", "limit": 0}, "limit"),
            ({"line": "earned", "limit": 501}, "limit"),
        ],
    )
    def test_asked_for_wrongly_are_a_problem(
        self, api: Api, query: dict[str, str], field: str
    ) -> None:
        answer = api.get(f"{MINE}/facts", "finance", **query)
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [field]

    def test_wait_for_a_position(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.project()
        beyond = api.facts()[-1].position + 1
        answer = api.get(f"{MINE}/facts", "finance", line="earned", at_least=beyond)
        assert answer.json()["type"] == "/problems/not-reached"


class TestExplained:
    """The closed list: the facts of a line sum to the line."""

    def test_pending_stays_in_the_month_of_its_authorization(
        self, database: TestDatabase, connection: psycopg.Connection
    ) -> None:
        history = History()
        history.exchange("a", paris("2026-07-31T23:59:50"))
        history.exchange("b", paris("2026-08-01T00:00:00"))
        project(connection, history)
        # 1.00 each: one in July, one in August.
        assert told(database, JULY)["pending"] == (1_000_000, 1)
        assert told(database, AUGUST)["pending"] == (1_000_000, 1)

    def test_unresolved_lies_within_pending(
        self, database: TestDatabase, connection: psycopg.Connection
    ) -> None:
        history = History()
        history.exchange("a", NOON)
        history.exchange("b", NOON)
        history.unresolved("a", LATER)
        project(connection, history)
        found = {one.line: one for one in explain(database, JULY).value}
        assert [one.type for one in found["unresolved"].facts] == [stored_name(ChargeUnresolved)]
        assert [one.type for one in found["pending"].facts] == [stored_name(ChargeAuthorized)] * 2
        assert found["pending"].share_micros == 2_000_000

    def test_earned_counts_in_the_month_of_its_capture(
        self, database: TestDatabase, connection: psycopg.Connection
    ) -> None:
        history = History()
        history.exchange("a", paris("2026-07-31T23:59:50"))
        history.captured("a", paris("2026-08-01T00:00:05"))
        project(connection, history)
        assert told(database, AUGUST)["earned"] == (1_000_000, 1)
        # Its only line in July has moved, so nothing of July is left.
        assert told(database, JULY) == {}

    def test_refunded_by_the_operator_is_the_merchants_part(
        self, database: TestDatabase, connection: psycopg.Connection
    ) -> None:
        history = History()
        history.exchange("a", NOON)
        history.captured("a", LATER)
        history.refunded("a", paris("2026-08-02T10:00:00"))
        project(connection, history)
        july, august = told(database, JULY), told(database, AUGUST)
        # Of 3.00 the merchant had 1.00, and that is what it loses, a month later.
        assert (july["earned"], july["refunded"]) == ((1_000_000, 1), (0, 0))
        assert (august["earned"], august["refunded"]) == ((0, 0), (1_000_000, 1))

    def test_refunded_by_transfer_at_the_merchants_cost_is_the_whole_price(
        self, database: TestDatabase, connection: psycopg.Connection
    ) -> None:
        history = History()
        history.exchange("a", NOON)
        history.captured("a", LATER)
        how = {"by": "aggregator", "channel": "transfer", "borne_by": "merchant"}
        history.refunded("a", LATER, **how)
        project(connection, history)
        (refund,) = next(
            one.facts for one in explain(database, JULY).value if one.line == "refunded"
        )
        # The consumer got 3.00 back, tax included, and the merchant bears all of it.
        assert (refund.price, refund.share) == (3_000_000, 3_000_000)
        assert refund.type == stored_name(ChargeRefunded)

    def test_refunded_at_our_cost_is_a_fact_and_no_loss(
        self, database: TestDatabase, connection: psycopg.Connection
    ) -> None:
        history = History()
        history.exchange("a", NOON)
        history.captured("a", LATER)
        how = {"by": "aggregator", "channel": "transfer", "borne_by": "aggregator"}
        history.refunded("a", LATER, **how)
        project(connection, history)
        assert told(database, JULY)["refunded"] == (0, 1)

    def test_earned_stays_the_capture_after_a_refund(
        self, database: TestDatabase, connection: psycopg.Connection
    ) -> None:
        history = History()
        history.exchange("a", NOON)
        history.captured("a", LATER)
        history.refunded("a", LATER)
        project(connection, history)
        (earned,) = next(one.facts for one in explain(database, JULY).value if one.line == "earned")
        assert earned.type == stored_name(ChargeCaptured)

    def test_a_test_numbers_charges_belong_to_no_line(
        self, database: TestDatabase, connection: psycopg.Connection
    ) -> None:
        history = History()
        history.exchange("a", NOON, test=True)
        history.captured("a", LATER)
        history.refunded("a", LATER)
        history.exchange("b", NOON, test=True)
        history.exchange("c", NOON)
        project(connection, history)
        found = told(database, JULY)
        assert {name: facts for name, (_, facts) in found.items() if facts} == {"pending": 1}

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
    @given(history=histories())
    def test_holds_after_any_history_for_every_merchant_and_month(
        self, database: TestDatabase, connection: psycopg.Connection, history: History
    ) -> None:
        (number,) = connection.execute("SELECT count(*) FROM heads").fetchone() or (0,)
        book = f"fr{number}"
        store(connection, [row._replace(book=book) for row in history.rows])
        Engine(connection, book).catch_up()
        months = [date(2026, month, 1) for month in (7, 8, 9)]
        for first in months:
            period = Period(first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))
            for one in answer(connection, book, overview(period.first, period.last)).value:
                for its in explain(database, period, one.merchant, book).value:
                    assert its.whole, its

    def test_in_more_pages_than_one_is_the_same(
        self,
        database: TestDatabase,
        connection: psycopg.Connection,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        history = History()
        for number in range(7):
            history.exchange(f"c{number}", NOON)
            history.captured(f"c{number}", LATER)
            history.refunded(f"c{number}", LATER)
        project(connection, history)
        at_once = told(database, JULY)
        monkeypatch.setattr(explaining, "PAGE", 2)
        assert told(database, JULY) == at_once
        assert at_once["earned"] == at_once["refunded"] == (7_000_000, 7)

    def test_refuses_what_was_not_projected_alike(
        self, database: TestDatabase, connection: psycopg.Connection
    ) -> None:
        history = History()
        history.exchange("a", NOON)
        project(connection, history)
        connection.execute(
            "UPDATE projection_positions SET position = position - 1 WHERE projection = 'charges'"
        )
        with pytest.raises(NotTogether):
            explain(database, JULY)


class TestCommand:
    """`obole payouts`."""

    @pytest.fixture
    def trading(self, obole: Obole, database: TestDatabase) -> Obole:
        """Play two messages, one of them paid, and project them."""
        noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
        obole.trade(database, Sms("one", noon, delivered=True), Sms("two", noon))
        obole("work", "--once", "--now", "2026-07-01T12:00:00Z")
        return obole

    def test_shows_lines_total_and_how_far_it_is_complete(self, trading: Obole) -> None:
        done = trading("payouts", "2026-07")
        assert done.status == 0
        rows = [row.split() for row in done.out.splitlines()]
        amounts = ["1.00", "0.00", "1.00", "0.00", "0.00", "not", "recorded"]
        assert ["ludotel", *amounts] in rows
        assert ["total", *amounts] in rows
        assert "fr: complete up to position" in done.out

    def test_cuts_no_amount_in_a_narrow_terminal(self, trading: Obole) -> None:
        narrow = Obole({**trading.environ, "COLUMNS": "40"})
        wide, cut = trading("payouts", "2026-07"), narrow("payouts", "2026-07")
        total = next(row for row in wide.out.splitlines() if row.split()[:1] == ["total"])
        assert total.split() in [row.split() for row in cut.out.splitlines()]

    def test_of_an_empty_month_says_so(self, trading: Obole) -> None:
        for arguments in (("2026-05",), ("2026-05", "--merchant", "ludotel")):
            assert "nothing is recorded" in trading("payouts", *arguments).out

    def test_gives_one_json_value(self, trading: Obole) -> None:
        body = trading("payouts", "2026-07", "--merchant", "ludotel", "--json").json
        (one,) = body["payouts"]
        assert one["lines"]["earned"] == line(1, "1.00")
        assert one["lines"]["payable"] is None
        assert body["not_recorded"] == ["payable"]
        assert body["complete"]["position"] > 0

    def test_explains_every_line_by_its_facts(self, trading: Obole) -> None:
        done = trading("payouts", "2026-07", "--merchant", "ludotel", "--facts")
        assert done.status == 0, done.err
        assert done.out.count("explained: 1 fact, difference 0.00") == 2
        assert done.out.count("explained: 0 facts, difference 0.00") == 3

    def test_explains_in_json_too(self, trading: Obole) -> None:
        body = trading("payouts", "2026-07", "--merchant", "ludotel", "--facts", "--json").json
        earned = next(one for one in body["lines"] if one["line"] == "earned")
        assert (earned["explained"], earned["difference"]) == (1, eur("0.00"))
        assert earned["facts"][0]["share"] == eur("1.00")
        assert body["payable"] is None

    @pytest.mark.parametrize("column", ["earned_micros", "earned"])
    def test_ends_with_status_1_where_the_facts_do_not_sum_to_the_line(
        self, trading: Obole, database: TestDatabase, column: str
    ) -> None:
        statements = {
            "earned_micros": "UPDATE merchant_accounts SET earned_micros = earned_micros + 1",
            "earned": "UPDATE merchant_accounts SET earned = earned + 1",
        }
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            owner.execute(statements[column])
        done = trading("payouts", "2026-07", "--merchant", "ludotel", "--facts")
        assert done.status == 1
        assert "do not explain earned" in done.err
        if column == "earned_micros":
            assert "explained: 1 fact, difference 0.000001" in done.out

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (("2026-13",), "MONTH"),
            (("2026-7",), "MONTH"),
            (("july",), "MONTH"),
            (("2026-07", "--facts"), "--facts"),
        ],
    )
    def test_names_the_argument_that_is_wrong(
        self, trading: Obole, arguments: tuple[str, ...], named: str
    ) -> None:
        done = trading("payouts", *arguments)
        assert (done.status, named in done.err) == (2, True)

    @pytest.mark.parametrize("merchant", ["nobody", "", "é", "x" * 200])
    def test_refuses_an_unknown_merchant(self, trading: Obole, merchant: str) -> None:
        for more in ((), ("--facts",)):
            done: Any = trading("payouts", "2026-07", "--merchant", merchant, *more)
            assert done.status == 1
            assert "no merchant" in done.err
