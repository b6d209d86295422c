"""What a receipt does to a charge that is pending elsewhere, and was never allowed here.

Another platform told of it, our rules forbid it, and so there is no authorization to capture. Where
it is billed all the same it is booked as that, by the terms that were found when it was told.
"""

from collections.abc import Iterable, Iterator, Sequence

from ledger.decisions.effect import Receipt, effect_of
from ledger.facts.base import Fact
from ledger.facts.charges import ChargeCaptured
from ledger.facts.imported import ExchangeImported, ToldCharge
from ledger.words import local_day


def bill(receipt: Receipt, charge: str, facts: Sequence[Fact], zone: str) -> Sequence[Fact]:
    """Record that such a charge was billed, once, whatever is reported after."""
    if any(isinstance(one, ChargeCaptured) and one.ref.charge == charge for one in facts):
        return []
    found = (_captured(receipt, exchange, told, zone) for exchange, told in _told(facts, charge))
    return [captured for captured in found if captured is not None][:1]


def _told(facts: Iterable[Fact], charge: str) -> Iterator[tuple[ExchangeImported, ToldCharge]]:
    for fact in facts:
        if isinstance(fact, ExchangeImported):
            yield from ((fact, one) for one in fact.charges if one.charge == charge)


def _captured(
    receipt: Receipt, exchange: ExchangeImported, told: ToldCharge, zone: str
) -> ChargeCaptured | None:
    terms = told.terms
    if terms is None or effect_of(receipt, terms.captures_on) != "capture":
        return None
    at = max(receipt.occurred_at, exchange.occurred_at)
    day = local_day(at, zone)
    return ChargeCaptured(
        ref=terms.ref,
        amounts=terms.amounts,
        currency=told.currency,
        mt=receipt.mt,
        authorized_day=day,
        was="unauthorized",
        value_day=day,
        occurred_at=at,
    )
