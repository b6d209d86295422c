"""Histories of the whole trade: both legs, cycles, refunds, STOPs, subscriptions, test numbers."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import reduce
from itertools import pairwise

from hypothesis import strategies as st

from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.solicitations import SolicitationAllowed, SolicitationRef
from ledger.facts.subscriptions import (
    Consent,
    SubscriptionRef,
    SubscriptionRequested,
    SubscriptionStarted,
    SubscriptionStopped,
)
from ledger.facts.traffic import KeywordMatched, KeywordUnmatched
from ledger.spans import Period
from ledger.words import derived_id
from projections.fold import AnyFold, Context
from tests.support.history import OPENING, ZONE, History, reference

PARIS = Context(ZONE)


class Trade(History):
    """A history with more of the trade; `terms` are fields of a charge's reference."""

    def matched(
        self, name: str, at: datetime, price: int = 3_000_000, mo_price: int = 0, **terms: object
    ) -> None:
        """Match an MO to a service."""
        ref = reference(self.book, name, **terms)
        self.add(
            at,
            KeywordMatched(
                mo=ref.mo,
                consumer=ref.consumer,
                short_code=ref.short_code,
                operator=ref.operator,
                keyword="WIN",
                merchant=ref.merchant,
                service=ref.service,
                tariff=ref.tariff,
                tariff_version=ref.tariff_version,
                price=price,
                mo_price=mo_price,
                currency="EUR",
                catalogue_position=1,
                test=ref.test,
                occurred_at=at,
            ),
        )

    def unmatched(self, name: str, at: datetime, **terms: object) -> None:
        """Receive what asks for nothing on sale."""
        ref = reference(self.book, name, **terms)
        self.add(
            at,
            KeywordUnmatched(
                mo=ref.mo,
                consumer=ref.consumer,
                short_code=ref.short_code,
                operator=ref.operator,
                reason="unknown_keyword",
                catalogue_position=1,
                test=ref.test,
                occurred_at=at,
            ),
        )

    def opted_out(self, name: str, at: datetime, *, scoped: bool = True, **terms: object) -> None:
        """Say STOP: to one service, or `scoped` False to all on the code."""
        ref = reference(self.book, name, **terms)
        self.add(
            at,
            OptedOut(
                consumer=ref.consumer,
                mo=ref.mo,
                short_code=ref.short_code,
                operator=ref.operator,
                merchant=ref.merchant if scoped else None,
                service=ref.service if scoped else None,
                word="STOP",
                test=ref.test,
                occurred_at=at,
            ),
        )

    def lifted(self, name: str, at: datetime) -> None:
        """Write again after a STOP to one service."""
        ref = reference(self.book, name)
        self.add(
            at,
            OptOutLifted(
                consumer=ref.consumer,
                mo=derived_id("lifting", name),
                short_code=ref.short_code,
                operator=ref.operator,
                service=ref.service,
                occurred_at=at,
            ),
        )

    def requested(self, name: str, at: datetime, **terms: object) -> None:
        """Ask for a subscription."""
        ref = subscription(self.book, name, **terms)
        self.add(
            at,
            SubscriptionRequested(
                ref=ref,
                mo=derived_id(self.book, "mo", name),
                confirm="OK",
                expires_at=at + timedelta(hours=1),
                occurred_at=at,
            ),
        )

    def started(self, name: str, at: datetime, **terms: object) -> None:
        """Start a subscription."""
        proof = (Consent("mo", derived_id(self.book, "mo", name), at),)
        ref = subscription(self.book, name, **terms)
        self.add(at, SubscriptionStarted(ref=ref, consent=proof, occurred_at=at))

    def stopped(self, name: str, at: datetime, **terms: object) -> None:
        """Stop a subscription."""
        ref = subscription(self.book, name, **terms)
        self.add(at, SubscriptionStopped(ref=ref, by="consumer", occurred_at=at))

    def solicited(self, name: str, at: datetime, **terms: object) -> None:
        """Allow a solicitation."""
        ref = reference(self.book, name, **terms)
        self.add(
            at,
            SolicitationAllowed(
                ref=SolicitationRef(
                    solicitation=derived_id("solicitation", name),
                    consumer=ref.consumer,
                    gateway="kannel",
                    smsc="mno-a",
                    merchant=ref.merchant,
                    service=ref.service,
                    short_code=ref.short_code,
                    operator=ref.operator,
                    test=ref.test,
                ),
                count=1,
                limit=2,
                charter="charter",
                expires_at=at + timedelta(hours=1),
                occurred_at=at,
            ),
        )


def subscription(book: str, name: str, **terms: object) -> SubscriptionRef:
    """Give the reference of subscription `name`."""
    ref = reference(book, name, **terms)
    return SubscriptionRef(
        subscription=derived_id("subscription", name),
        consumer=ref.consumer,
        gateway="kannel",
        smsc="mno-a",
        merchant=ref.merchant,
        service=ref.service,
        category=ref.category,
        keyword="WIN",
        short_code=ref.short_code,
        operator=ref.operator,
        tariff=ref.tariff,
        tariff_version=ref.tariff_version,
        billing_code="T300",
        price=3_000_000,
        currency="EUR",
        every=Period(1, "month"),
        test=ref.test,
    )


def cycle(name: str) -> dict[str, object]:
    """Give the terms of a charge that a subscription's cycle caused."""
    return {
        "mo": None,
        "subscription": derived_id("subscription", name),
        "cycle": OPENING.date(),
    }


_KINDS: Sequence[dict[str, object]] = (
    {},
    {"merchant": "bolt"},
    {"test": True},
    {"leg": "mo", "tariff": "T100"},
    {"leg": "mo", "merchant": None, "service": None, "merchant_contract": None},
    {"operator": "20810", "short_code": "81085"},
)
_NEXT: dict[str | None, tuple[str, ...]] = {
    None: ("authorized",),
    "authorized": ("unresolved", "released", "captured"),
    "unresolved": ("released", "captured"),
    "released": ("captured", "authorized_again"),
    "authorized_again": ("released", "captured"),
    "captured": ("refunded", "written_off"),
    "refunded": (),
    "written_off": (),
}
_BESIDE = ("unmatched", "opted_out", "lifted", "started", "stopped", "solicited", "matched")


@st.composite
def trades(draw: st.DrawFn, book: str = "fr", most_steps: int = 30) -> Trade:
    """Draw a history of charges of every kind going on as they may, and of much beside them."""
    steps = st.tuples(st.integers(0, 9), st.integers(0, 6), st.integers(0, 10 * 24 * 3600))
    trade, now = Trade(book), OPENING
    states: dict[int, str] = {}
    for number, choice, seconds in draw(st.lists(steps, max_size=most_steps)):
        now += timedelta(seconds=seconds)
        if number >= len(_KINDS):
            getattr(trade, _BESIDE[choice])(f"b{number}", now)
            continue
        allowed = _NEXT[states.get(number)]
        if not allowed:
            continue
        states[number] = allowed[choice % len(allowed)]
        terms = _KINDS[number] if states[number] == "authorized" else {}
        if terms.get("merchant", "") is not None and states[number] == "authorized":
            trade.matched(f"c{number}", now, **terms)
        getattr(trade, states[number])(f"c{number}", now, **terms)
    return trade


def folded_in_ranges(fold: AnyFold, trade: Trade, cuts: Sequence[int]) -> dict:
    """Fold ranges apart, and combine them in order."""
    facts = trade.recorded
    ends = [0, *sorted(min(cut, len(facts)) for cut in cuts), len(facts)]
    parts = [fold.fold(facts[start:end], PARIS) for start, end in pairwise(ends)]
    return reduce(fold.combine, parts)


def both_ways(fold: AnyFold, trade: Trade, cuts: Sequence[int]) -> tuple[dict, dict]:
    """Combine three ranges from the left and from the right."""
    facts, (one, two) = trade.recorded, sorted(cuts)
    parts = (facts[:one], facts[one:two], facts[two:])
    a, b, c = (fold.fold(part, PARIS) for part in parts)
    combine: Callable[[dict, dict], dict] = fold.combine
    return combine(combine(a, b), c), combine(a, combine(b, c))
