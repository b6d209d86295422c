"""Under which tags each fact is found: one pure function, and the grammar of tags.

The tags are part of what is hashed, so this table may gain facts but never change for one.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from urllib.parse import quote

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
from ledger.facts.base import Fact

MAX_TAGS = 8
TRADE = "catalogue:trade"
"""Everything that a decision on traffic knows beforehand: rules, gateways, the catalogue."""
ACCESS = "catalogue:access"
"""Who may come in."""

_PLAIN = re.compile(r"[A-Za-z0-9._/+-]{1,128}")
_ENCODED = re.compile(r"[A-Za-z0-9._/+%-]{1,128}")

_MESSAGE = ("consumer", "code=short_code", "operator")
_MT = (
    "mt=ref.mt",
    "mo=ref.mo",
    "charge=ref.charge",
    "merchant=ref.merchant",
    "consumer=ref.consumer",
    "code=ref.short_code",
    "operator=ref.operator",
    "subscription=ref.subscription",
    "solicitation=ref.solicitation",
    "notice=ref.notice",
)
_CHARGE = (
    "charge=ref.charge",
    "mo=ref.mo",
    "consumer=ref.consumer",
    "merchant=ref.merchant",
    "code=ref.short_code",
    "operator=ref.operator",
    "subscription=ref.subscription",
)
_ABOUT = ("consumer=ref.consumer", "merchant=ref.merchant", "code=ref.short_code")
"""What every reference of a consumer's dealings with a merchant has, beside its operator."""
_SUBSCRIPTION = ("subscription=ref.subscription", *_ABOUT, "operator=ref.operator")
_SOLICITATION = ("solicitation=ref.solicitation", *_ABOUT, "operator=ref.operator")
_NOTICE = ("notice=ref.notice", *_ABOUT, "operator=ref.operator")
_FINDING = ("finding", "charge", "merchant", *_MESSAGE)

_TAGGED: dict[type[Fact], tuple[str, ...]] = {
    book.BookOpened: (TRADE,),
    book.RulesAdopted: (TRADE,),
    book.GatewayDeclared: (TRADE,),
    traffic.MoReceived: ("mo", *_MESSAGE),
    traffic.ConflictingDuplicateReceived: ("mo", *_MESSAGE),
    traffic.DuplicateSuspected: ("mo", "merchant", *_MESSAGE),
    imported.ExchangeImported: ("mo", "merchant", *_MESSAGE),
    traffic.KeywordMatched: ("mo", "merchant", *_MESSAGE),
    traffic.KeywordUnmatched: ("mo", *_MESSAGE),
    traffic.MtEmitted: _MT,
    handover.MtHandoverUnknown: _MT,
    handover.MtHandedOver: _MT,
    handover.MtHandoverRefused: _MT,
    handover.MtCancelled: _MT,
    traffic.MtSubmitted: _MT,
    traffic.DeliveryReceived: _MT,
    traffic.DeliveryOrphaned: ("mt",),
    charges.ChargeAuthorized: _CHARGE,
    charges.ChargeRefused: ("charge", "mo", "merchant", "subscription", *_MESSAGE),
    charges.ChargeCaptured: ("mt", *_CHARGE),
    charges.ChargeUnresolved: _CHARGE,
    charges.ChargeReleased: ("mt", *_CHARGE),
    charges.ChargeRefunded: _CHARGE,
    charges.RefundRefused: _CHARGE,
    charges.ChargeWrittenOff: _CHARGE,
    consent.OptedOut: ("mo", "merchant", *_MESSAGE),
    consent.OptOutLifted: ("mo", *_MESSAGE),
    subscriptions.SubscriptionRequested: ("mo", *_SUBSCRIPTION),
    subscriptions.SubscriptionRefused: ("mo", "merchant", "subscription", *_MESSAGE),
    subscriptions.SubscriptionStarted: ("mo", *_SUBSCRIPTION),
    subscriptions.SubscriptionRenewed: ("mt", "charge", *_SUBSCRIPTION),
    subscriptions.RenewalRefused: _SUBSCRIPTION,
    subscriptions.SubscriptionStopped: ("mo", *_SUBSCRIPTION),
    solicitations.SolicitationAllowed: _SOLICITATION,
    solicitations.SolicitationRefused: _SOLICITATION,
    solicitations.SolicitationExpired: _SOLICITATION,
    notices.NoticeDue: ("mo", "charge", *_NOTICE),
    notices.NoticeSent: ("mt", *_NOTICE),
    notices.NoticeDropped: _NOTICE,
    findings.FindingOpened: ("mo", "mt", *_FINDING),
    findings.FindingClosed: _FINDING,
    catalogue.MerchantRegistered: (TRADE, "merchant"),
    catalogue.ContractAgreed: (TRADE, "merchant", "operator"),
    catalogue.ShortCodeOpened: (TRADE, "code=short_code", "operator"),
    catalogue.ShortCodeClosed: (TRADE, "code=short_code", "operator"),
    catalogue.ServiceDeclared: (TRADE, "merchant"),
    catalogue.KeywordAssigned: (TRADE, "code=short_code", "merchant"),
    catalogue.KeywordWithdrawn: (TRADE, "code=short_code"),
    catalogue.TariffSet: (TRADE, "code=short_code"),
    catalogue.ServiceSuspended: (TRADE, "merchant"),
    catalogue.ServiceResumed: (TRADE, "merchant"),
    catalogue.TestNumberDeclared: (TRADE, "consumer"),
    catalogue.TestNumberWithdrawn: (TRADE, "consumer"),
    access.AccessGranted: (ACCESS, "merchant"),
    access.AccessRevoked: (ACCESS,),
    access.EvidenceDisclosed: ("mo", "consumer"),
    access.AuditExported: ("consumer", "code=short_code"),
}
"""Constant tags, and `tag=attribute` (or one word for both); an attribute of None gives none."""


class TagRefused(ValueError):
    """A tag does not follow the grammar, or there are too many."""


# The facts of one exchange are found under the same few tags.
@lru_cache(maxsize=16_384)
def tag(kind: str, value: str) -> str:
    """Write one tag, percent-encoding what the grammar does not hold.

    Raises:
        TagRefused: the value is empty or longer than 128 characters once encoded.
    """
    if not _PLAIN.fullmatch(value):
        # The grammar is narrower than a URL's, where a tilde may stand.
        written = quote(value, safe="/+", errors="surrogatepass").replace("~", "%7E")
        if not _ENCODED.fullmatch(written):
            raise TagRefused(f"no tag can be made of {kind} {value[:40]!r}")
        value = written
    return f"{kind}:{value}"


def tags_of(fact: Fact) -> tuple[str, ...]:
    """Give the tags of a fact, unique and sorted bytewise.

    Raises:
        TagRefused: a value cannot be written as a tag.
    """
    constant, read = _READERS[type(fact)]
    found = {*constant}
    for kind, get in read:
        value = get(fact)
        if value is not None:
            found.add(tag(kind, value))
    if len(found) > MAX_TAGS:
        raise TagRefused(f"{len(found)} tags, but at most {MAX_TAGS} are allowed")
    return tuple(sorted(found))


_Reader = tuple[tuple[str, ...], tuple[tuple[str, Callable[[Fact], str | None]], ...]]


def _reader(entries: tuple[str, ...]) -> _Reader:
    constant = tuple(entry for entry in entries if ":" in entry)
    pairs = (entry.partition("=") for entry in entries if ":" not in entry)
    return constant, tuple((kind, attrgetter(path or kind)) for kind, _, path in pairs)


_READERS = {fact: _reader(entries) for fact, entries in _TAGGED.items()}
