"""What our rules say against a charge that another platform made."""

from typing import NamedTuple

import msgspec

from ledger.catalogue import Tariff
from ledger.decisions import opt_out
from ledger.decisions.asked import Asked, says_stop
from ledger.decisions.charging import Purchase, charge
from ledger.decisions.effect import effect_of
from ledger.decisions.spending import reached, spent
from ledger.decisions.story import Exchange
from ledger.decisions.told import Sold, Told, ToldCharged, carried, told_id
from ledger.facts.catalogue import ServiceDeclared
from ledger.facts.charges import ChargeAuthorized, ChargeRefused
from ledger.facts.findings import FindingKind

_AGAINST_RULES = frozenset(
    {"price_above_ceiling", "leg_not_charged_here", "subscriptions_only", "not_passed_on_whole"}
)

_NOBODYS = frozenset[FindingKind](
    {"unattributed", "charged_unmatched", "charged_after_stop", "sold_unknown", "billed_twice"}
)
"""What was charged and may be nobody's earning."""


class Taking(NamedTuple):
    """One charge on its way into the book."""

    exchange: Exchange
    asked: Asked
    told: Told
    sold: Sold
    place: int

    @property
    def charged(self) -> ToldCharged:
        """What was charged."""
        return self.told.charges[self.place]

    @property
    def id(self) -> str:
        """Its id here."""
        return told_id(self.exchange, self.told.charges, self.place)

    @property
    def carried(self) -> bool:
        """Whether it is the one that its leg stands on."""
        return carried(self.told.charges, self.charged.leg) == self.place

    def purchase(self) -> Purchase | None:
        """Give it as we would charge it; None where no tariff is known, or in another currency."""
        tariff, charged = self.sold.tariff, self.charged
        if tariff is None or tariff.fact.currency != charged.currency:
            return None
        match = self.told.match
        keyword = match.keyword if match and self.sold.service else None
        made = self.exchange.purchase(charged.leg, tariff, self.sold.service, keyword)
        return made._replace(price=charged.price)


def earned_by_nobody(taking: Taking) -> bool:
    """Tell whether a charge is nobody's earning, whatever else our rules say against it."""
    return not _NOBODYS.isdisjoint([*_unasked(taking), *_repeated(taking)])


def faults(taking: Taking, purchase: Purchase | None) -> list[FindingKind]:
    """Give what our rules say against a charge."""
    return [*_unasked(taking), *_repeated(taking), *_ill_priced(taking, purchase)]


def _unasked(taking: Taking) -> list[FindingKind]:
    """Hold a charge against what the consumer asked for, and what they stopped."""
    exchange, told, service = taking.exchange, taking.told, taking.sold.service
    stopped = told.stopped or says_stop(taking.asked) or _stopped(exchange, service)
    if stopped and taking.charged.leg == "mt":
        return ["charged_after_stop"]
    if told.match is None or stopped:
        return ["charged_unmatched" if taking.charged.leg == "mt" else "unattributed"]
    return [] if service is not None else ["sold_unknown"]


def _stopped(exchange: Exchange, service: ServiceDeclared | None) -> bool:
    name, mo = service.service if service else None, exchange.mo
    return opt_out.sent_before(exchange.scopes, mo.short_code, name, mo.occurred_at)


def _repeated(taking: Taking) -> list[FindingKind]:
    standing = taking.charged.state in {"authorized", "captured"}
    return ["billed_twice"] if standing and not taking.carried else []


def _ill_priced(taking: Taking, purchase: Purchase | None) -> list[FindingKind]:
    """Hold a charge against the tariff in force, the code's rules and the caps."""
    if purchase is None:
        return []
    found: list[FindingKind] = []
    terms, known = purchase.tariff.fact, taking.exchange.known
    price = terms.mo_price if purchase.leg == "mo" else terms.price
    other = taking.charged.tariff not in {None, terms.tariff}
    if taking.told.match is not None and (price != purchase.price or other):
        found.append("price_not_in_force")
    judged = charge(purchase._replace(tariff=_as_charged(purchase)), known.basis)
    if isinstance(judged, ChargeRefused) and judged.rule in _AGAINST_RULES:
        found.append("against_code_rules")
    wanted = purchase.wanted._replace(charge=taking.id)
    if reached(known.rules.caps, wanted, spent(taking.exchange.facts)):
        found.append("billed_above_cap")
    return found


def _as_charged(purchase: Purchase) -> Tariff:
    """Give the tariff with the price that was charged: a ceiling may bound both legs together."""
    leg = "mo_price" if purchase.leg == "mo" else "price"
    fact = msgspec.structs.replace(purchase.tariff.fact, **{leg: purchase.price})
    return Tariff(purchase.tariff.id, fact)


def by_receipts(taking: Taking, made: ChargeAuthorized) -> list[FindingKind]:
    """Hold what a charge came to against what its receipts mean by our settings."""
    if made.ref.leg == "mo" or made.captures_on in {"mo_received", "operator_file"}:
        return []
    if not taking.carried:
        return []  # Receipts speak of the message, so of the charge that it carries.
    captured = any(effect_of(one, made.captures_on) == "capture" for one in taking.told.receipts)
    match taking.charged.state, captured:
        case "captured", False:
            return ["captured_without_receipt"]
        case "released", True:
            return ["released_though_billed"]
        case _:
            return []
