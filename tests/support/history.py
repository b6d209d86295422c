"""Builds histories of a book for projections: MO, match, charge, receipt, with defaults for all.

Times are instants; `paris` makes one from local time.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies

from ledger.facts.base import Draft, Recorded
from ledger.facts.book import BookOpened
from ledger.facts.registry import REGISTRY, Origin
from ledger.facts.traffic import KeywordMatched, MoReceived, MtEmitted, MtRef, MtSubmitted
from ledger.log.rows import StoredRow
from ledger.words import derived_id
from tests.support.charged import CODE, OPERATOR, ZONE, Charged, reference, waterfall

__all__ = ["CODE", "OPERATOR", "ZONE", "Charged", "reference", "waterfall"]
"""What tests of projections find here, beside the histories."""

OPENING = datetime(2026, 7, 1, tzinfo=UTC)
NOON = datetime(2026, 7, 10, 12, tzinfo=UTC)
LATER = datetime(2026, 7, 11, 12, tzinfo=UTC)
LAST = datetime(2026, 7, 12, 12, tzinfo=UTC)


def paris(text: str) -> datetime:
    """Read local time such as `2026-07-31T23:59:50` as an instant; `fold=1` by a final `+`."""
    fold = int(text.endswith("+"))
    local = datetime.fromisoformat(text.rstrip("+"))
    return local.replace(tzinfo=ZoneInfo(ZONE), fold=fold).astimezone(UTC)


class History(Charged):
    """The facts of one book in order; `at` of each fact is also when it was recorded."""

    def __init__(self, book: str = "fr", opening: datetime = OPENING) -> None:
        super().__init__(book)
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

    def exchange(self, name: str, at: datetime, price: int = 3_000_000, **terms: object) -> None:
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


NEXT_STEPS = {
    None: ("exchange", "exchange", "unauthorized"),
    "authorized": ("unresolved", "released", "captured"),
    "unresolved": ("released", "captured"),
    "released": ("captured", "authorized_again"),
    "captured": ("refunded_in_part", "refunded", "written_off"),
    "given back in part": ("refunded_in_part", "written_off"),
    "gone": (),
}
"""How a charge may go on, by where it stands."""

_LEADS_TO = {
    "exchange": "authorized",
    "unauthorized": "captured",
    "authorized_again": "authorized",
    "refunded": "gone",
    "refunded_in_part": "given back in part",
    "written_off": "gone",
}
"""Where a step leaves a charge, if not in the state of its name."""


@strategies.composite
def histories(draw: strategies.DrawFn, book: str = "fr", most_steps: int = 30) -> History:
    """Draw a history: some charges of two merchants, each going on as it may, over some months.

    Among them are what nobody sold, what failed and is tried again, what is given back whole or in
    parts, and what the operator does not pay; a finding is opened on what nobody sold.
    """
    steps = strategies.tuples(
        strategies.integers(0, 5),
        strategies.integers(0, 2),
        strategies.integers(0, 20 * 24 * 3600),
    )
    history, now = History(book), OPENING
    standing: dict[str, str] = {}
    for number, choice, seconds in draw(strategies.lists(steps, max_size=most_steps)):
        name, now = f"c{number}", now + timedelta(seconds=seconds)
        allowed = NEXT_STEPS[standing.get(name)]
        if allowed:
            step = allowed[choice % len(allowed)]
            standing[name] = _LEADS_TO.get(step, step)
            _take(history, step, number, now)
    return history


def _take(history: History, step: str, number: int, now: datetime) -> None:
    name, price = f"c{number}", (3_000_000, 50_000, 0)[number % 3]
    if step == "exchange":
        merchant = ("acme", "bolt")[number % 2]
        history.exchange(name, now, price, merchant=merchant, test=number == 5)
    elif step == "unauthorized":
        history.unauthorized(name, now, price)
        history.found(name, now)
    else:
        getattr(history, step)(name, now)
        if step in {"refunded", "written_off"} and name in history.open_findings:
            history.closed(history.open_findings.pop(name), now, step)


def two_charges() -> History:
    """Make 1 the opening, 2-6 charge a, 7-11 charge b, 12 a captured, 13 b released."""
    history = History()
    history.exchange("a", NOON)
    history.exchange("b", NOON)
    history.captured("a", LATER)
    history.released("b", LATER)
    return history
