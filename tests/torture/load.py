"""Several clients that hand messages and receipts over, as Kannel does: until they are told 200.

What a client was told 200 for is acknowledged, and from then on may never be lost. Everything
that it ever began is attempted, and may be there or not, but never twice.
"""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import NamedTuple, Self
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

from tests.torture.speech import Line, Said

BOOK = "fr"
GATEWAY = "kannel-fr"
LINKS = ("orange-fr", "sfr-fr", "bouygues-fr")
TEXTS = (
    ("81014", "JEU {}"),
    ("81014", "HOROSCOPE {}"),
    ("72100", "LOGO {}"),
    ("41234", "VOTE {}"),
    ("81014", "JEUX {}"),
    ("81014", "CONTACT"),
    ("72100", "STOP"),
)
HONEST = frozenset({0, 200, 503})
"""What may be heard while things break: nothing, that it is done, that it cannot be done now."""
AGAIN_SECONDS = 0.05
RECEIPTS_OF_TEN = 6
REPEATS_OF_TEN = 1

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """Give the present instant, as a gateway's own clock does."""
    return datetime.now(UTC)  # noqa: TID251 - the gateway is outside of the ledger


class Message(NamedTuple):
    """One MO as it is sent, and sent again."""

    id: str
    path: str


@dataclass
class Told:
    """What the clients were told, altogether."""

    attempted: set[str] = field(default_factory=set)
    messages: dict[str, str] = field(default_factory=dict)
    """Gateway's id of each acknowledged message → the MT that answered it, or nothing."""
    receipts: set[str] = field(default_factory=set)
    """The MTs for which a receipt was acknowledged."""
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    silence: float = 0.0
    """The longest time, in seconds, in which nothing was acknowledged."""
    waits: list[tuple[int, float]] = field(default_factory=list)
    """Of each message that was acknowledged for the first time: the how-manieth it was to be
    begun, and how many milliseconds it took, all repetitions included."""

    @property
    def acknowledged(self) -> int:
        return len(self.messages) + len(self.receipts)

    def snapshot(self) -> "Told":
        """Give what was told so far, apart from what comes later."""
        return Told(messages=dict(self.messages), receipts=set(self.receipts))


class Load:
    """Clients in a thread of their own, from entering to leaving. They share nothing but `told`."""

    def __init__(
        self,
        port: int,
        key: str,
        seed: int,
        *,
        clients: int = 8,
        pause: float = 0.1,
        clock: Clock = wall_clock,
    ) -> None:
        self.told = Told()
        self.begun = 0
        self._port, self._key, self._seed = port, key, seed
        self._clients, self._pause, self._clock = clients, pause, clock
        self._last = monotonic()
        self._thread = threading.Thread(target=self._run, name="clients", daemon=True)
        self._started = threading.Event()

    def __enter__(self) -> Self:
        self._last = monotonic()
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let every client finish what it asks for, and end."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def waits_of(self, begun: int) -> list[float]:
        """Give the waits, in milliseconds, of messages begun after the first so many."""
        return [wait for number, wait in list(self.told.waits) if number > begun]

    def _run(self) -> None:
        asyncio.run(self._all())

    async def _all(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._started.set()
        try:
            await asyncio.gather(*(self._client(number) for number in range(self._clients)))
        except Exception as error:
            self.told.failures.append(f"a client broke: {error!r}")
            raise

    async def _client(self, client: int) -> None:
        dice = random.Random(f"client {self._seed} {client}")  # noqa: S311 - repeatable
        line, sent = Line(self._port), list[Message]()
        while not self._stop.is_set():
            message = self._message(dice, f"{self._seed}-{client}-{len(sent)}")
            sent.append(message)
            receipt = await self._hand_over(line, message)
            if receipt and dice.randrange(10) < RECEIPTS_OF_TEN:
                await self._receipt(line, dice, receipt)
            if dice.randrange(10) < REPEATS_OF_TEN:
                await self._hand_over(line, dice.choice(sent))
            await self._rest(dice.uniform(0, self._pause))
        line.close()

    def _message(self, dice: random.Random, name: str) -> Message:
        code, text = dice.choice(TEXTS)
        asked = {
            "key": self._key,
            "id": name,
            "smsc": dice.choice(LINKS),
            "from": f"330001{dice.randrange(400):05d}",
            "to": code,
            "text": text.format(name[-6:]),
            "ts": str(int(self._clock().timestamp())),
            "charset": "UTF-8",
        }
        return Message(name, f"/v1/books/{BOOK}/kannel/{GATEWAY}/mo?{urlencode(asked)}")

    async def _hand_over(self, line: Line, message: Message) -> str | None:
        """Send a message until it is acknowledged; gives where its receipts go, if it has any."""
        self.told.attempted.add(message.id)
        self.begun += 1
        number, began = self.begun, monotonic()
        said = await self._insist(line, message.path)
        if said is None:
            return None
        if message.id not in self.told.messages:
            self.told.waits.append((number, 1000 * (monotonic() - began)))
        url = said.headers.get("x-kannel-dlr-url", "")
        (mt,) = parse_qs(urlsplit(url).query).get("mt", [""])
        before = self.told.messages.setdefault(message.id, mt)
        if before != mt:
            text = f"message {message.id} was answered by {before}, and its repeat by {mt}"
            self.told.failures.append(text)
        return url or None

    async def _receipt(self, line: Line, dice: random.Random, url: str) -> None:
        kind = dice.choice((1, 1, 1, 2, 8))
        (mt,) = parse_qs(urlsplit(url).query)["mt"]
        at = int(self._clock().timestamp())
        filled = {"d": kind, "T": at, "i": LINKS[0], "F": mt[:12], "I": mt[:8], "A": "", "D": ""}
        for escape, value in filled.items():
            url = url.replace(f"%{escape}", quote_plus(str(value)))
        parts = urlsplit(url)
        if await self._insist(line, f"{parts.path}?{parts.query}"):
            self.told.receipts.add(mt)

    async def _insist(self, line: Line, path: str) -> Said | None:
        """Ask until it is acknowledged; none if all ends before."""
        while not self._stop.is_set():
            said = await line.ask(path)
            self.told.statuses[said.status] += 1
            if said.status == 200:
                now = monotonic()
                self.told.silence = max(self.told.silence, now - self._last)
                self._last = now
                return said
            if said.status not in HONEST:
                self.told.failures.append(f"answered {said.status}: {said.body[:200]!r}")
            await self._rest(AGAIN_SECONDS)
        return None

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


def percentile(waits: Sequence[float], part: float) -> float:
    """Give the wait that this part of all waits does not exceed."""
    ordered = sorted(waits) or [0.0]
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
