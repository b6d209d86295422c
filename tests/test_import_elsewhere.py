"""A file of exchanges that another platform decided: in the book, in its lists and its money."""

from pathlib import Path
from typing import Any

import pytest

from ledger.log.session import connect
from projections.engine import Engine
from projections.findings import read as findings
from projections.known import PROJECTIONS
from projections.reading import answer
from projections.rebuild import compare
from tests.support.database import TestDatabase
from tests.support.importing import Importing, at, message, ndjson, receipt

MATCH = {"keyword": "JEU", "merchant": "ludotel", "service": "quiz"}
PAID = {"price": {"amount": "3.00", "currency": "EUR"}, "state": "captured"}


def exchange(n: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of every type
    """Tell of a message that bought the quiz for 3.00 and was answered."""
    delivered = {"outcome": "delivered", "occurred_at": at(n + 5)}
    told = {"match": MATCH, "mt": {"text": "Merci"}, "charges": [PAID], "receipts": [delivered]}
    given = {**message(n, kind="exchange"), **told, **fields}
    return {name: value for name, value in given.items() if value is not None}


TAXED = {**PAID, "category": "content"}
FILE = [
    exchange(1),
    exchange(2, charges=[PAID, PAID]),
    exchange(3, match=None, unmatched="unknown_keyword", charges=[TAXED]),
    exchange(4, text="STOP", match=None, stopped=True, charges=[TAXED]),
    exchange(5, charges=[{**PAID, "price": {"amount": "2.00", "currency": "EUR"}}]),
    exchange(6, match={**MATCH, "merchant": "nobody"}, charges=[TAXED]),
    exchange(7, charges=[{**PAID, "state": "released"}], receipts=[]),
    exchange(8, charges=[{**PAID, "state": "authorized"}], receipts=[]),
    receipt(8),
    exchange(9, charges=[{**PAID, "price": {"amount": "3.00", "currency": "USD"}}]),
    receipt(10),
    exchange(10, charges=[{**PAID, "state": "authorized"}], receipts=[]),
    exchange(11, charges=[{**PAID, "state": "released"}, PAID], receipts=[]),
    receipt(11, billed="yes"),
    exchange(
        12,
        match=None,
        unmatched="unknown_keyword",
        charges=[{**TAXED, "state": "authorized"}],
        receipts=[],
    ),
    receipt(12),
    exchange(1),
]


@pytest.fixture
def importing(database: TestDatabase, tmp_path: Path) -> Importing:
    return Importing(database, tmp_path)


class TestExchanges:
    """All that may be told of them, in one file."""

    def test_are_taken_and_found_through_every_projection(self, importing: Importing) -> None:
        told = importing.obole("import", str(importing.file(ndjson(FILE))), "--json").json
        assert (told["recorded"], told["repeated"], told["rejected"]) == (16, 1, 0)
        with connect(importing.database.app_url) as connection:
            engine = Engine(connection, "fr")
            engine.catch_up()
            assert [one.projection for one in engine.status() if one.parked_at] == []
            kinds = answer(connection, "fr", findings.by_kind()).value
            assert {one.kind: one.open for one in kinds} == {
                "billed_twice": 1,
                "captured_without_receipt": 1,
                "charged_unmatched": 2,
                "charged_after_stop": 1,
                "price_not_in_force": 1,
                "sold_unknown": 1,
                "leg_not_booked": 1,
            }
            differing = {one.name: compare(connection, "fr", one) for one in PROJECTIONS}
        assert {name: found for name, found in differing.items() if found} == {}

    def test_are_in_the_money_as_they_were_billed(self, importing: Importing) -> None:
        importing.obole("import", str(importing.file(ndjson(FILE))))
        with connect(importing.database.app_url) as connection:
            Engine(connection, "fr").catch_up()
            rows = connection.execute(
                "SELECT account, party, sum(credit - debit) FROM balances"
                " GROUP BY account, party HAVING sum(credit - debit) <> 0"
            )
            found = {(account, party): int(micros) for account, party, micros in rows}
        # Ludotel earns of 1, 2, 8, 10 and 11, 1.00 each, and of 5 two thirds of that. Nobody earns
        # the second charge of 2, nor 3, 4, 6 and 12: of each the operator owes 1.25.
        assert found["merchant_accrued", "ludotel"] == 5_666_667
        assert found["unattributed", "20801"] == 6_250_000
        assert sum(found.values()) == 0

    def test_by_several_processes_are_the_same(self, importing: Importing) -> None:
        path = str(importing.file(ndjson(FILE)))
        importing.obole.run("import", path, "--processes", "2")
        before = importing.told()
        assert importing.obole("import", path, "--json").json["recorded"] == 0
        assert importing.told() == before
