"""Findings over HTTP: the list, what it comes to, and closing one."""

from collections.abc import Generator

import msgspec
import pytest

from ledger.decisions import finding
from ledger.facts.charges import ChargeCaptured
from ledger.facts.findings import FindingClosed, FindingOpened
from ledger.words import derived_id
from tests.support.api import BOOK, Api, serving
from tests.support.database import TestDatabase

CLOSING = {"how": "no_fault", "note": "it was sold after all"}


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        served.receipt(served.mo(), 1)
        yield served


def billed(api: Api, name: str, kind: str = "unattributed") -> FindingOpened:
    """Let Orange bill 3.00 for what nobody sold, and find it."""
    sold = api.facts(ChargeCaptured)[0].fact
    assert isinstance(sold, ChargeCaptured)
    nobody = {"merchant": None, "service": None, "merchant_contract": None}
    ref = msgspec.structs.replace(sold.ref, charge=derived_id(name), **nobody)
    about = finding.about_charge(ref, 3_000_000, "EUR")
    opened = finding.opened(BOOK, kind, ref.charge, about, api.now)
    api.record([msgspec.structs.replace(sold, ref=ref, was="unauthorized"), opened])
    return opened


class TestList:
    """GET /findings."""

    @pytest.mark.parametrize("role", ["finance", "regulator", "admin"])
    def test_tells_what_each_is_about(self, api: Api, role: str) -> None:
        opened = billed(api, "a")
        api.project()
        (told,) = api.get("/findings", role).json()["findings"]
        assert (told["finding"], told["kind"], told["state"]) == (
            opened.finding,
            "unattributed",
            "open",
        )
        assert told["amount"] == {"amount": "3.00", "currency": "EUR"}
        assert (told["charge"], told["merchant"], told["closed"]) == (opened.charge, None, None)
        assert api.get(f"/findings/{opened.finding}", role).json() == told

    def test_comes_page_by_page_each_once(self, api: Api) -> None:
        wanted = [billed(api, name).finding for name in ("a", "b", "c")]
        api.project()
        first = api.get("/findings", "finance", limit=2).json()
        billed(api, "d")
        api.project()
        second = api.get("/findings", "finance", limit=2, cursor=first["next"]).json()
        seen = [one["finding"] for one in (*first["findings"], *second["findings"])]
        assert (seen, second["next"]) == (wanted[::-1], None)

    def test_is_of_one_kind_or_state(self, api: Api) -> None:
        one, other = billed(api, "a"), billed(api, "b", "billed_twice")
        api.post(f"/findings/{one.finding}/close", CLOSING, "finance")
        api.project()

        def listed(**wanted: str) -> list[str]:
            told = api.get("/findings", "finance", **wanted).json()["findings"]
            return [found["finding"] for found in told]

        assert listed(state="open") == listed(kind="billed_twice") == [other.finding]
        assert listed(state="closed") == listed(kind="unattributed") == [one.finding]

    @pytest.mark.parametrize("query", ["kind=other", "state=lost", "cursor=0", "limit=501"])
    def test_of_what_cannot_be_names_the_field(self, api: Api, query: str) -> None:
        name, _, value = query.partition("=")
        answer = api.get("/findings", "finance", **{name: value})
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [name]

    def test_that_is_not_there_is_not_found(self, api: Api) -> None:
        api.project()
        answer = api.get(f"/findings/{'f' * 32}", "finance")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-finding")


class TestKinds:
    """GET /findings/kinds."""

    def test_counts_and_sums_up(self, api: Api) -> None:
        # Three times 3.00 that nobody sold, of which one was looked at.
        for name in ("a", "b", "c"):
            opened = billed(api, name)
        api.post(f"/findings/{opened.finding}/close", CLOSING, "finance")
        api.project()
        (told,) = api.get("/findings/kinds", "regulator").json()["kinds"]
        assert told == {
            "kind": "unattributed",
            "open": {"findings": 2, "amount": {"amount": "6.00", "currency": "EUR"}},
            "closed": {"findings": 1, "amount": {"amount": "3.00", "currency": "EUR"}},
        }


class TestClose:
    """POST /findings/{finding}/close."""

    def test_happens_once(self, api: Api) -> None:
        opened = billed(api, "a")
        first = api.post(f"/findings/{opened.finding}/close", CLOSING, "finance")
        assert first.status_code == 200
        told = first.json()
        assert (told["closed"]["how"], told["closed"]["note"]) == ("no_fault", CLOSING["note"])
        again = api.post(f"/findings/{opened.finding}/close", CLOSING, "admin").json()
        assert again == {**told, "repeated": True}
        other = {**CLOSING, "how": "resolved"}
        answer = api.post(f"/findings/{opened.finding}/close", other, "finance")
        assert (answer.status_code, answer.json()["type"]) == (
            409,
            "/problems/finding-already-closed",
        )
        assert len(api.facts(FindingClosed)) == 1

    def test_by_a_refund_is_shown_with_it(self, api: Api) -> None:
        opened = billed(api, "a")
        body = {"id": "r-1", "by": "operator", "channel": "bill", "reason": "nobody sold it"}
        made = api.post(f"/charges/{opened.charge}/refunds", body, "finance").json()
        assert made["closed"] == [opened.finding]
        api.project()
        closed = api.get(f"/findings/{opened.finding}", "finance").json()["closed"]
        assert (closed["how"], closed["refund"]) == ("refunded", made["refund"])

    def test_of_one_that_is_not_there_is_not_found(self, api: Api) -> None:
        answer = api.post(f"/findings/{'f' * 32}/close", CLOSING, "finance")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-finding")

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"how": "refunded"}, "how"),
            ({"note": " "}, "note"),
            ({"note": "\x00x"}, "note"),
            ({"note": "call 0470 00 00 01"}, "note"),
        ],
    )
    def test_that_is_not_understood_names_the_field(
        self, api: Api, changed: dict[str, str], field: str
    ) -> None:
        answer = api.post(f"/findings/{'f' * 32}/close", {**CLOSING, **changed}, "finance")
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [field]
