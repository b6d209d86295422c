"""The facts of charges for histories: authorized, captured, given back, written off, found.

A story keeps, as the decisions do, what state each charge is in, so that a test names only what
it is about.
"""

from datetime import date, datetime
from typing import NamedTuple

from ledger.facts.base import Fact
from ledger.facts.book import BookOpened
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRef,
    ChargeRefunded,
    ChargeReleased,
    ChargeUnresolved,
    ChargeWrittenOff,
)
from ledger.facts.findings import FindingClosed, FindingOpened
from ledger.facts.registry import fact_id
from ledger.money import Percentage, Rate, Waterfall, split
from ledger.words import derived_id, local_day

ZONE = "Europe/Paris"
OPERATOR, CODE, MERCHANT, SERVICE = "20801", "72345", "acme", "quiz"


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


class Charged:
    """The facts of a book's charges; `at` of each fact is also when it was recorded."""

    def __init__(self, book: str) -> None:
        self.book = book
        self.facts: list[tuple[datetime, Fact]] = []
        self._charges: dict[str, Standing] = {}
        self._captured: dict[str, date] = {}
        self._given_back: dict[str, list[int]] = {}
        self.open_findings: dict[str, FindingOpened] = {}
        """The latest finding about each charge, by the charge's name."""

    def add(self, recorded_at: datetime, fact: Fact) -> Fact:
        """Append any fact."""
        self.facts.append((recorded_at, fact))
        return fact

    def authorized(
        self, name: str, at: datetime, price: int = 3_000_000, **terms: object
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

    def authorized_again(self, name: str, at: datetime) -> ChargeAuthorized:
        """Let a charge that was released be tried again."""
        standing, day = self._charges[name], local_day(at, ZONE)
        self._charges[name] = standing._replace(authorized_day=day, state="authorized")
        fact = ChargeAuthorized(
            ref=standing.ref,
            amounts=standing.amounts,
            currency="EUR",
            captures_on="delivered",
            was="released",
            released_day=standing.authorized_day,
            value_day=day,
            occurred_at=at,
        )
        self.add(at, fact)
        return fact

    def unauthorized(
        self, name: str, at: datetime, price: int = 3_000_000, **terms: object
    ) -> ChargeCaptured:
        """Let an operator bill what nobody sold or allowed; `terms` may name a merchant."""
        sold = {"merchant": None, "service": None, "keyword": None, "merchant_contract": None}
        ref = reference(self.book, name, **{"leg": "mo", **sold, **terms})
        day = local_day(at, ZONE)
        self._charges[name] = Standing(ref, waterfall(price), day, "unauthorized")
        return self.captured(name, at)

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
        self._captured[name] = fact.value_day
        self.add(at, fact)
        return fact

    def refunded(
        self, name: str, at: datetime, price: int | None = None, **how: object
    ) -> ChargeRefunded:
        """Give a charge back: by default the whole of it, by the operator."""
        standing = self._charges[name]
        before = self._given_back.setdefault(name, [])
        fields = {"by": "operator", "channel": "bill", "borne_by": "each_its_part", **how}
        price = standing.amounts.price if price is None else price
        fact = ChargeRefunded(
            refund=derived_id("refund", name, len(before)),
            ref=standing.ref,
            price=price,
            taken_back=standing.amounts if fields["by"] == "operator" else None,
            reason="asked for",
            currency="EUR",
            captured_day=self._captured[name],
            value_day=local_day(at, ZONE),
            occurred_at=at,
            **fields,
        )
        before.append(price)
        self.add(at, fact)
        return fact

    def refunded_in_part(self, name: str, at: datetime) -> ChargeRefunded | None:
        """Give a third of a charge back directly, while there is as much left."""
        standing, before = self._charges[name], self._given_back.get(name, [])
        price = standing.amounts.price // 3
        if not price or sum(before) + price > standing.amounts.price:
            return None
        bearers = ("merchant", "aggregator") if standing.ref.merchant else ("aggregator",)
        by = ("aggregator", "merchant") if standing.ref.merchant else ("aggregator",)
        return self.refunded(
            name,
            at,
            price,
            by=by[len(before) % len(by)],
            channel="transfer",
            borne_by=bearers[len(before) // 2 % len(bearers)],
        )

    def written_off(
        self, name: str, at: datetime, reason: str = "unpaid", borne_by: str = "merchant"
    ) -> ChargeWrittenOff:
        """Let the operator not pay a charge."""
        standing = self._charges[name]
        nobodys = standing.ref.merchant is None or standing.ref.test
        fact = ChargeWrittenOff(
            write_off=derived_id("write-off", name),
            ref=standing.ref,
            reason=reason,
            amounts=standing.amounts,
            borne_by="aggregator" if nobodys else borne_by,
            unattributed=standing.amounts.reversement if nobodys else 0,
            note="the operator's file",
            currency="EUR",
            captured_day=self._captured[name],
            value_day=local_day(at, ZONE),
            occurred_at=at,
        )
        self.add(at, fact)
        return fact

    def found(self, name: str, at: datetime, kind: str = "unattributed") -> FindingOpened:
        """Open a finding about a charge."""
        standing = self._charges[name]
        ref = standing.ref
        fact = FindingOpened(
            finding=derived_id("finding", kind, name),
            kind=kind,
            mo=ref.mo,
            charge=ref.charge,
            leg=ref.leg,
            consumer=ref.consumer,
            merchant=ref.merchant,
            short_code=ref.short_code,
            operator=ref.operator,
            amount=standing.amounts.price,
            currency="EUR",
            test=ref.test,
            occurred_at=at,
        )
        self.open_findings[name] = fact
        self.add(at, fact)
        return fact

    def closed(self, opened: FindingOpened, at: datetime, how: str = "refunded") -> FindingClosed:
        """Close a finding."""
        fact = FindingClosed(
            finding=opened.finding,
            kind=opened.kind,
            how=how,
            note="looked at",
            charge=opened.charge,
            consumer=opened.consumer,
            merchant=opened.merchant,
            short_code=opened.short_code,
            operator=opened.operator,
            occurred_at=at,
        )
        self.add(at, fact)
        return fact

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


def reference(book: str, name: str, **terms: object) -> ChargeRef:
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
