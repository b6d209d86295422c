"""What time brings about: each list, twice, at once, after a restart, with the clock set back."""

import asyncio
from collections.abc import Generator
from datetime import timedelta
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from api.scheduler import LISTS, DueList, Turn, pushed, take_turn
from ledger.commands.pushing import Reply
from ledger.decisions.refusals import RulesOutdated
from ledger.facts.book import RulesAdopted
from ledger.facts.charges import ChargeCaptured, ChargeUnresolved
from ledger.facts.findings import FindingOpened
from ledger.facts.handover import MtCancelled, MtHandedOver, MtHandoverUnknown
from ledger.facts.notices import NoticeSent
from ledger.facts.solicitations import SolicitationExpired
from ledger.facts.subscriptions import SubscriptionRenewed
from ledger.facts.traffic import MtEmitted
from ledger.log.errors import ArchiveUnreadable, FactsMissing
from ledger.log.session import connect_async
from tests.support.api import GATEWAY, Api, serving
from tests.support.database import TestDatabase
from tests.support.subscribed_api import SubscribedApi, serving_subscriptions
from tests.support.turns import Smsbox, desk_of, restarted, turn, worked

WEEK = timedelta(weeks=1)
MINUTE = timedelta(minutes=1)
SILENT = Reply("unknown", "TimeoutError")


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    """Serve the French book of the demonstration."""
    with serving(database) as served:
        yield served


@pytest.fixture
def belgian(database: TestDatabase) -> Generator[SubscribedApi]:
    """Serve a Belgian book that sells subscriptions."""
    with serving_subscriptions(database) as served:
        yield served


def buy(api: Api, times: int = 2, sender: str = "+33612345678") -> None:
    """Let a consumer buy for 3.00 so often; the second time takes them over 5.00."""
    for number in range(times):
        answer = api.mo(f"JEU {number}", **{"id": f"{sender}-{number}", "from": sender})
        assert answer.status_code == 200, answer.text


def renewed(api: Api) -> int:
    """Count the renewals; the first cycle began with the start."""
    return len(api.facts(SubscriptionRenewed)) - 1


class TestRenewals:
    """Subscriptions whose cycle begins."""

    def test_are_charged_pushed_and_captured(self, belgian: SubscribedApi) -> None:
        belgian.subscribe()
        belgian.now += WEEK
        smsbox = Smsbox()
        assert worked(belgian, smsbox)[0]["renewals"] == 1
        (push,) = smsbox.pushed
        assert (push.gateway, push.smsc, push.address) == (GATEWAY, "proximus", "32470000001")
        told = {"mt": push.mt, "gateway": GATEWAY, "outcome": "delivered", "billed": "unknown"}
        receipt = belgian.post("/receipts", told)
        assert receipt.status_code == 200, receipt.text
        captured = belgian.facts(ChargeCaptured)[-1].fact
        emitted = next(one.fact for one in belgian.facts(MtEmitted) if one.fact.ref.mt == push.mt)
        assert (captured.mt, captured.ref.charge) == (push.mt, emitted.ref.charge)

    def test_are_not_due_before(self, belgian: SubscribedApi) -> None:
        belgian.subscribe()
        belgian.now += WEEK - timedelta(microseconds=1)
        worked(belgian)
        assert renewed(belgian) == 0

    def test_happen_once_while_the_list_is_behind(self, belgian: SubscribedApi) -> None:
        belgian.subscribe()
        belgian.now += WEEK
        belgian.project()
        assert turn(belgian)["renewals"] == 1
        assert "renewals" not in turn(belgian)
        assert renewed(belgian) == 1

    def test_happen_once_beside_another_worker(self, belgian: SubscribedApi) -> None:
        for number in range(5):
            belgian.subscribe(sender=f"3247000001{number}")
        belgian.now += WEEK
        belgian.project()

        async def together() -> list[dict[str, int]]:
            turns = [_turn(belgian) for _ in range(3)]
            return await asyncio.gather(*turns)

        done = belgian.portal.call(together)
        assert sum(one["renewals"] for one in done) == 5
        assert len(belgian.facts(SubscriptionRenewed)) == 10

    def test_go_on_after_a_restart(self, belgian: SubscribedApi) -> None:
        belgian.subscribe()
        belgian.now += WEEK
        belgian.project()
        assert turn(belgian, desk=restarted(belgian))["renewals"] == 1
        assert "renewals" not in turn(belgian, desk=restarted(belgian))

    def test_are_not_doubled_when_the_clock_goes_back(self, belgian: SubscribedApi) -> None:
        belgian.subscribe()
        belgian.now += WEEK
        worked(belgian)
        belgian.now -= WEEK
        worked(belgian)
        belgian.now += WEEK
        worked(belgian)
        assert renewed(belgian) == 1


class TestUnresolved:
    """Charges that nobody answers for."""

    def test_become_so_once(self, api: Api) -> None:
        buy(api, times=1)
        api.now += timedelta(hours=72)
        assert worked(api) == [{"unresolved": 1}]
        api.now -= timedelta(hours=72)
        assert worked(api) == []
        assert len(api.facts(ChargeUnresolved)) == 1


class TestExpired:
    """Allowances to solicit that nobody uses."""

    def test_run_out_once(self, api: Api) -> None:
        paid = api.mo()
        api.receipt(paid, 1)
        asked = api.post(
            "/solicitations",
            {
                "id": "s-1",
                "gateway": GATEWAY,
                "smsc": "orange-fr",
                "sender": "+33612345678",
                "service": "quiz",
                "short_code": "81014",
            },
        )
        assert asked.status_code == 200, asked.text
        assert asked.json()["allowed"] is True
        api.now += timedelta(days=1)
        assert {"expired": 1} in worked(api)
        assert worked(api) == []
        assert len(api.facts(SolicitationExpired)) == 1


class TestNotices:
    """Notices that fell due with a charge."""

    def test_are_sent_and_then_pushed(self, api: Api) -> None:
        buy(api)
        smsbox = Smsbox()
        assert worked(api, smsbox) == [{"notices": 1}, {"pushed": 1}]
        (push,) = smsbox.pushed
        assert (push.address, push.billing_code) == ("+33612345678", "FREE")
        assert len(api.facts(NoticeSent)) == len(api.facts(MtHandedOver)) == 1

    def test_are_sent_once_while_the_list_is_behind(self, api: Api) -> None:
        buy(api)
        api.project()
        assert turn(api) == {"notices": 1}
        assert turn(api) == {}

    def test_come_page_by_page(self, api: Api) -> None:
        for number in range(5):
            buy(api, sender=f"+3361234567{number}")
        api.project()
        with patch("api.scheduler.PAGE", 2):
            assert turn(api) == {"notices": 5}


class TestPushed:
    """Messages on their way to a gateway."""

    def test_wait_where_nobody_said_how(self, api: Api) -> None:
        buy(api)
        assert worked(api) == [{"notices": 1}]
        told = api.get("/outbox", "finance").json()
        assert told["states"] == {"waiting": 1, "written": 1}

    def test_are_handed_over_once_while_the_list_is_behind(self, api: Api) -> None:
        buy(api)
        worked(api)
        smsbox = Smsbox()
        assert turn(api, smsbox) == {"pushed": 1}
        assert turn(api, smsbox, desk=restarted(api)) == {}
        assert len(smsbox.pushed) == 1

    def test_are_handed_over_once_beside_another_worker(self, api: Api) -> None:
        for number in range(4):
            buy(api, sender=f"+3361234567{number}")
        worked(api)
        smsbox = Smsbox()

        async def together() -> list[dict[str, int]]:
            return await asyncio.gather(*(_turn(api, smsbox) for _ in range(3)))

        api.portal.call(together)
        assert len(smsbox.pushed) == len({one.mt for one in smsbox.pushed}) == 4

    def test_are_asked_for_again_after_their_pause(self, api: Api) -> None:
        buy(api)
        smsbox = Smsbox(Reply("refused", "403"))
        assert worked(api, smsbox)[-1] == {"pushed": 1}
        api.now += MINUTE
        assert worked(api, smsbox) == [{"pushed": 1}]
        assert [one.attempt for one in smsbox.pushed] == [1, 2]

    def test_are_not_doubled_when_the_clock_goes_back(self, api: Api) -> None:
        buy(api)
        smsbox = Smsbox(SILENT)
        worked(api, smsbox)
        api.now -= timedelta(days=1)
        assert worked(api, smsbox) == []

    def test_leave_a_gateway_alone_that_keeps_silent(self, api: Api) -> None:
        for number in range(4):
            buy(api, sender=f"+3361234567{number}")
        worked(api)
        with patch("api.scheduler.AT_ONCE", 1):
            assert turn(api, Smsbox(SILENT)) == {"pushed": 1}
            assert turn(api, Smsbox(Reply("refused", "not connected: TimeoutError"))) == {
                "pushed": 1
            }
            assert turn(api, Smsbox(Reply("refused", "403"))) == {"pushed": 2}

    def test_go_on_where_one_of_them_fails(
        self, api: Api, caplog: pytest.LogCaptureFixture
    ) -> None:
        for number in range(2):
            buy(api, sender=f"+3361234567{number}")
        worked(api)
        assert turn(api, Smsbox(ZeroDivisionError("a bug of ours"))) == {}
        assert caplog.text.count("cannot be worked") == 2
        # Both were claimed: what became of them is unknown, so neither goes out again.
        assert len(api.facts(MtHandoverUnknown)) == 2
        api.now += timedelta(hours=4)
        assert worked(api, Smsbox()) == []

    def test_end_when_the_worker_is_to_stop(self, api: Api) -> None:
        buy(api)
        worked(api)
        smsbox = Smsbox()

        async def stopping() -> int:
            stop = asyncio.Event()
            stop.set()
            async with await connect_async(api.database.app_url) as connection:
                desk = desk_of(api)
                return await pushed(Turn(connection, desk, api.clock, smsbox.gateways, stop))

        assert api.portal.call(stopping) == 0
        assert smsbox.pushed == []

    def test_are_called_back_by_a_stop(self, api: Api) -> None:
        buy(api)
        worked(api)
        api.mo("STOP", id="stop")
        smsbox = Smsbox()
        api.project()
        turn(api, smsbox)
        assert smsbox.pushed == []
        assert [one.fact.reason for one in api.facts(MtCancelled)] == ["opted_out"]


class TestInDoubt:
    """Charged messages that may or may not have reached their gateway."""

    def test_become_a_finding_once_and_are_not_sent_again(self, belgian: SubscribedApi) -> None:
        belgian.subscribe()
        belgian.now += WEEK
        smsbox = Smsbox(SILENT)
        worked(belgian, smsbox)
        assert belgian.facts(FindingOpened) == []
        belgian.now += 10 * MINUTE
        assert worked(belgian, smsbox) == [{"in_doubt": 1}]
        assert worked(belgian, smsbox) == []
        assert len(smsbox.pushed) == 1
        (finding,) = belgian.facts(FindingOpened)
        assert (finding.fact.kind, finding.fact.mt) == ("handover_unknown", smsbox.pushed[0].mt)


class TestTurn:
    """One turn through all lists."""

    @pytest.mark.parametrize(
        "fault",
        [ZeroDivisionError("a bug of ours"), ArchiveUnreadable("a file"), FactsMissing("some")],
        ids=lambda fault: type(fault).__name__,
    )
    def test_goes_on_where_a_list_fails(
        self, api: Api, caplog: pytest.LogCaptureFixture, fault: Exception
    ) -> None:
        async def broken(_: Turn) -> int:
            raise fault

        buy(api)
        api.project()
        assert turn(api, lists=[DueList("broken", broken), *LISTS]) == {"notices": 1}
        assert "the list of broken cannot be worked" in caplog.text

    def test_does_nothing_before_anything_is_projected(self, api: Api) -> None:
        buy(api)
        assert turn(api) == {}

    def test_decides_nothing_by_other_rules_than_the_books(self, api: Api) -> None:
        adopted = api.only(RulesAdopted)
        api.record([replace(adopted, settings_sha256="0" * 64)])
        with pytest.raises(RulesOutdated):
            turn(api)


async def _turn(api: Api, smsbox: Smsbox | None = None) -> dict[str, int]:
    """Take a turn as a process of its own does."""
    async with await connect_async(api.database.app_url) as connection:
        gateways = smsbox.gateways if smsbox else {}
        return await take_turn(Turn(connection, restarted(api), api.clock, gateways))
