"""`obole subscriptions`: a merchant's list, and ending one."""

import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from ledger.facts.charges import ChargeAuthorized
from ledger.facts.subscriptions import SubscriptionStopped
from tests.support.api import BOOK
from tests.support.cli import ROOT, Obole, obole_at
from tests.support.database import TestDatabase
from tests.support.subscribed_api import SubscribedApi, serving_subscriptions

SETTINGS = ROOT / "settings/be.toml"


@pytest.fixture
def api(database: TestDatabase) -> Generator[SubscribedApi]:
    with serving_subscriptions(database) as served:
        yield served


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    """Give the program, to which the served book's settings are known."""
    settings = tmp_path / "settings"
    settings.mkdir()
    shutil.copy(SETTINGS, settings / f"{BOOK}.toml")
    return obole_at(database, tmp_path, OBOLE_SETTINGS=str(settings))


class TestList:
    """What a merchant's consumers subscribed to."""

    def test_shows_each_with_its_state_price_and_charge(
        self, api: SubscribedApi, obole: Obole
    ) -> None:
        name = api.subscribe()
        api.project()
        done = obole("subscriptions", "list", "ludobel")
        assert done.status == 0, done.err
        for told in (name, "horo", "live", "2.00 EUR", "1 week", "2026-07-22", "authorized"):
            assert told in done.out
        (made,) = api.facts(ChargeAuthorized)
        assert made.fact.ref.consumer not in done.out

    def test_is_one_value_for_a_program(self, api: SubscribedApi, obole: Obole) -> None:
        first, second = api.subscribe("HORO"), api.subscribe("METEO")
        api.project()
        page = obole("subscriptions", "list", "ludobel", "--limit", "1", "--json").json
        assert [one["subscription"] for one in page["subscriptions"]] == [second]
        assert page["position"] == api.facts()[-1].position
        more = ("--before", str(page["next"]), "--json")
        rest = obole("subscriptions", "list", "ludobel", *more).json
        assert [one["subscription"] for one in rest["subscriptions"]] == [first]

    def test_says_where_there_is_more_and_where_there_is_none(
        self, api: SubscribedApi, obole: Obole
    ) -> None:
        api.subscribe("HORO")
        api.subscribe("METEO")
        api.project()
        assert "--before" in obole("subscriptions", "list", "ludobel", "--limit", "1").out
        none = obole("subscriptions", "list", "ludobel", "--state", "stopped")
        assert "ludobel has no such subscription" in none.out


class TestStop:
    """Ending one."""

    def test_is_recorded_once(self, api: SubscribedApi, obole: Obole) -> None:
        name = api.subscribe()
        stop = ("subscriptions", "stop", name, "--reason", "no proof", "--by", "regulator")
        done = obole(*stop)
        assert (done.status, done.out.strip()) == (0, f"{name} is stopped"), done.err
        assert "already" in obole(*stop).out
        (stopped,) = api.facts(SubscriptionStopped)
        assert (stopped.fact.by, stopped.fact.reason) == ("regulator", "no proof")

    def test_for_a_reason_that_tells_a_number_is_refused(
        self, api: SubscribedApi, obole: Obole
    ) -> None:
        name = api.subscribe()
        done = obole("subscriptions", "stop", name, "--reason", "call 0470 00 00 01")
        assert done.status == 2
        assert not api.facts(SubscriptionStopped)

    def test_of_none_is_refused(self, api: SubscribedApi, obole: Obole) -> None:
        api.subscribe()
        done = obole("subscriptions", "stop", "0" * 32, "--reason", "x")
        assert (done.status, done.out) == (1, "")
        assert "no subscription" in done.err
