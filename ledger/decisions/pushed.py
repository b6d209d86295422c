"""A message that answers no request: decided here, and handed to the gateway by somebody else."""

from datetime import datetime
from typing import NamedTuple

from ledger.facts.traffic import MtEmitted, MtKind, MtRef
from ledger.texts import segments
from ledger.words import derived_id


class Priced(NamedTuple):
    """What tells the operator the price of a message, and the tariff that it follows."""

    billing_code: str
    tariff: str | None = None
    tariff_version: str | None = None


def pushed_mt_id(book: str, cause: str, kind: MtKind, n: int = 0) -> str:
    """Give the id of the `n`th message of a kind that one cause brings about."""
    return derived_id(book, "mt", cause, kind, n)


def pushed(
    ref: MtRef, kind: MtKind, text: str, priced: Priced, smsc: str, occurred_at: datetime
) -> MtEmitted:
    """Give the fact of a message to be pushed; its text is sealed by whoever appends it."""
    return MtEmitted(
        ref=ref,
        kind=kind,
        billing_code=priced.billing_code,
        tariff=priced.tariff,
        tariff_version=priced.tariff_version,
        parts=segments(text).parts,
        pushed=True,
        smsc=smsc,
        occurred_at=occurred_at,
    )
