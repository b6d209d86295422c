"""Builds histories of a book for projections: MO, match, charge, receipt, with defaults for all.

A history keeps, as the decisions do, what state each charge is in, so that a test names only
what it is about. Times are instants; `paris` makes one from local time.
"""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import strategies

from ledger.facts.base import Draft, Fact, Recorded
from ledger.facts.book import BookOpened
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRef,
    ChargeReleased,
    ChargeUnresolved,
)
from ledger.facts.registry import REGISTRY, Origin, fact_id
from ledger.facts.traffic import KeywordMatched, MoReceived, MtEmitted, MtRef, MtSubmitted
from ledger.log.rows import StoredRow
from ledger.money import Percentage, Rate, Waterfall, split
from ledger.words import derived_id, local_day

ZONE = "Europe/Paris"
OPERATOR, CODE, MERCHANT, SERVICE = "20801", "72345", "acme", "quiz"
OPENING = datetime(2026, 7, 1, tzinfo=UTC)
NOON = datetime(2026, 7, 10, 12, tzinfo=UTC)
LATER = datetime(2026, 7, 11, 12, tzinfo=UTC)
LAST = datetime(2026, 7, 12, 12, tzinfo=UTC)


def paris(text: str) -> datetime:
    """Read local time such as `2026-07-31T23:59:50` as an instant; `fold=1` by a final `+`."""
    fold = int(text.endswith("+"))
    local = datetime.fromisoformat(text.rstrip("+"))
    return local.replace(tzinfo=ZoneInfo(ZONE), fold=fold).astimezone(UTC)


def waterfall(price: int) -> Waterfall:
    """Divide at 20 % tax, half the net to us, four fifths of that to the merchant."""
    half, most = Rate(1, 2), Rate(4, 5)
    return split(
        price,
        Rate(1, 5),
        Percentage(half, "price_net_of_tax"),
        Percentage(most, "reversement"),
    )


class Standing(NamedTuple):
    """Where a charge stands in the history so far."""

    ref: ChargeRef
    amounts: Waterfall
    authorized_day: date
    state: str


class History:
    """The facts of one book in order; `at` of each fact is also when it was recorded."""

    def __init__(self, book: str = "fr", opening: datetime = OPENING) -> None:
        self.book = book
        self.facts: list[tuple[datetime, Fact]] = []
        self._charges: dict[str, Standing] = {}
        self.add(
            opening,
            BookOpened(
                book=book,
                jurisdiction="FR",
                legal_entity="Obole SAS",
                currency="EUR",
                zone=ZONE,
                log_origin="obole.example/fr",
                pseudonym_scheme="hmac-sha256",
                occurred_at=opening,
            ),
        )

    def add(self, recorded_at: datetime, fact: Fact) -> Fact:
        """Append any fact."""
        self.facts.append((recorded_at, fact))
        return fact

    def authorized(
        self, name: str, at: datetime, price: int = 3_000_000, **terms: str
    ) -> ChargeAuthorized:
        """Authorize charge `name`; `terms` are fields of its reference."""
        ref = reference(self.book, name, **terms)
        day = local_day(at, ZONE)
        self._charges[name] = Standing(ref, waterfall(price), day, "authorized")
        fact = ChargeAuthorized(
            ref=ref,
            amounts=waterfall(price),
            currency="EUR",
            captures_on="delivered",
            value_day=day,
            occurred_at=at,
        )
        self.add(at, fact)
        return fact

    def unresolved(self, name: str, at: datetime) -> ChargeUnresolved:
        """Let the delay for an answer run out."""
        fact = ChargeUnresolved(**self._leave(name, "unresolved", at))
        self.add(at, fact)
        return fact

    def released(self, name: str, at: datetime, reason: str = "failed") -> ChargeReleased:
        """Record that the consumer was not billed."""
        fact = ChargeReleased(**self._leave(name, "released", at), reason=reason)
        self.add(at, fact)
        return fact

    def captured(self, name: str, at: datetime) -> ChargeCaptured:
        """Record that the consumer was billed."""
        fact = ChargeCaptured(**self._leave(name, "captured", at))
        self.add(at, fact)
        return fact

    def exchange(self, name: str, at: datetime, price: int = 3_000_000, **terms: str) -> None:
        """Receive an MO, match it, authorize its charge, answer it and have it submitted."""
        ref = reference(self.book, name, **terms)
        shared = {"consumer": ref.consumer, "short_code": ref.short_code, "operator": ref.operator}
        sold = {"merchant": ref.merchant, "service": ref.service}
        mt = derived_id("mt", name)
        answer = MtRef(mt=mt, mo=ref.mo, gateway="kannel", charge=ref.charge, **shared, **sold)
        self.add(
            at,
            MoReceived(
                mo=ref.mo,
                gateway="kannel",
                smsc="mno-a",
                gateway_message_id=name,
                fingerprint=derived_id(name),
                occurred_at=at,
                **shared,
            ),
        )
        self.add(
            at,
            KeywordMatched(
                mo=ref.mo,
                keyword="WIN",
                tariff=ref.tariff,
                tariff_version=ref.tariff_version,
                price=price,
                currency="EUR",
                catalogue_position=1,
                occurred_at=at,
                **shared,
                **sold,
            ),
        )
        self.authorized(name, at, price, **terms)
        self.add(
            at,
            MtEmitted(ref=answer, kind="content", billing_code="T300", parts=1, occurred_at=at),
        )
        self.add(at, MtSubmitted(ref=answer, raw_status="8", occurred_at=at))

    def _leave(self, name: str, state: str, at: datetime) -> dict:
        standing = self._charges[name]
        self._charges[name] = standing._replace(state=state)
        return {
            "ref": standing.ref,
            "amounts": standing.amounts,
            "currency": "EUR",
            "authorized_day": standing.authorized_day,
            "was": standing.state,
            "value_day": local_day(at, ZONE),
            "occurred_at": at,
        }

    @property
    def recorded(self) -> list[Recorded]:
        """The facts as they are read back."""
        return [REGISTRY.decode(row) for row in self.rows]

    @property
    def rows(self) -> list[StoredRow]:
        """The facts as the log stores them, from position 1 on; its time never runs back."""
        found = []
        origin = Origin(self.book, "test")
        recorded_at = self.facts[0][0]
        for position, (at, fact) in enumerate(self.facts, 1):
            recorded_at = max(recorded_at, at)
            row = REGISTRY.encode(Draft(fact, n=position), origin)
            found.append(StoredRow(self.book, position, recorded_at, *row))
        return found


def reference(book: str, name: str, **terms: str) -> ChargeRef:
    """Give the reference of charge `name`; `terms` replace its defaults."""
    fields = {
        "charge": derived_id(book, "charge", name),
        "leg": "mt",
        "mo": derived_id(book, "mo", name),
        "consumer": f"1_{derived_id('consumer', name)}",
        "merchant": MERCHANT,
        "service": SERVICE,
        "category": "content",
        "keyword": "WIN",
        "short_code": CODE,
        "operator": OPERATOR,
        "tariff": "T300",
        "tariff_version": fact_id(book, BookOpened, "tariff"),
        "operator_contract": fact_id(book, BookOpened, "operator"),
        "merchant_contract": fact_id(book, BookOpened, "merchant"),
        "rules": fact_id(book, BookOpened, "rules"),
        "acting": "agent",
    }
    return ChargeRef(**fields | terms)


NEXT_STATES = {
    None: ("authorized",),
    "authorized": ("unresolved", "released", "captured"),
    "unresolved": ("released", "captured"),
    "released": ("captured",),
    "captured": (),
}
"""How a charge may go on; captured is the end in today's facts."""


@strategies.composite
def histories(draw: strategies.DrawFn, book: str = "fr", most_steps: int = 30) -> History:
    """Draw a history: some charges of two merchants, each going on as it may, over some months."""
    steps = strategies.tuples(
        strategies.integers(0, 5),
        strategies.integers(0, 2),
        strategies.integers(0, 20 * 24 * 3600),
    )
    history, now = History(book), OPENING
    states: dict[str, str] = {}
    for number, choice, seconds in draw(strategies.lists(steps, max_size=most_steps)):
        name, now = f"c{number}", now + timedelta(seconds=seconds)
        allowed = NEXT_STATES[states.get(name)]
        if not allowed:
            continue
        states[name] = allowed[choice % len(allowed)]
        if states[name] == "authorized":
            price = (3_000_000, 50_000, 0)[number % 3]
            history.exchange(name, now, price, merchant=("acme", "bolt")[number % 2])
        else:
            getattr(history, states[name])(name, now)
    return history


def two_charges() -> History:
    """Make 1 the opening, 2-6 charge a, 7-11 charge b, 12 a captured, 13 b released."""
    history = History()
    history.exchange("a", NOON)
    history.exchange("b", NOON)
    history.captured("a", LATER)
    history.released("b", LATER)
    return history
