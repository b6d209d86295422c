"""Granting and revoking keys, and recording who was shown what."""

from datetime import datetime

from ledger.access import Grants
from ledger.catalogue import Catalogue
from ledger.decisions.refusals import (
    BookNotOpen,
    GatewayMissing,
    KeyAlreadyRevoked,
    MerchantMissing,
    MerchantNotRegistered,
    UnknownGateway,
    UnknownKey,
)
from ledger.facts.access import AccessGranted, AccessRevoked
from ledger.facts.base import Draft


def grant(wanted: AccessGranted, catalogue: Catalogue, book: str) -> list[Draft]:
    """Decide to grant a key.

    Raises:
        BookNotOpen: the book has no first fact yet.
        GatewayMissing: a gateway's key names no gateway, or another's key names one.
        UnknownGateway: it names a gateway that was not declared.
        MerchantMissing: a merchant's key names no merchant, or another's key names one.
        MerchantNotRegistered: it names a merchant that this book does not know.
    """
    if catalogue.book is None:
        raise BookNotOpen(book)
    if (wanted.role == "gateway") != (wanted.gateway is not None):
        raise GatewayMissing(wanted.role)
    if wanted.gateway and catalogue.gateway(wanted.gateway, wanted.occurred_at) is None:
        raise UnknownGateway(wanted.gateway)
    if (wanted.role == "merchant") != (wanted.merchant is not None):
        raise MerchantMissing(wanted.role)
    if wanted.merchant and catalogue.merchant(wanted.merchant, wanted.occurred_at) is None:
        raise MerchantNotRegistered(wanted.merchant)
    return [Draft(wanted)]


def revoke(key: str, reason: str, known: Grants, now: datetime) -> list[Draft]:
    """Decide to revoke a key.

    Raises:
        UnknownKey: this book never granted it.
        KeyAlreadyRevoked: it was revoked before.
    """
    if key not in known.granted:
        raise UnknownKey(key)
    if key in known.revoked:
        raise KeyAlreadyRevoked(key)
    return [Draft(AccessRevoked(key=key, reason=reason, occurred_at=now))]
