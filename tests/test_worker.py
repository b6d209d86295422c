"""The worker of all books: what is wrong with one of them stops no other."""

import asyncio
import threading
from http.server import BaseHTTPRequestHandler
from unittest.mock import patch

import pytest

from api.books import Books
from api.clock import system_clock
from api.gateways import Sendsms
from api.worker import Setup, work
from ledger.commands.traffic import receive_mo
from ledger.facts.base import Draft, Fact
from ledger.facts.handover import MtHandedOver, MtHandoverUnknown
from ledger.facts.notices import NoticeSent
from ledger.facts.registry import REGISTRY
from ledger.facts.tags import TRADE
from ledger.facts.traffic import MtEmitted
from ledger.keyring import Keyring
from ledger.log.postgres import PostgresLog
from ledger.log.rows import Interest, Row
from ledger.log.session import connect
from ledger.vault import FileMasterKey, MasterKey, MasterKeyMissing
from projections.reading import Watermark, wait_for
from tests.support.book import FRENCH, ORIGIN
from tests.support.builders import NOON, catalogue, mo
from tests.support.database import TestDatabase
from tests.support.sendsms import answering, saying

MASTER = FileMasterKey(bytes(32))
BOTH = {"be": FRENCH, "fr": FRENCH}


async def worked(database: TestDatabase) -> Watermark:
    """Work on both books until the second is projected as far as its rules."""
    stop = asyncio.Event()
    setup = Setup(database.app_url, BOTH, lambda: MASTER, system_clock)
    working = asyncio.create_task(work(setup, stop))
    with connect(database.app_url) as connection:
        reached = await asyncio.to_thread(wait_for, connection, "fr", "charges", 2, timeout=30)
    stop.set()
    await working
    return reached


class TestTheWorker:
    """Working on two books, the first of which holds what nobody can read."""

    def test_goes_on_with_the_others(
        self, database: TestDatabase, caplog: pytest.LogCaptureFixture
    ) -> None:
        with connect(database.app_url) as connection:
            log = PostgresLog(connection, "be")
            log.open_book()
            log.decide((), lambda _: [Row("book_opened.v9", (TRADE,), b"{}")])

        async def story() -> Watermark:
            async with Books.open(database.app_url, {"fr": FRENCH}, MASTER, system_clock) as books:
                await Keyring(books.pool, "be", MASTER).create()
                return await worked(database)

        assert asyncio.run(story()).position == 2
        assert "be: nothing of this book is projected" in caplog.text
        assert "be: nothing falls due here" in caplog.text


class TestPushing:
    """The worker as it runs: what falls due is projected, decided and handed over by itself."""

    def test_hands_a_notice_to_its_gateway(self, database: TestDatabase) -> None:
        heard = threading.Event()

        def answer(handler: BaseHTTPRequestHandler) -> None:
            saying(202, b"0: Accepted for delivery")(handler)
            heard.set()

        with answering(answer) as kannel, patch("api.worker.SWEEP_SECONDS", 0.05):
            facts = asyncio.run(pushed_by_the_worker(database, kannel.port, heard))
        ((_, headers, _),) = kannel.asked
        assert headers["X-Kannel-To"] == "alias-1"
        assert [type(fact) for fact in facts[-4:]] == [
            NoticeSent,
            MtEmitted,
            MtHandoverUnknown,
            MtHandedOver,
        ]

    def test_waits_for_a_master_key_and_a_book(
        self, database: TestDatabase, caplog: pytest.LogCaptureFixture
    ) -> None:
        asked: list[int] = []

        async def story() -> None:
            stop = asyncio.Event()

            def master() -> MasterKey | None:
                asked.append(1)
                if len(asked) == 1:
                    return None  # nobody has opened anything
                if len(asked) == 2:
                    raise MasterKeyMissing("the master key is missing")
                if len(asked) == 3:
                    return MASTER  # and the book is not there
                stop.set()
                return None

            rules = {"fr": FRENCH}
            await work(Setup(database.app_url, rules, master, system_clock), stop)

        with patch.multiple("api.worker", SWEEP_SECONDS=0.01, AGAIN_SECONDS=0.01):
            asyncio.run(story())
        assert caplog.text.count("nothing falls due here: the master key is missing") == 1


async def pushed_by_the_worker(
    database: TestDatabase, port: int, heard: threading.Event
) -> list[Fact]:
    """Let a notice fall due, and the worker run until a gateway has heard of it."""
    sendsms = Sendsms(
        url=f"http://127.0.0.1:{port}/cgi-bin/sendsms",
        username="obole",
        password="secret",
        receipt_key="key",
        public_url="http://127.0.0.1:8000",
    )
    rules, stop = {"fr": FRENCH}, asyncio.Event()
    async with Books.open(database.app_url, rules, MASTER, lambda: NOON) as books:
        desk = books.by_name["fr"].desk
        await desk.settle((), lambda _: [Draft(fact) for fact in catalogue()], ORIGIN)
        for number in range(2):
            sms = mo(f"JEU {number}", gateway_message_id=f"m-{number}")
            await receive_mo(desk, sms, ORIGIN, NOON)
        gateways = {"fr": {"kannel": sendsms}}
        setup = Setup(database.app_url, rules, lambda: MASTER, lambda: NOON, gateways)
        working = asyncio.create_task(work(setup, stop))
        assert await asyncio.to_thread(heard.wait, 30)
        stop.set()
        await working
        rows, _ = await desk.log.read((Interest(()),))
    return [REGISTRY.decode(row).fact for row in rows]
