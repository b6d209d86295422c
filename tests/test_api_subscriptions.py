"""Subscriptions over HTTP: listed without their consumers, ended once, renewed when due."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest

from ledger.facts.charges import ChargeAuthorized
from ledger.facts.subscriptions import RenewalRefused, SubscriptionRenewed, SubscriptionStopped
from tests.support.api import START
from tests.support.database import TestDatabase
from tests.support.subscribed_api import MERCHANT, SubscribedApi, serving_subscriptions

LIST = f"/merchants/{MERCHANT}/subscriptions"
WEEK = timedelta(weeks=1)


@pytest.fixture
def api(database: TestDatabase) -> Generator[SubscribedApi]:
    with serving_subscriptions(database) as served:
        yield served


def listed(api: SubscribedApi, role: str = "merchant", **params: str | int) -> dict[str, Any]:
    """Read the merchant's list once it is projected."""
    api.project()
    answer = api.get(LIST, role, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestList:
    """A merchant's subscriptions."""

    def test_shows_terms_cycle_and_charge(self, api: SubscribedApi) -> None:
        name = api.subscribe()
        (one,) = listed(api)["subscriptions"]
        assert (one["subscription"], one["state"], one["service"]) == (name, "live", "horo")
        assert one["price"] == {"amount": "2.00", "currency": "EUR"}
        assert one["every"] == {"n": 1, "unit": "week"}
        assert (one["cycle_number"], one["cycle"]) == (0, "2026-07-15")
        assert one["next_due_at"] == "2026-07-22T10:00:00Z"
        assert (one["last_charge"]["state"], one["last_charge"]["attempts"]) == ("authorized", 1)

    def test_never_shows_whose_they_are(self, api: SubscribedApi) -> None:
        api.subscribe()
        (made,) = api.facts(ChargeAuthorized)
        api.project()
        for role in ("merchant", "admin"):
            assert made.fact.ref.consumer not in api.get(LIST, role).text

    def test_comes_page_by_page(self, api: SubscribedApi) -> None:
        first, second = api.subscribe("HORO"), api.subscribe("METEO")
        page = listed(api, limit=1)
        assert [one["subscription"] for one in page["subscriptions"]] == [second]
        rest = listed(api, limit=1, cursor=page["next"])
        assert [one["subscription"] for one in rest["subscriptions"]] == [first]
        assert rest["next"] is None

    def test_may_be_of_one_state(self, api: SubscribedApi) -> None:
        api.subscribe("HORO")
        api.write("METEO")
        (one,) = listed(api, state="requested")["subscriptions"]
        assert (one["service"], one["last_charge"], one["next_due_at"]) == ("meteo", None, None)

    def test_carries_its_watermark(self, api: SubscribedApi) -> None:
        api.subscribe()
        api.project()
        headers = api.get(LIST, "merchant").headers
        assert int(headers["Obole-Position"]) == api.facts()[-1].position

    @pytest.mark.parametrize(
        ("path", "role", "status"),
        [
            (LIST, "gateway", 403),
            ("/merchants/other/subscriptions", "merchant", 403),
            ("/merchants/other/subscriptions", "finance", 404),
        ],
    )
    def test_is_refused(self, api: SubscribedApi, path: str, role: str, status: int) -> None:
        api.project()
        assert api.get(path, role).status_code == status

    @pytest.mark.parametrize("wrong", [{"state": "ended"}, {"limit": 501}, {"cursor": 0}])
    def test_names_a_parameter_that_is_wrong(
        self, api: SubscribedApi, wrong: dict[str, str | int]
    ) -> None:
        answer = api.get(LIST, "merchant", **wrong)
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == list(wrong)


class TestOne:
    """Where a single subscription stands."""

    @pytest.mark.parametrize("role", ["finance", "regulator", "admin"])
    def test_names_its_consumer(self, api: SubscribedApi, role: str) -> None:
        name = api.subscribe()
        api.project()
        (made,) = api.facts(ChargeAuthorized)
        told = api.get(f"/subscriptions/{name}", role).json()
        assert (told["subscription"], told["consumer"]) == (name, made.fact.ref.consumer)

    def test_is_not_for_merchants(self, api: SubscribedApi) -> None:
        assert api.get(f"/subscriptions/{'0' * 32}", "merchant").status_code == 403

    def test_that_is_not_there_is_told_so(self, api: SubscribedApi) -> None:
        api.project()
        answer = api.get(f"/subscriptions/{'0' * 32}", "admin")
        assert (answer.status_code, answer.json()["type"]) == (
            404,
            "/problems/unknown-subscription",
        )


class TestProof:
    """What proves that somebody subscribed."""

    def test_is_shown_with_its_exchange_to_who_may_see_it(self, api: SubscribedApi) -> None:
        offered = api.write("HORO")
        answer = api.write("OK")
        path = f"/exchanges/{answer['mo']}"
        told = api.get(path, "regulator", content=True).json()["facts"]
        (started,) = [one for one in told if "subscription_started" in str(one)]
        assert offered["text"] == "Horo: 2.00 EUR per 1 week. OK naar 9014"
        assert offered["text"] in str(started)


class TestStop:
    """Ending a subscription."""

    def test_by_its_merchant_is_recorded_with_its_reason(self, api: SubscribedApi) -> None:
        name = api.subscribe()
        told = api.post(f"{LIST}/{name}/stop", {"reason": "closing down"}, "merchant").json()
        assert (told["by"], told["reason"], told["repeated"]) == ("merchant", "closing down", False)
        assert told["watermark"]["position"] == api.facts(SubscriptionStopped)[0].position
        (one,) = listed(api)["subscriptions"]
        assert (one["state"], one["stopped_by"], one["next_due_at"]) == (
            "stopped",
            "merchant",
            None,
        )

    @pytest.mark.parametrize("role", ["regulator", "admin"])
    def test_by_a_regulator_is_its_word(self, api: SubscribedApi, role: str) -> None:
        name = api.subscribe()
        told = api.post(f"/subscriptions/{name}/stop", {"reason": "no proof"}, role).json()
        assert told["by"] == "regulator"

    def test_again_tells_how_it_ended_the_first_time(self, api: SubscribedApi) -> None:
        name = api.subscribe()
        api.post(f"{LIST}/{name}/stop", {"reason": "closing down"}, "merchant")
        told = api.post(f"/subscriptions/{name}/stop", {"reason": "no proof"}, "regulator").json()
        assert (told["by"], told["reason"], told["repeated"]) == ("merchant", "closing down", True)
        assert len(api.facts(SubscriptionStopped)) == 1

    def test_of_another_merchants_is_told_as_none(self, api: SubscribedApi) -> None:
        name = api.subscribe()
        path = f"/merchants/other/subscriptions/{name}/stop"
        answer = api.post(path, {"reason": "x"}, "admin")
        assert (answer.status_code, answer.json()["type"]) == (
            404,
            "/problems/unknown-subscription",
        )
        assert not api.facts(SubscriptionStopped)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "reason"),
            ({"reason": ""}, "reason"),
            ({"reason": "  "}, "reason"),
            ({"reason": "call 0470 00 00 01"}, "reason"),
            ({"reason": 7}, "reason"),
            ({"reason": "x", "by": "me"}, "by"),
        ],
    )
    def test_names_what_is_wrong(
        self, api: SubscribedApi, body: dict[str, Any], field: str
    ) -> None:
        answer = api.post(f"/subscriptions/{'0' * 32}/stop", body, "admin")
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [field]

    @pytest.mark.parametrize("role", ["merchant", "finance", "gateway"])
    def test_is_not_for_everybody(self, api: SubscribedApi, role: str) -> None:
        answer = api.post(f"/subscriptions/{'0' * 32}/stop", {"reason": "x"}, role)
        assert answer.status_code == 403


class TestRenewal:
    """Asking for what is due."""

    def test_charges_what_is_due(self, api: SubscribedApi) -> None:
        name = api.subscribe()
        api.now = START + WEEK
        told = api.post(f"/subscriptions/{name}/renewals", {"request": "r-1"}, "finance").json()
        assert (told["outcome"], told["cycle"], told["repeated"]) == (
            "charged",
            "2026-07-22",
            False,
        )
        assert told["charge"] == api.facts(ChargeAuthorized)[-1].fact.ref.charge

    def test_again_is_answered_alike(self, api: SubscribedApi) -> None:
        name = api.subscribe()
        api.now = START + WEEK
        path = f"/subscriptions/{name}/renewals"
        first, again = (api.post(path, {"request": "r-1"}, "finance").json() for _ in range(2))
        assert again["repeated"]
        assert (again["outcome"], again["charge"]) == (first["outcome"], first["charge"])
        assert len(api.facts(SubscriptionRenewed)) == 2

    def test_of_what_is_not_due_is_refused_and_kept(self, api: SubscribedApi) -> None:
        name = api.subscribe()
        answer = api.post(f"/subscriptions/{name}/renewals", {"request": "r-1"}, "admin")
        told = answer.json()
        assert (answer.status_code, told["type"]) == (409, "/problems/renewal-not-due")
        assert (told["rule"], told["due_at"]) == ("renewed_already", "2026-07-22T10:00:00+00:00")
        assert told["position"] == api.facts(RenewalRefused)[0].position

    def test_of_what_was_stopped_is_refused(self, api: SubscribedApi) -> None:
        name = api.subscribe()
        api.write("STOP")
        answer = api.post(f"/subscriptions/{name}/renewals", {"request": "r-1"}, "admin")
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/subscription-ended")

    def test_of_none_is_told_so(self, api: SubscribedApi) -> None:
        answer = api.post(f"/subscriptions/{'0' * 32}/renewals", {"request": "r-1"}, "admin")
        assert answer.status_code == 404

    @pytest.mark.parametrize("role", ["merchant", "regulator", "gateway"])
    def test_is_not_for_everybody(self, api: SubscribedApi, role: str) -> None:
        answer = api.post(f"/subscriptions/{'0' * 32}/renewals", {"request": "r"}, role)
        assert answer.status_code == 403
