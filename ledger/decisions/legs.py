"""The leg that operators charge by themselves: a consumer's own message, where they do.

It is recorded as charged whatever the message says, unless the country's operators let that case
go free. What nobody sold is unattributed, and a finding: it is to be refunded.
"""

from ledger.catalogue import Tariff
from ledger.decisions.asked import Asked, Wanted
from ledger.decisions.charging import Purchase, charge
from ledger.decisions.finding import About, opened
from ledger.decisions.spending import reached, spent
from ledger.decisions.story import Exchange
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeRefused
from ledger.facts.findings import FindingKind
from ledger.rules.inforce import FreeCase


def charge_message(exchange: Exchange, asked: Asked, case: FreeCase | None) -> bool:
    """Record what the operator charges for the message; tells whether it does.

    `case` is what kind of message it is where nobody sold it; None for one that was matched.
    """
    purchase = _purchase(exchange, asked, matched=case in {None, "repeated"})
    if purchase is None or _goes_free(exchange, case):
        return False
    made = charge(purchase, exchange.known.basis)
    exchange.beside(made)
    if isinstance(made, ChargeRefused):
        _find(exchange, purchase, "leg_not_booked")
        return True
    if made.captures_on == "mo_received":
        exchange.beside(_captured(made))
    if purchase.service is None:
        _find(exchange, purchase, "unattributed")
    if reached(exchange.known.rules.caps, purchase.wanted, spent(exchange.history)):
        _find(exchange, purchase, "billed_above_cap")
    return True


def charges_messages(asked: Asked) -> bool:
    """Tell whether operators charge a consumer's own message on this code at all."""
    found = asked.known.rules.range_of(asked.mo.short_code)
    return found is not None and found.billing_point != "mt"


def _purchase(exchange: Exchange, asked: Asked, *, matched: bool) -> Purchase | None:
    """Give what the message costs; None where it costs nothing."""
    if not charges_messages(asked):
        return None
    if matched and isinstance(asked.wanted, Wanted):
        wanted = asked.wanted
        keyword = wanted.assignment.keyword
        purchase = exchange.purchase("mo", wanted.tariff, wanted.service, keyword)
    else:
        tariff = _of_the_code(asked)
        purchase = exchange.purchase("mo", tariff) if tariff else None
    return purchase if purchase and purchase.price else None


def _of_the_code(asked: Asked) -> Tariff | None:
    return asked.known.catalogue.code_tariff(asked.mo.short_code, asked.mo.occurred_at)


def _goes_free(exchange: Exchange, case: FreeCase | None) -> bool:
    terms = exchange.known.rules.mo_charge
    return terms is not None and case in terms.free


def _captured(made: ChargeAuthorized) -> ChargeCaptured:
    """Let a charge be captured by the message's arrival, as the settings say."""
    return ChargeCaptured(
        ref=made.ref,
        amounts=made.amounts,
        currency=made.currency,
        authorized_day=made.value_day,
        was="authorized",
        value_day=made.value_day,
        occurred_at=made.occurred_at,
    )


def _find(exchange: Exchange, purchase: Purchase, kind: FindingKind) -> None:
    mo = exchange.mo
    about = About(
        consumer=mo.consumer,
        short_code=mo.short_code,
        operator=mo.operator,
        merchant=purchase.service.merchant if purchase.service else None,
        mo=mo.mo,
        charge=purchase.charge,
        leg="mo",
        amount=purchase.price,
        currency=purchase.tariff.fact.currency,
        test=purchase.test,
    )
    exchange.beside(opened(exchange.known.book, kind, purchase.charge, about, mo.occurred_at))
