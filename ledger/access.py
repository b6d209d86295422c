"""Who may come in: keys folded from their facts, and what each of them opens.

A key is `obole_<id>_<secret>`. Only a digest of the secret is kept, which is enough for 256
random bits; it is shown once, when the key is issued.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple, Self

from ledger.facts.access import AccessGranted, AccessRevoked
from ledger.facts.base import Recorded

_KEY = re.compile(r"obole_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


class Grants(NamedTuple):
    """The keys of one book, up to `position`."""

    position: int = 0
    granted: Mapping[str, AccessGranted] = {}
    revoked: frozenset[str] = frozenset()

    def advance(self, facts: Iterable[Recorded]) -> Self:
        """Take in further facts, in order; those not of access change nothing."""
        granted, revoked, position = dict(self.granted), set(self.revoked), self.position
        for one in facts:
            position = max(position, one.position)
            if isinstance(one.fact, AccessGranted):
                granted[one.fact.key] = one.fact
            elif isinstance(one.fact, AccessRevoked):
                revoked.add(one.fact.key)
        return self._replace(position=position, granted=granted, revoked=frozenset(revoked))

    def admits(self, presented: str, at: datetime) -> AccessGranted | None:
        """Give what a presented key opens here; None for one that is wrong, ended or unknown."""
        found = _KEY.fullmatch(presented)
        grant = self.granted.get(found[1]) if found else None
        if found is None or grant is None:
            return None
        right = hmac.compare_digest(grant.secret_sha256, secret_digest(found[2]))
        ended = grant.key in self.revoked or grant.expires_at <= at
        return grant if right and not ended else None


def secret_digest(secret: str) -> str:
    """Give what is kept of a secret."""
    return sha256(secret.encode()).hexdigest()


def key_text(key: str, secret: str) -> str:
    """Write a key as its holder presents it."""
    return f"obole_{key}_{secret}"
