"""Histories that go on for months, of two processes at one book, for decisions on a long past."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any, NamedTuple

from hypothesis import strategies as st

from ledger.commands.pasts import Pasts
from ledger.commands.received import Arrived, receive_all
from ledger.commands.traffic import IncomingMo
from ledger.decisions.refusals import Refusal
from ledger.facts.subscriptions import SubscriptionStarted
from ledger.facts.traffic import MtEmitted
from ledger.rules.inforce import Cap, CountedPer
from ledger.spans import Unit, Window
from ledger.words import instant_text
from tests.support.belgium import BOTH, MO_ONLY, SUBSCRIBED, be_mo, belgian
from tests.support.book import ORIGIN, Book, ChangedRules, in_memory
from tests.support.builders import DONATION, NOON, ON_DELIVERED, dlr, mo, service, tariff
from tests.support.given import take
from tests.support.subscribers import ChangedBelgian, renew, sold_again_and_again
from tests.support.told import charged, told

Step = tuple[Any, ...]

ALL = 10**9
"""No history is as long as that, so that no past is kept."""


class Market(NamedTuple):
    """A book of one country; what is written where; who may write."""

    opened: Callable[[], Book]
    write: Callable[..., IncomingMo]
    writes: tuple[tuple[str, str], ...]
    """Code and words."""
    senders: tuple[str, str]
    first: tuple[str, ...] = ()
    """What the first of them writes to the code for subscriptions before all else."""


def cap(amount: int, n: int, unit: Unit, counted_per: CountedPer, zone: str | None = None) -> Cap:
    """Cap what may be spent: in whole units of a currency, rolling, or by a zone's calendar."""
    kind = "calendar" if zone else "rolling"
    return Cap(
        name=f"{n} {unit} {kind}",
        amount=amount * 1_000_000,
        window=Window(kind=kind, n=n, unit=unit, zone=zone),
        counted_per=counted_per,
    )


def french() -> Book:
    """Open a French book with close caps and a service that knows its messages when they repeat."""
    caps = (
        cap(7, 1, "hour", "consumer_and_service"),
        cap(25, 1, "week", "consumer"),
        cap(45, 1, "month", "consumer_and_merchant", "Europe/Paris"),
    )
    known_again = service("quiz", duplicate_window_seconds=3_600)
    return in_memory(tariff(DONATION, 20_000_000), known_again, rules=ChangedRules(caps=caps))


def belgian_market() -> Book:
    """Open a Belgian book with both legs, subscriptions and close caps."""
    caps = (
        cap(5, 1, "day", "consumer", "Europe/Brussels"),
        cap(20, 2, "week", "consumer_and_service", "Europe/Brussels"),
    )
    return belgian(*sold_again_and_again(), rules=ChangedBelgian(caps=caps))


MARKETS = {
    "fr": Market(
        french,
        mo,
        (
            *[(ON_DELIVERED, "JEU")] * 8,
            *[(DONATION, "DON")] * 4,
            *((ON_DELIVERED, word) for word in ("JEU 2", "VOTE 1", "BONJOUR", "CONTACT")),
            *((ON_DELIVERED, word) for word in ("STOP", "STOP JEU")),
            (DONATION, "STOP"),
        ),
        ("alias-1", "alias-2"),
    ),
    "be": Market(
        belgian_market,
        be_mo,
        (
            *[(BOTH, "JEU")] * 6,
            *((BOTH, word) for word in ("RIEN", "STOP")),
            *[(MO_ONLY, "JEU")] * 2,
            *(
                (SUBSCRIBED, word)
                for word in ("HORO", "HORO", "OK", "OK", "MOP", "JEU", "STOP HORO")
            ),
        ),
        ("32470000001", "32470000002"),
        ("HORO", "OK"),
    ),
}

_PROCESS = st.integers(0, 1)
_WHO = st.sampled_from([0, 0, 0, 0, 0, 0, 1])
_WHAT = st.integers(0, 18)
_LATE = st.sampled_from([0, 0, 0, 0, 0, 0, 1, 500, 3_000, 90_000, 3_000_000])
"""How many seconds before its arrival a message was sent."""
_WROTE = st.tuples(_WHO, _WHAT, _LATE)
STEPS = st.one_of(
    *[st.tuples(st.just("mo"), _PROCESS, _WROTE)] * 4,
    st.tuples(st.just("batch"), _PROCESS, st.lists(_WROTE, min_size=2, max_size=5)),
    st.tuples(
        st.just("dlr"),
        st.integers(0, 40),
        st.sampled_from(["delivered", "failed", "failed", "rejected"]),
        st.sampled_from(["yes", "no", "unknown"]),
    ),
    *[st.tuples(st.just("wait"), st.sampled_from([4_000, 90_000, 700_000, 2_700_000, -90_000]))]
    * 2,
    st.tuples(st.just("renew"), _PROCESS, st.integers(0, 3)),
    st.tuples(
        st.just("told"),
        _PROCESS,
        _WHO,
        st.lists(st.sampled_from(["captured", "released", "authorized"]), max_size=2),
    ),
)
HISTORIES = st.lists(STEPS, min_size=10, max_size=50)


class Lived(NamedTuple):
    """A book, and the processes that write to it."""

    processes: tuple[Book, Book]
    market: Market
    mts: list[str]

    @property
    def book(self) -> Book:
        """The first of them."""
        return self.processes[0]


def live(market: Market, steps: Iterable[Step], *, long: int, kept: int = 0) -> Book:
    """Let a history happen; pasts are kept once more than `long` facts had to be read."""
    book = market.opened()
    other = book.beside()
    other.clock = book.clock
    for one in (book, other):
        one.desk.pasts = Pasts(long, kept)
    lived = Lived((book, other), market, [])
    for text in market.first:
        take(book, market.write(text, sender=market.senders[0], short_code=SUBSCRIBED))
    for number, step in enumerate(steps):
        with suppress(Refusal):
            _happen(lived, number, step)
        lived.mts[:] = dict.fromkeys(fact.ref.mt for fact in book.facts(MtEmitted))
    return book


def _happen(lived: Lived, number: int, step: Step) -> None:
    book = lived.book
    match step:
        case ("mo", int(process), wrote):
            lived.processes[process].receive(_message(lived, number, wrote))
        case ("batch", int(process), wrote):
            desk, now = lived.processes[process].desk, book.clock.now
            messages = [
                Arrived(_message(lived, f"{number}-{n}", one), now) for n, one in enumerate(wrote)
            ]
            book.run(receive_all(desk, messages, ORIGIN))
        case ("wait", int(seconds)):
            book.clock.now = max(NOON, book.clock.now + timedelta(seconds=seconds))
        case _:
            _happen_elsewhere(lived, number, step)


def _happen_elsewhere(lived: Lived, number: int, step: Step) -> None:
    book, mts = lived.book, lived.mts
    match step:
        case ("dlr", int(which), str(outcome), str(billed)) if mts:
            book.report(dlr(mts[-1 - which % len(mts)], outcome, billed=billed))
        case ("renew", int(process), int(which)):
            started = book.facts(SubscriptionStarted)
            if started:
                name = started[which % len(started)].subject
                take(lived.processes[process], renew(name=name))
        case ("told", int(process), int(who), list(states)) if lived.market.write is mo:
            charges: list[dict[str, Any]] = [charged(state) for state in states]
            sender, at = lived.market.senders[who], instant_text(book.clock.now)
            line = told(id=f"t-{number}", sender=sender, sent_at=at, charges=charges, receipts=[])
            take(lived.processes[process], line)
        case _:
            pass


def _message(lived: Lived, number: object, wrote: tuple[int, int, int]) -> IncomingMo:
    who, what, late = wrote
    market = lived.market
    code, words = market.writes[what % len(market.writes)]
    return market.write(
        words,
        sender=market.senders[who],
        short_code=code,
        gateway_message_id=f"m-{number}",
        stated_at=lived.book.clock.now - timedelta(seconds=late),
    )
