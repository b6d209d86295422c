"""Everything comes one to five times, shuffled, over a bad network and from a database cut off.

Part of it comes over HTTP to a real API, through proxies before it and before its database; the
rest is handed to the same book by another process, a thousand at a time, up to three times.
"""

import asyncio
import gc
import random
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from time import monotonic
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from api.books import Books, load_master_key, load_rules
from ledger.commands.desk import Desk
from ledger.commands.received import Arrived, Result, receive_all
from ledger.commands.traffic import Answer
from ledger.decisions.refusals import ConflictingDuplicate
from ledger.facts.registry import Origin
from ledger.log.session import connect
from tests.support.database import new_server
from tests.torture.histories import History
from tests.torture.listening import Address
from tests.torture.load import AGAIN_SECONDS, BOOK, HONEST, wall_clock
from tests.torture.naive_intake import NaiveIntake
from tests.torture.processes import Environ, Ledger, Urls, serving, urls_of
from tests.torture.proxy import HTTP, Proxy, before_database
from tests.torture.repeats_book import naive_failures, read_accounts, verdict_of
from tests.torture.repeats_plan import Plan, Send, planned
from tests.torture.speech import Line, Said
from tests.torture.trial import Say, Scale, Verdict, dice, judged

CLIENTS = 8
BATCH = 1_000
OFTEN = (1, 2, 3)
"""How often a batch is handed over, as if nobody had heard the answer."""
AGE = timedelta(minutes=5)
"""How long ago it was all sent, within what the book lets a gateway's clock differ."""


TURN_SECONDS = 0.0005
"""How long a thread may go on while another wants to: clients and proxies are threads here."""
SELDOM = 200_000
"""How many more things there are before Python looks for some to throw away; by itself 700."""


@contextmanager
def quick_turns() -> Generator[None]:
    """Let threads take turns ten times as often as Python does by itself.

    What could be thrown away is looked for seldom: all that was heard is kept to the end, and to
    go through that again and again takes a third of the time.
    """
    before, looks = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(TURN_SECONDS)
    gc.set_threshold(SELDOM, *looks[1:])
    try:
        yield
    finally:
        gc.set_threshold(*looks)
        sys.setswitchinterval(before)


class Size(NamedTuple):
    """How much of it there is."""

    sends: int
    """At least; those of batches that are handed over again come on top."""
    seconds: float
    """How long the part over HTTP may take."""


SIZES = {
    Scale.TINY: Size(700, 2),
    Scale.SHORT: Size(54_000, 15),
    Scale.LONG: Size(500_000, 1_200),
}
CONTROLLED = {Scale.TINY: 1_000, Scale.SHORT: 3_000, Scale.LONG: 40_000}


class Heard:
    """What was answered to each of what was sent: always the same, whichever way it came."""

    def __init__(self) -> None:
        self.answers: dict[Send, tuple[str, str]] = {}
        """The MT and the text of each message's answer; both empty where it was refused."""
        self.bytes: dict[Send, tuple[bytes, tuple[str, ...]]] = {}
        self.counted: Counter[str] = Counter()
        self.history = History()
        self.failures: list[str] = []

    def begins(self, process: int, send: Send) -> None:
        """Note that somebody hands something over."""
        if not send.is_receipt:
            self.history.say("invoke", "add", send.id, process)

    def ends(self, process: int, send: Send) -> None:
        """Note that it was acknowledged."""
        if not send.is_receipt:
            self.history.say("ok", "add", send.id, process)

    def over_http(self, send: Send, said: Said) -> None:
        """Note an answer with status 200."""
        self.counted["over HTTP"] += 1
        kept = {name: value for name, value in said.headers.items() if name.startswith("x-kannel")}
        url = urlsplit(kept.get("x-kannel-dlr-url", ""))
        whole = (said.body, tuple(f"{name}: {value}" for name, value in sorted(kept.items())))
        if self.bytes.setdefault(send, whole) != whole:
            self.failures.append(f"{send.id} was answered in other bytes than the first time")
        (mt,) = parse_qs(url.query).get("mt", [""])
        self._note(send, mt, said.body.decode())

    def at_once(self, send: Send, result: Result) -> None:
        """Note what a batch gave for one of it."""
        self.counted["in batches"] += 1
        match result:
            case Answer(mt=mt, text=text):
                self._note(send, mt or "", text)
            case ConflictingDuplicate():
                self._note(send, "", "")
            case Exception():
                self.failures.append(f"{send.id} was refused: {result!r}")
            case _:
                self._note(send, "", "")

    def _note(self, send: Send, mt: str, text: str) -> None:
        if self.answers.setdefault(send, (mt, text)) != (mt, text):
            first = self.answers[send]
            self.failures.append(f"{send.id} was answered {first}, and its repeat {(mt, text)}")


class Repeats:
    """The same again and again, over what breaks."""

    name = "repeats"
    promise = (
        "However often a message or receipt comes, and whatever is cut off meanwhile, it has one "
        "effect on money and one answer, and other words under its id are flagged"
    )

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Send it all, then count what the log holds."""
        size = SIZES[scale]
        plan = planned(seed, size.sends, wall_clock() - AGE)
        with quick_turns(), ExitStack() as stack:
            urls = urls_of(stack.enter_context(new_server(durable=True)).url)
            database, cut = stack.enter_context(before_database(urls.owner, seed))
            ledger = stack.enter_context(serving(urls, {"OBOLE_DATABASE_URL": cut}))
            network = stack.enter_context(Proxy(Address(ledger.port), HTTP, seed))
            heard, left = Heard(), iter(plan.sends)
            clients = Clients(network.listens.port, ledger.key, heard)
            asyncio.run(clients.send(left, size.seconds))
            say(f"repeats: {heard.counted['over HTTP']:,} over HTTP; the rest in batches")
            batches = Batches(urls, ledger.api.environ, heard, dice(self.name, seed))
            asyncio.run(batches.send(list(left)))
            say("repeats: counting what the log holds")
            done = {**heard.counted, **(+network.done), **(+database.done)}
            return _judged(seed, plan, done, heard, ledger, urls)

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Send to an intake that looks into its own memory for what came before."""
        plan = planned(seed, CONTROLLED[scale], wall_clock() - AGE)
        with quick_turns(), ExitStack() as stack:
            urls = urls_of(stack.enter_context(new_server(durable=False)).url, "postgres")
            way = before_database(urls.owner, seed, commits=NaiveIntake.COMMITTED)
            _, cut = stack.enter_context(way)
            intake = stack.enter_context(NaiveIntake(urls.owner, cut))
            network = stack.enter_context(Proxy(Address(intake.port), HTTP, seed))
            clients = Clients(network.listens.port, "", Heard())
            messages = [one for one in plan.sends if not one.is_receipt]
            asyncio.run(clients.send(iter(messages), 60))
            facts, failures = naive_failures(urls.owner)
            say(f"repeats: a memory of ids instead: {facts['doubled']:,} charged twice")
        return judged(self.name, seed, facts, failures)


class Clients:
    """Eight that send what is left, each in turn, until it is all sent or the time is over."""

    def __init__(self, port: int, key: str, heard: Heard) -> None:
        self._port, self._key, self._heard = port, key, heard

    async def send(self, left: Iterator[Send], seconds: float) -> None:
        """Send; whoever has begun to insist on one is heard before this ends."""
        until = monotonic() + seconds
        every = (self._client(number, left, until) for number in range(CLIENTS))
        await asyncio.gather(*every)

    async def _client(self, number: int, left: Iterator[Send], until: float) -> None:
        line = Line(self._port)
        while monotonic() < until and (send := next(left, None)):
            self._heard.begins(number, send)
            self._heard.over_http(send, await self._insist(line, send))
            self._heard.ends(number, send)
        line.close()

    async def _insist(self, line: Line, send: Send) -> Said:
        while True:
            said = await line.ask(send.path(self._key))
            if said.status == 200:
                return said
            self._heard.counted["asked again"] += 1
            if said.status not in HONEST:
                self._heard.failures.append(f"answered {said.status}: {said.body[:200]!r}")
            await _rest(AGAIN_SECONDS)


async def _rest(seconds: float) -> None:
    """Wait a moment before asking again: a gateway's own pace."""
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)


class Batches:
    """Another process than the API, at the same book: it takes a thousand at a time."""

    def __init__(self, urls: Urls, environ: Environ, heard: Heard, chance: random.Random) -> None:
        self._urls, self._environ, self._heard, self._dice = urls, environ, heard, chance

    async def send(self, left: list[Send]) -> None:
        """Hand over what is left, most batches again; the accounts are read in between."""
        rules = load_rules(self._environ)
        master = load_master_key(self._urls.app, self._environ)
        with connect(self._urls.app) as connection:
            async with Books.open(self._urls.app, rules, master, wall_clock) as books:
                desk = books.by_name[BOOK].desk
                for start in range(0, len(left), BATCH):
                    await self._hand_over(desk, left[start : start + BATCH])
                    read_accounts(connection, self._heard.history)

    async def _hand_over(self, desk: Desk, sends: list[Send]) -> None:
        batch = [Arrived(one.incoming(), wall_clock()) for one in sends]
        for place, one in enumerate(sends, CLIENTS):
            self._heard.begins(place, one)
        for _ in range(self._dice.choice(OFTEN)):
            results = await receive_all(desk, batch, Origin(BOOK, "torture"))
            for one, result in zip(sends, results, strict=True):
                self._heard.at_once(one, result)
        for place, one in enumerate(sends, CLIENTS):
            self._heard.ends(place, one)


def _judged(
    seed: int, plan: Plan, done: dict[str, int], heard: Heard, ledger: Ledger, urls: Urls
) -> Verdict:
    counted, failures = verdict_of(ledger, urls, plan, heard.answers, heard.history)
    heard.history.keep(Repeats.name)
    facts = {"sends": sum(heard.counted[one] for one in ("over HTTP", "in batches"))}
    failures = [*heard.failures, *failures, *ledger.failures]
    return judged(Repeats.name, seed, facts | done | counted, failures)
