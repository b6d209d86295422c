"""Issue and revoke keys, admit those who present one, and record what they were shown."""

import os
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.access import Grants, key_text, secret_digest
from ledger.commands.desk import Desk, Settled
from ledger.decisions import access
from ledger.facts.access import AccessGranted, EvidenceDisclosed, Role
from ledger.facts.base import Draft, Recorded
from ledger.facts.registry import REGISTRY, Origin
from ledger.facts.tags import ACCESS, TRADE
from ledger.log.rows import Interest
from ledger.words import derived_id, instant_text


class IssuedKey(NamedTuple):
    """A new key, in the clear for the only time."""

    text: str
    grant: AccessGranted


class Wanted(NamedTuple):
    """The key that is asked for."""

    role: Role
    label: str
    expires_at: datetime
    merchant: str | None = None
    gateway: str | None = None


async def issue_key(desk: Desk, wanted: Wanted, origin: Origin, now: datetime) -> IssuedKey:
    """Draw a key and grant it.

    Raises:
        BookNotOpen: the book has no first fact yet.
        GatewayMissing: a gateway's key names no gateway, or another's key names one.
        UnknownGateway: it names a gateway that was not declared.
        MerchantMissing: a merchant's key names no merchant, or another's key names one.
        MerchantNotRegistered: it names a merchant that this book does not know.
    """
    key, secret = os.urandom(8).hex(), secrets.token_urlsafe(32)
    grant = AccessGranted(
        key=key,
        secret_sha256=secret_digest(secret),
        role=wanted.role,
        merchant=wanted.merchant,
        gateway=wanted.gateway,
        label=wanted.label,
        expires_at=wanted.expires_at,
        occurred_at=now,
    )

    async def once() -> Settled:
        catalogue = desk.catalogue
        query = (Interest((TRADE,), after=catalogue.position),)
        return await desk.settle(query, lambda _: access.grant(grant, catalogue, desk.book), origin)

    await desk.refresh()
    await desk.attempt(once)
    return IssuedKey(key_text(key, secret), grant)


async def revoke_key(desk: Desk, key: str, reason: str, origin: Origin, now: datetime) -> Settled:
    """Revoke a key.

    Raises:
        UnknownKey: this book never granted it.
        KeyAlreadyRevoked: it was revoked before.
    """

    def decide(history: list[Recorded]) -> list[Draft]:
        return access.revoke(key, reason, Grants().advance(history), now)

    return await desk.settle((Interest((ACCESS,)),), decide, origin)


async def read_grants(desk: Desk, known: Grants) -> Grants:
    """Bring the book's keys up to date."""
    rows, _ = await desk.log.read((Interest((ACCESS,), after=known.position),))
    return known.advance(REGISTRY.decode(row) for row in rows)


class Shown(NamedTuple):
    """What was shown: one exchange of a consumer, or, with no `mo`, a stretch of the trail."""

    consumer: str
    mo: str | None
    after_position: int
    through_position: int


async def disclose(
    desk: Desk, shown: Sequence[Shown], viewer: AccessGranted, origin: Origin, now: datetime
) -> Settled:
    """Record that a key is shown personal content, before it is; this rests on nothing.

    Each time is a fact of its own, also where a caller uses a request's name again.
    """
    at = instant_text(now)
    drafts = [
        Draft(
            EvidenceDisclosed(
                disclosure=derived_id(
                    desk.book, "disclosure", viewer.key, origin.request or "", at, place
                ),
                key=viewer.key,
                role=viewer.role,
                consumer=one.consumer,
                mo=one.mo,
                after_position=one.after_position,
                through_position=one.through_position,
                occurred_at=now,
            )
        )
        for place, one in enumerate(shown)
    ]
    return await desk.settle((), lambda _: drafts, origin)
