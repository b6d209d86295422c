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
from ledger.words import derived_id


def charge_message(
    exchange: Exchange, asked: Asked, case: FreeCase | None
) -> ChargeAuthorized | ChargeRefused | None:
    """Record what the operator charges for the message; none where it charges nothing.

    `case` is what kind of message it is where nobody sold it; None for one that was matched.
    Refused is what it charges on terms that are not known here.
    """
    if not charges_messages(asked) or _goes_free(exchange, case):
        return None
    purchase = _purchase(exchange, asked, matched=case in {None, "repeated"})
    if purchase is None:
        _find_unpriced(exchange)
        return None
    return _charge(exchange, purchase) if purchase.price else None


def _charge(exchange: Exchange, purchase: Purchase) -> ChargeAuthorized | ChargeRefused:
    made = charge(purchase, exchange.known.basis)
    exchange.beside(made)
    if isinstance(made, ChargeRefused):
        _find(exchange, purchase, "leg_not_booked")
        return made
    if made.captures_on == "mo_received":
        exchange.beside(_captured(made))
    if purchase.service is None:
        _find(exchange, purchase, "unattributed")
    if reached(exchange.known.rules.caps, purchase.wanted, spent(exchange.facts)):
        _find(exchange, purchase, "billed_above_cap")
    return made


def charges_messages(asked: Asked) -> bool:
    """Tell whether operators charge a consumer's own message on this code at all."""
    found = asked.known.rules.range_of(asked.mo.short_code)
    return found is not None and found.billing_point != "mt" and found.ceiling > 0


def _purchase(exchange: Exchange, asked: Asked, *, matched: bool) -> Purchase | None:
    """Give what the message costs; None where nobody told us."""
    if matched and isinstance(asked.wanted, Wanted):
        wanted = asked.wanted
        keyword = wanted.assignment.keyword
        return exchange.purchase("mo", wanted.tariff, wanted.service, keyword)
    tariff = _of_the_code(asked)
    return exchange.purchase("mo", tariff) if tariff else None


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
    about = about_leg(exchange, purchase)._replace(
        amount=purchase.price, currency=purchase.tariff.fact.currency
    )
    find(exchange, kind, purchase.charge, about)


def _find_unpriced(exchange: Exchange) -> None:
    """Find that the operator may charge a message at a price that nobody told us."""
    mo, book = exchange.mo, exchange.known.book
    about = About(
        consumer=mo.consumer,
        short_code=mo.short_code,
        operator=mo.operator,
        mo=mo.mo,
        leg="mo",
        test=exchange.test,
    )
    find(exchange, "leg_not_booked", derived_id(book, "charge", mo.mo, "mo"), about)


def about_leg(exchange: Exchange, purchase: Purchase) -> About:
    """Point a finding at one leg of a message, of no amount."""
    return About(
        consumer=purchase.consumer,
        short_code=purchase.short_code,
        operator=purchase.operator,
        merchant=purchase.service.merchant if purchase.service else None,
        mo=exchange.mo.mo,
        charge=purchase.charge,
        leg=purchase.leg,
        test=purchase.test,
    )


def find(exchange: Exchange, kind: FindingKind, subject: str, about: About) -> None:
    """Open a finding beside what follows from the message."""
    at, book = exchange.mo.occurred_at, exchange.known.book
    exchange.beside(opened(book, kind, subject, about, at))
