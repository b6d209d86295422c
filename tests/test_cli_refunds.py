"""`obole refund`, `write-off` and `findings`: what they print, and what they refuse.

Of 3.00 EUR through Orange: tax 0.50; net 2.50, of which Orange owes half, 1.25.
"""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from ledger.decisions import finding
from ledger.facts.base import Draft
from ledger.facts.charges import ChargeCaptured
from ledger.facts.registry import REGISTRY
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from ledger.words import derived_id
from tests.support.cli import ORIGIN, Obole, Sms, obole_at
from tests.support.database import TestDatabase

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
WHY = ("--reason", "never asked for")


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    """Sell something of 3.00 that is delivered, and let Orange bill as much that nobody sold."""
    found = obole_at(database, tmp_path)
    found.trade(database, Sms("a", NOON, delivered=True))
    with connect(database.app_url) as connection:
        log = PostgresLog(connection, "fr")
        facts = [REGISTRY.decode(row).fact for row in log.follow(0, 1_000)]
        (sold,) = [one for one in facts if isinstance(one, ChargeCaptured)]
        nobodys = msgspec.structs.replace(
            sold.ref,
            charge=derived_id("nobody"),
            merchant=None,
            service=None,
            merchant_contract=None,
        )
        billed = msgspec.structs.replace(sold, ref=nobodys, was="unauthorized")
        about = finding.about_charge(nobodys, 3_000_000, "EUR")
        opened = finding.opened("fr", "unattributed", nobodys.charge, about, NOON)
        rows = [REGISTRY.encode(Draft(fact), ORIGIN) for fact in (billed, opened)]
        log.decide((), lambda _: rows)
    found("work", "--once")
    return found


@pytest.fixture
def charge(database: TestDatabase, obole: Obole) -> str:
    """Give the charge of what was sold."""
    assert obole
    with connect(database.app_url) as connection:
        rows = PostgresLog(connection, "fr").follow(0, 1_000)
    facts = [REGISTRY.decode(row).fact for row in rows]
    return next(one.ref.charge for one in facts if isinstance(one, ChargeCaptured))


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


class TestRefund:
    """`obole refund`."""

    def test_by_the_operator_gives_back_the_whole_price(self, obole: Obole, charge: str) -> None:
        done = obole("refund", charge, "--id", "r-1", "--by", "operator", *WHY)
        assert (done.status, done.err) == (0, "")
        assert done.out == f"3.00 EUR of {charge} are given back\n"
        again = obole("refund", charge, "--id", "r-1", "--by", "operator", *WHY)
        assert again.out == f"3.00 EUR of {charge} are given back already, nothing was recorded\n"

    def test_by_us_gives_back_what_it_says(self, obole: Obole, charge: str) -> None:
        how = ("--by", "aggregator", "--channel", "transfer", "--amount", "0.05")
        told = obole("refund", charge, "--id", "r-1", *how, *WHY, "--json").json
        assert (told["charge"], told["amount"], told["borne_by"]) == (
            charge,
            eur("0.05"),
            "aggregator",
        )
        assert (told["closed"], told["repeated"]) == ([], False)

    def test_that_a_rule_forbids_is_told_with_what_is_left(self, obole: Obole, charge: str) -> None:
        how = ("--by", "aggregator", "--channel", "voucher", "--amount", "3.01")
        done = obole("refund", charge, "--id", "r-1", *how, *WHY)
        assert (done.status, done.out) == (1, "")
        assert done.err == "obole: above what is left: 3.00 EUR could still be given back\n"

    def test_that_cannot_be_meant_is_wrong_usage(self, obole: Obole, charge: str) -> None:
        direct = ("--by", "aggregator", "--channel", "transfer")
        for how in (
            ("--by", "operator", "--channel", "transfer"),
            ("--by", "aggregator", "--channel", "bill", "--amount", "1.00"),
            direct,
            (*direct, "--amount", "-1.00"),
            (*direct, "--amount", "0.00"),
            (*direct, "--amount", "1e3"),
            ("--by", "operator", "--finding", "x"),
            ("--by", "nobody"),
        ):
            assert obole("refund", charge, "--id", "r-1", *how, *WHY).status == 2, how

    def test_of_no_charge_or_for_no_reason_is_refused(self, obole: Obole, charge: str) -> None:
        by = ("--id", "r-1", "--by", "operator")
        assert obole("refund", "x", *by, *WHY).status == 2
        assert obole("refund", charge, *by, "--reason", " ").status == 2
        assert obole("refund", charge, *by, "--reason", "call 0470 00 00 01").status == 2
        unknown = obole("refund", "f" * 32, *by, *WHY)
        assert (unknown.status, "no charge" in unknown.err) == (1, True)


class TestWriteOff:
    """`obole write-off`."""

    def test_tells_what_the_operator_owed(self, obole: Obole, charge: str) -> None:
        why = ("--reason", "unpaid", "--note", "file of August")
        done = obole("write-off", charge, "--id", "w-1", *why)
        assert done.out == f"1.25 EUR for {charge} are written off\n"
        told = obole("write-off", charge, "--id", "w-1", *why, "--json").json
        assert (told["unpaid"], told["repeated"]) == (eur("1.25"), True)


class TestFindings:
    """`obole findings`."""

    def test_lists_them_and_what_they_come_to(self, obole: Obole) -> None:
        told = obole("findings", "list", "--json").json
        (found,) = told["findings"]
        assert (found["kind"], found["state"], found["amount"]) == (
            "unattributed",
            "open",
            eur("3.00"),
        )
        assert told["kinds"] == [
            {
                "kind": "unattributed",
                "open": {"findings": 1, "amount": eur("3.00")},
                "closed": {"findings": 0, "amount": eur("0.00")},
            }
        ]
        shown = obole("findings", "list").out
        (line,) = [line for line in shown.splitlines() if found["finding"] in line]
        assert line.split()[1:] == ["unattributed", "2026-07-01", "12:00", "3.00", "EUR", "81014"]

    def test_says_so_where_there_is_none(self, obole: Obole) -> None:
        assert "Nothing was found." in obole("findings", "list", "--state", "closed").out

    def test_is_closed_with_a_note_and_once(self, obole: Obole) -> None:
        (found,) = obole("findings", "list", "--json").json["findings"]
        name = found["finding"]
        said = ("--how", "no_fault", "--note", "it was sold after all")
        assert obole("findings", "close", name, *said).out == f"{name} is closed\n"
        told = obole("findings", "close", name, *said, "--json").json
        assert (told["how"], told["repeated"]) == ("no_fault", True)
        other = obole("findings", "close", name, "--how", "resolved", "--note", "x")
        assert (other.status, "was closed before" in other.err) == (1, True)
        obole("work", "--once")
        assert name in obole("findings", "list", "--state", "closed").out

    def test_is_closed_by_a_refund_of_what_nobody_sold(self, obole: Obole) -> None:
        (found,) = obole("findings", "list", "--json").json["findings"]
        by = ("--id", "r-1", "--by", "operator", *WHY)
        done = obole("refund", found["charge"], *by)
        assert f"finding {found['finding']} is closed by it\n" in done.out
