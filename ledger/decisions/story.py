"""The facts of one exchange as they come about, each caused by the one before it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from ledger.catalogue import Catalogue, Tariff
from ledger.decisions import opt_out, receipt
from ledger.decisions.charging import Basis, Purchase
from ledger.decisions.crossed import NO_SUMS
from ledger.facts.base import Draft, Fact, Leg
from ledger.facts.catalogue import ServiceDeclared
from ledger.facts.consent import OptOutLifted
from ledger.facts.registry import fact_id
from ledger.facts.traffic import (
    DeliveryOrphaned,
    KeywordUnmatched,
    MoReceived,
    MtEmitted,
    MtKind,
    MtRef,
    UnmatchedReason,
)
from ledger.rules.inforce import Rules
from ledger.texts import segments
from ledger.words import derived_among, framed_often


class Mo(NamedTuple):
    """A message as it reached us, in the clear; `sender` is whom the pseudonym names."""

    mo: str
    gateway: str
    smsc: str
    gateway_message_id: str
    operator_message_id: str | None
    consumer: str
    short_code: str
    operator: str
    sender: str
    text: str
    fingerprint: str
    occurred_at: datetime
    stated_at: str | None


class Known(NamedTuple):
    """What is known before any message: the book, its catalogue, and the rules of the moment."""

    book: str
    catalogue: Catalogue
    rules: Rules
    rules_fact: str
    """The id of the fact that adopted the rules."""

    @property
    def basis(self) -> Basis:
        """What a charge is judged by."""
        return Basis(self.catalogue, self.rules, self.rules_fact)


@lru_cache(maxsize=4_096)
def mo_id(book: str, gateway: str, gateway_message_id: str, day: str = "") -> str:
    """Give the id of an MO; `day` is its UTC day where the gateway's ids come again."""
    head = framed_often(book, "mo", gateway)
    return derived_among(head, gateway_message_id, framed_often(day))


@lru_cache(maxsize=4_096)
def mt_id(book: str, cause: str) -> str:
    """Give the id of the answer to a message."""
    return derived_among(framed_often(book, "mt"), cause, framed_often("answer", 0))


def alike(fact: Fact, others: Iterable[Fact]) -> int:
    """Count the facts of the same kind and subject."""
    kind = type(fact)
    found = [one for one in others if type(one) is kind]
    return sum(one.subject == fact.subject for one in found) if found else 0


class Exchange:
    """The facts of one exchange as they come about, each caused by the one before it."""

    def __init__(
        self,
        mo: Mo,
        known: Known,
        history: Iterable[Fact],
        sums: Mapping[str, int] = NO_SUMS,
    ) -> None:
        self.mo = mo
        self.known = known
        self.history = tuple(history)
        self.sums = sums
        """What the consumer's charges that are not in `history` came to, by service."""
        self.scopes = opt_out.stopped(self.history)
        self.test = known.catalogue.is_test(mo.consumer, mo.occurred_at)
        self.drafts: list[Draft] = []
        self._facts = [*self.history]
        self._cause: Draft | None = None

    @property
    def facts(self) -> list[Fact]:
        """What was known, and what has followed so far."""
        followed = len(self._facts) - len(self.history)
        if followed < len(self.drafts):
            self._facts += [draft.fact for draft in self.drafts[followed:]]
        return self._facts

    def add(self, fact: Fact, text: str | None = None) -> None:
        """Let a fact follow from the last one."""
        self.beside(fact, text)
        self._cause = self.drafts[-1]

    def beside(self, fact: Fact, text: str | None = None) -> None:
        """Let a fact follow from the last one, and the next one not from it."""
        cause = self._cause
        caused_by = cause and fact_id(
            self.known.book, type(cause.fact), cause.fact.subject, cause.n
        )
        n = alike(fact, self.facts)
        self.drafts.append(Draft(fact, n, self.mo.mo, caused_by, text))

    def received(self) -> None:
        """Record the message itself."""
        mo = self.mo
        self.add(
            MoReceived(
                mo=mo.mo,
                gateway=mo.gateway,
                smsc=mo.smsc,
                gateway_message_id=mo.gateway_message_id,
                operator_message_id=mo.operator_message_id,
                consumer=mo.consumer,
                short_code=mo.short_code,
                operator=mo.operator,
                fingerprint=mo.fingerprint,
                occurred_at=mo.occurred_at,
                stated_at=mo.stated_at,
                test=self.test,
            ),
            mo.text,
        )

    def unmatched(self, reason: UnmatchedReason) -> None:
        """Record that the message asked for nothing on sale."""
        self.add(
            KeywordUnmatched(
                mo=self.mo.mo,
                consumer=self.mo.consumer,
                short_code=self.mo.short_code,
                operator=self.mo.operator,
                reason=reason,
                catalogue_position=self.known.catalogue.position,
                test=self.test,
                occurred_at=self.mo.occurred_at,
            )
        )

    def purchase(
        self,
        leg: Leg,
        tariff: Tariff,
        service: ServiceDeclared | None = None,
        keyword: str | None = None,
    ) -> Purchase:
        """Give what this message would be charged on one leg; without a service nobody sold it."""
        mo, terms = self.mo, tariff.fact
        return Purchase(
            book=self.known.book,
            consumer=mo.consumer,
            short_code=mo.short_code,
            operator=mo.operator,
            service=service,
            keyword=keyword,
            tariff=tariff,
            price=terms.mo_price if leg == "mo" else terms.price,
            occurred_at=mo.occurred_at,
            leg=leg,
            mo=mo.mo,
            test=self.test,
        )

    def lift(self, service: str | None) -> None:
        """Lift what the consumer had stopped and now writes to again; beside the chain."""
        for scope in opt_out.lifted_by(self.scopes, self.mo.short_code, service):
            self.beside(
                OptOutLifted(
                    consumer=self.mo.consumer,
                    mo=self.mo.mo,
                    short_code=scope.short_code or self.mo.short_code,
                    operator=self.mo.operator,
                    service=scope.service,
                    everywhere=scope.short_code is None,
                    occurred_at=self.mo.occurred_at,
                )
            )

    def emit(self, kind: MtKind, text: str, sold: Purchase | None, charge_id: str | None) -> None:
        """Record the answer; it is free unless a charge rides on it."""
        mt = mt_id(self.known.book, self.mo.mo)
        free = self.known.rules.free_billing_code
        service = sold.service if sold else None
        self.add(
            MtEmitted(
                ref=MtRef(
                    mt=mt,
                    mo=self.mo.mo,
                    gateway=self.mo.gateway,
                    consumer=self.mo.consumer,
                    short_code=self.mo.short_code,
                    operator=self.mo.operator,
                    merchant=service.merchant if service else None,
                    service=service.service if service else None,
                    charge=charge_id,
                    subscription=sold.subscription if sold else None,
                    test=self.test,
                ),
                kind=kind,
                billing_code=sold.tariff.fact.billing_code if sold and charge_id else free,
                tariff=sold.tariff.fact.tariff if sold else None,
                tariff_version=sold.tariff.id if sold else None,
                parts=segments(text).parts,
                occurred_at=self.mo.occurred_at,
            ),
            text,
        )
        self.join(mt)

    def join(self, mt: str) -> None:
        """Let the receipts that came before their message take effect."""
        if not any(isinstance(fact, DeliveryOrphaned) for fact in self.history):
            return
        known = receipt.message(self.facts, mt, self.mo.mo)
        self.drafts.extend(receipt.join(known, self.known.book, self.known.rules.zone))
