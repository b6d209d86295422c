"""Every fact that the log may hold, by its stored name, and its way into a row and back.

A released fact is never edited. A new version is a class of its own beside the old one,
with an upcaster from the old to the new; old rows keep their bytes for ever.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from ledger.facts import (
    access,
    book,
    catalogue,
    charges,
    consent,
    findings,
    handover,
    imported,
    notices,
    solicitations,
    subscriptions,
    traffic,
)
from ledger.facts.base import Draft, Fact, Recorded, Sealed
from ledger.facts.tags import tags_of
from ledger.log.rows import Row, StoredRow
from ledger.words import derived_among, framed_often

F = TypeVar("F", bound=Fact)
Upcaster = Callable[[Any], Fact]


class Envelope(
    msgspec.Struct, Generic[F], frozen=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What stands in a row's `data`: the fact, and how it came about."""

    id: str
    actor: str
    fact: F
    exchange: str | None = None
    """The MO (or, later, cycle or allowance) whose chain it belongs to."""
    caused_by: str | None = None
    """The id of the fact that it follows from."""
    request: str | None = None


class Origin(NamedTuple):
    """Who asked for a fact, and in which request."""

    book: str
    actor: str
    request: str | None = None


class UnknownFact(ValueError):
    """A row has a type that this version of the code does not know."""


class FactRefused(ValueError):
    """A fact's values are not what its fields allow: written, it could never be read again."""


class UnsealedText(AssertionError):
    """Personal content was about to be written in the clear."""


@lru_cache(maxsize=1_024)
def stored_name(fact: type[Fact]) -> str:
    """Give the name under which facts of this class are stored."""
    return str(fact.__struct_config__.tag)


@lru_cache(maxsize=4096)
def fact_id(book_name: str, fact: type[Fact], subject: str, n: int = 0) -> str:
    """Give the id of a fact: it follows from the book, the type, the subject and `n`."""
    head = framed_often(book_name, stored_name(fact))
    return derived_among(head, subject, framed_often(n))


class Registry:
    """A closed set of facts, with the upcasters between their versions."""

    def __init__(
        self, facts: Iterable[type[Fact]], upcasters: Mapping[type[Fact], Upcaster] | None = None
    ) -> None:
        self.by_name = {stored_name(fact): fact for fact in facts}
        self._upcasters = dict(upcasters or {})
        self._encoder = msgspec.json.Encoder()

    @cached_property
    def _decoders(self) -> dict[str, msgspec.json.Decoder[Envelope[Any]]]:
        return {name: msgspec.json.Decoder(Envelope[fact]) for name, fact in self.by_name.items()}

    def encode(self, draft: Draft, origin: Origin, text: Sealed | None = None) -> Row:
        """Turn a draft into the row to append; `text` is its content, sealed.

        Raises:
            UnsealedText: the draft has content, and it was not sealed.
            TagRefused: a value cannot be written as a tag.
        """
        fact = draft.fact
        if draft.text is not None:
            if text is None:
                raise UnsealedText(stored_name(type(fact)))
            fact = msgspec.structs.replace(fact, text=text)
        envelope = Envelope(
            id=fact_id(origin.book, type(fact), fact.subject, draft.n),
            actor=origin.actor,
            fact=fact,
            exchange=draft.exchange,
            caused_by=draft.caused_by,
            request=origin.request,
        )
        return Row(stored_name(type(fact)), tags_of(fact), self._encoder.encode(envelope))

    def decode(self, row: StoredRow | Row, book: str = "") -> Recorded:
        """Read a row, brought up to the newest version of its fact.

        A row that has no place yet gets position 0, and `book` as its book.

        Raises:
            UnknownFact: the row's type is not of this registry.
            msgspec.ValidationError: the data is not what the type says.
        """
        try:
            decoder = self._decoders[row.type]
        except KeyError:
            raise UnknownFact(f"no fact is called {row.type}") from None
        envelope = decoder.decode(row.data)
        fact: Fact = envelope.fact
        while (upcaster := self._upcasters.get(type(fact))) is not None:
            fact = upcaster(fact)
        stored = isinstance(row, StoredRow)
        return Recorded(
            book=row.book if stored else book,
            position=row.position if stored else 0,
            recorded_at=row.recorded_at if stored else None,
            id=envelope.id,
            exchange=envelope.exchange,
            caused_by=envelope.caused_by,
            actor=envelope.actor,
            request=envelope.request,
            fact=fact,
        )


AnyFact = (
    book.BookOpened
    | book.RulesAdopted
    | book.GatewayDeclared
    | traffic.MoReceived
    | traffic.ConflictingDuplicateReceived
    | traffic.DuplicateSuspected
    | imported.ExchangeImported
    | traffic.KeywordMatched
    | traffic.KeywordUnmatched
    | traffic.MtEmitted
    | handover.MtHandoverUnknown
    | handover.MtHandedOver
    | handover.MtHandoverRefused
    | handover.MtCancelled
    | traffic.MtSubmitted
    | traffic.DeliveryReceived
    | traffic.DeliveryOrphaned
    | charges.ChargeAuthorized
    | charges.ChargeRefused
    | charges.ChargeCaptured
    | charges.ChargeUnresolved
    | charges.ChargeReleased
    | charges.ChargeRefunded
    | charges.RefundRefused
    | charges.ChargeWrittenOff
    | consent.OptedOut
    | consent.OptOutLifted
    | subscriptions.SubscriptionRequested
    | subscriptions.SubscriptionRefused
    | subscriptions.SubscriptionStarted
    | subscriptions.SubscriptionRenewed
    | subscriptions.RenewalRefused
    | subscriptions.SubscriptionStopped
    | solicitations.SolicitationAllowed
    | solicitations.SolicitationRefused
    | solicitations.SolicitationExpired
    | notices.NoticeDue
    | notices.NoticeSent
    | notices.NoticeDropped
    | findings.FindingOpened
    | findings.FindingClosed
    | catalogue.MerchantRegistered
    | catalogue.ContractAgreed
    | catalogue.ShortCodeOpened
    | catalogue.ShortCodeClosed
    | catalogue.ServiceDeclared
    | catalogue.KeywordAssigned
    | catalogue.KeywordWithdrawn
    | catalogue.TariffSet
    | catalogue.ServiceSuspended
    | catalogue.ServiceResumed
    | catalogue.TestNumberDeclared
    | catalogue.TestNumberWithdrawn
    | access.AccessGranted
    | access.AccessRevoked
    | access.EvidenceDisclosed
    | access.AuditExported
)
"""Every fact of today's version: what a fold names, each one, also the ignored ones."""

REGISTRY = Registry(AnyFact.__args__)
