"""A merchant's statement as CSV, worked out by hand; and CSV that no spreadsheet ever runs.

Through Orange, of 3.00 EUR with 20 % of tax: tax 0.50; net 2.50, of which Orange owes half, 1.25;
of that the merchant has 80 %, 1.00. Of 0.50: tax 0.083333…, net 0.416666…, of it 0.208333… are
owed, of which 80 % are 0.166666….
"""

import csv
import io
import random
import re
from collections.abc import Generator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.documents.cells import csv_lines, safe
from api.documents.columns import COLUMNS as FACT_COLUMNS
from api.documents.columns import flat
from api.documents.statement import COLUMNS, NOT_RECORDED, statement_csv
from ledger.facts.access import AccessRevoked
from ledger.facts.base import Draft
from ledger.facts.registry import REGISTRY, Origin
from ledger.log.rows import StoredRow
from projections.merchant_accounts.read import Line, Money, Position, Statement
from tests.support.api import Api, serving
from tests.support.cli import Obole, Sms, obole_at
from tests.support.database import TestDatabase

MONTH = "/merchants/ludotel/statements/2026-07"
SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
DELIMITERS = (",", ";", "\t", "|")


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    return obole_at(database, tmp_path)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


class TestStatement:
    """What its rows say."""

    def test_has_a_line_for_each_code_operator_and_service_and_a_total(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.mo("LOGO", id="mo-2", to="72100")
        api.project()
        answer = api.get(f"{MONTH}.csv", "merchant")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.text.splitlines()[0] == ",".join(COLUMNS)
        logo, quiz, total = read(answer.text)
        assert (quiz["line"], quiz["short_code"], quiz["operator"], quiz["service"]) == (
            *("line", "81014", "20801"),
            "quiz",
        )
        assert (quiz["earned_charges"], quiz["earned_share"]) == ("1", "1.00")
        assert (quiz["paid_by_consumers"], quiz["tax"]) == ("3.00", "0.50")
        assert (logo["short_code"], logo["pending_share"]) == ("72100", "0.166667")
        assert (total["line"], total["short_code"], total["currency"]) == ("total", "", "EUR")
        assert (total["earned_share"], total["pending_share"]) == ("1.00", "0.166667")

    def test_says_what_is_not_recorded_and_never_0(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.project()
        for row in read(api.get(f"{MONTH}.csv", "finance").text):
            for state in ("declared", "collected", "payable"):
                assert row[f"{state}_share"] == row[f"{state}_charges"] == NOT_RECORDED

    def test_equals_the_statement_in_json(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.mo("LOGO", id="mo-2", to="72100")
        api.project()
        told = api.get(MONTH, "merchant").json()
        rows = read(api.get(f"{MONTH}.csv", "merchant").text)
        for row, one in zip(rows, [*told["lines"], *told["totals"]], strict=True):
            for state in ("pending", "unresolved", "released", "earned", "refunded", "written_off"):
                assert row[f"{state}_share"] == one["states"][state]["share"]["amount"]
                assert row[f"{state}_charges"] == str(one["states"][state]["charges"])

    def test_is_marked_with_its_position(self, api: Api) -> None:
        api.mo()
        api.project()
        answer = api.get(f"{MONTH}.csv", "merchant")
        assert answer.headers["Obole-Position"] == str(api.facts()[-1].position)
        assert "statement-ludotel-2026-07.csv" in answer.headers["Content-Disposition"]

    def test_of_a_month_without_charges_is_its_header(self, api: Api) -> None:
        api.project()
        assert read(api.get(f"{MONTH}.csv", "merchant").text) == []

    @pytest.mark.parametrize("month", ["2026-13", "2026-7", "0000-01", "x"])
    def test_of_an_impossible_month_is_a_problem(self, api: Api, month: str) -> None:
        answer = api.get(f"/merchants/ludotel/statements/{month}.csv", "finance")
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == ["month"]

    def test_of_an_unknown_or_another_merchant_is_none(self, api: Api) -> None:
        api.project()
        path = "/merchants/nobody/statements/2026-07.csv"
        assert api.get(path, "finance").status_code == 404
        assert api.get(path, "merchant").status_code == 403

    def test_shows_refunds_by_hand(self) -> None:
        # Two earned of 1.00 each; one of them given back, by the operator.
        position = Position(
            pending=Money(0, 0),
            unresolved=Money(0, 0),
            released=Money(0, 0),
            earned=Money(2, 2_000_000),
            price=6_000_000,
            tax=1_000_000,
            refunded=Money(1, 1_000_000),
            written_off=Money(0, 0),
        )
        line = Line("EUR", "81014", "20801", "quiz", position)
        whole = Statement("ludotel", date(2026, 7, 1), [line], {"EUR": position})
        one, total = read(statement_csv(whole))
        assert (one["earned_share"], one["refunded_share"]) == ("2.00", "1.00")
        assert (total["month"], total["refunded_charges"]) == ("2026-07", "1")


class TestCommand:
    """`obole statement`."""

    @pytest.fixture
    def trading(self, obole: Obole, database: TestDatabase) -> Obole:
        noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
        obole.trade(database, Sms("one", noon, delivered=True))
        obole("work", "--once", "--now", "2026-07-01T12:00:00Z")
        return obole

    def test_prints_csv(self, trading: Obole) -> None:
        done = trading("statement", "2026-07", "--merchant", "ludotel", "--csv")
        line, total = read(done.out)
        assert (line["earned_share"], total["earned_share"]) == ("1.00", "1.00")

    def test_prints_one_json_value(self, trading: Obole) -> None:
        body = trading("statement", "2026-07", "--merchant", "ludotel", "--json").json
        assert body["totals"][0]["states"]["earned"]["share"]["amount"] == "1.00"
        assert body["not_recorded"] == ["declared", "collected", "payable"]
        assert body["complete"]["position"] > 0

    def test_prints_a_table(self, trading: Obole) -> None:
        done = trading("statement", "2026-07", "--merchant", "ludotel")
        rows = [row.split() for row in done.out.splitlines()]
        zeros = ["0.00"] * 3
        assert ["81014", "20801", "quiz", *zeros, "1.00", "0.00", "0.00"] in rows
        assert "Not recorded yet" in done.out

    @pytest.mark.parametrize(
        ("arguments", "status", "named"),
        [
            (("2026-13", "--merchant", "ludotel"), 2, "MONTH"),
            (("2026-07", "--merchant", "ludotel", "--csv", "--json"), 2, "--csv"),
            (("2026-07",), 2, "--merchant"),
            (("2026-07", "--merchant", "nobody"), 1, "nobody"),
        ],
    )
    def test_names_what_is_wrong(
        self, trading: Obole, arguments: tuple[str, ...], status: int, named: str
    ) -> None:
        done = trading("statement", *arguments)
        assert (done.status, named in done.err, done.out) == (status, True, "")


def hostile(number: int) -> list[str]:
    """Make strings as an attacker would, the same ones each time."""
    draw = random.Random(20260801)  # noqa: S311 - the same strings each time, no secret
    blanks = (
        "",
        " ",
        "\t",
        "\u00a0",
        "\u200b",
        "\ufeff",
        "\r\n",
        '"',
        "'",
        ";",
        ",",
        "|",
        "x;",
        "x\t",
    )
    tails = ("1+1", "cmd|' /C calc'!A0", 'HYPERLINK("http://x")', "SUM(A1:A9)", "\x00", "é", "")
    return [
        "".join(draw.choice(blanks) for _ in range(draw.randrange(4)))
        + draw.choice(SIGNS)
        + draw.choice(tails)
        + draw.choice(("", '"', ";", "\n")) + draw.choice(SIGNS)
        + draw.choice(tails)
        for _ in range(number)
    ]  # fmt: skip


def formulas(text: str) -> list[str]:
    """Find what a spreadsheet would run, whichever sign it takes for the end of a cell."""
    found: list[str] = []
    for delimiter in DELIMITERS:
        for row in csv.reader(io.StringIO(text), delimiter=delimiter):
            found += (cell for cell in row if _runs(cell))
    return found


def _runs(cell: str) -> bool:
    seen = re.sub("^[\\s\u200b-\u200f\u2060\ufeff]+", "", cell)
    return seen.startswith(SIGNS) or cell.startswith(("\t", "\r", "\n"))


class TestSafe:
    """Whatever somebody wrote, no cell is a formula."""

    def test_holds_for_ten_thousand_hostile_strings(self) -> None:
        strings = hostile(10_000)
        text = "".join(csv_lines([one, "x", one] for one in strings))
        assert len(text.splitlines()) == len(strings)
        assert formulas(text) == []

    def test_is_needed(self) -> None:
        out = io.StringIO()
        csv.writer(out).writerows([one] for one in hostile(1_000))
        assert len(formulas(out.getvalue())) > 1_000

    @given(st.lists(st.text(), min_size=1, max_size=4))
    def test_holds_for_any_strings(self, cells: list[str]) -> None:
        text = "".join(csv_lines([cells]))
        assert formulas(text) == []
        (row,) = csv.reader(io.StringIO(text)) if text.strip() else ([""],)
        assert len(row) == len(cells)

    @pytest.mark.parametrize(
        "plain",
        ["", "81014", "1.00", "ludotel", "key:0123456789abcdef", "2026-07-01T12:00:00.000000Z",
         "1_0123", "Café; noir", "a-b", "a=b", "x+y@z"],
    )  # fmt: skip
    def test_leaves_what_is_harmless_as_it_is(self, plain: str) -> None:
        assert safe(plain) == plain

    @pytest.mark.parametrize(
        ("hostile", "shown"),
        [
            ("=1+1", "'=1+1"),
            ("-1.00", "'-1.00"),
            (" @SUM(A1)", " '@SUM(A1)"),
            ("\t=1", " '=1"),
            ("a;=1", "a;'=1"),
            ("+336", "'+336"),
        ],
    )
    def test_puts_an_apostrophe_before_the_sign(self, hostile: str, shown: str) -> None:
        assert safe(hostile) == shown

    def test_holds_in_the_table_of_an_export(self) -> None:
        rows = [stored(reason) for reason in hostile(500)]
        text = "".join(csv_lines([FACT_COLUMNS, *map(flat, rows)]))
        assert formulas(text) == []
        assert len(text.splitlines()) == 501


def stored(reason: str) -> StoredRow:
    """Store a fact whose reason somebody wrote freely."""
    now = datetime(2026, 7, 1, 12, tzinfo=UTC)
    fact = AccessRevoked(key="0" * 16, reason=reason, occurred_at=now)
    row = REGISTRY.encode(Draft(fact), Origin("fr", "=cmd"))
    return StoredRow("fr", 1, now, *row)
