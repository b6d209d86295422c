"""A fact as one flat row, for those who read tables; the verbatim lines stay the authority."""

from hashlib import sha256
from typing import Any

import msgspec

from ledger.log.rows import StoredRow, entry_bytes
from ledger.money import micros_text
from ledger.words import instant_text

_ABOUT = ("consumer", "merchant", "service", "short_code", "operator", "mo", "mt", "charge")
_WHY = ("rule", "outcome", "reason")

COLUMNS = (
    *("position", "recorded_at", "occurred_at", "type", "fact"),
    *("exchange", "caused_by", "actor"),
    *_ABOUT,
    *("amount", "currency"),
    *_WHY,
    "leaf_sha256",
)
"""No text of anybody's is among them, sealed or not. The amount is the price, tax included."""


def leaf_hash(row: StoredRow) -> str:
    """Give the hash that stands for a fact: SHA-256 of a zero byte and its entry.

    Source: RFC 6962, section 2.1 (the hash of a leaf).
    """
    return sha256(b"\x00" + entry_bytes(row)).hexdigest()


def flat(row: StoredRow) -> tuple[str | None, ...]:
    """Lay a stored fact out in `COLUMNS`; a field that its type does not have is empty."""
    envelope: dict[str, Any] = msgspec.json.decode(row.data)
    fact: dict[str, Any] = envelope["fact"]
    about = fact.get("ref", {}) | fact
    return (
        *(str(row.position), instant_text(row.recorded_at), about.get("occurred_at"), row.type),
        *(envelope["id"], envelope.get("exchange"), envelope.get("caused_by"), envelope["actor"]),
        *(about.get(name) for name in _ABOUT),
        *(_amount(fact), fact.get("currency")),
        *(about.get(name) for name in _WHY),
        leaf_hash(row),
    )


def _amount(fact: dict[str, Any]) -> str | None:
    amounts: dict[str, int] = fact.get("amounts", {})
    micros = amounts.get("price", fact.get("price", fact.get("amount")))
    return micros_text(micros) if isinstance(micros, int) else None
