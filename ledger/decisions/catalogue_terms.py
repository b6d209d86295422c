"""What a tariff and a contract must hold by themselves, at the moment they count from."""

from collections.abc import Iterator
from typing import NamedTuple

from ledger.decisions.catalogue_request import Problem, Prospect
from ledger.facts.base import Leg
from ledger.facts.catalogue import ContractAgreed, TariffSet
from ledger.money import FixedAmount, micros_text
from ledger.rules.inforce import CodeRange, Rules


class ChargedLeg(NamedTuple):
    """A leg that has a price, in micros, and the field of its tariff that says so."""

    leg: Leg
    field: str
    price: int


def charged_legs(tariff: TariffSet) -> list[ChargedLeg]:
    """Give the legs that are charged, in the order in which they happen."""
    mo = ChargedLeg("mo", "mo_price", tariff.mo_price)
    both = mo, ChargedLeg("mt", "price", tariff.price)
    return [one for one in both if one.price]


def tariff_problems(fact: TariffSet, prospect: Prospect, rules: Rules) -> Iterator[Problem]:
    """Check a price: its code, its currency, what the rules allow there, and its name."""
    if fact.currency != prospect.book.currency:
        text = f"{fact.currency} is not the book's currency, {prospect.book.currency}"
        yield from prospect.problem(text, (fact, "currency"))
    if not prospect.openings(fact.short_code, fact.effective_from):
        text = f"no operator has opened {fact.short_code} by then"
        yield from prospect.problem(text, (fact, "short_code"))
    if fact.price and fact.billing_code == rules.free_billing_code:
        text = f"{fact.billing_code} tells the operators that a message is free"
        yield from prospect.problem(text, (fact, "billing_code"))
    if (found := rules.range_of(fact.short_code)) is not None:
        yield from _price(fact, found, prospect)
    yield from _what_it_names(fact, prospect)


def _price(fact: TariffSet, allowed: CodeRange, prospect: Prospect) -> Iterator[Problem]:
    yield from _other_leg(fact, allowed, prospect)
    for micros, field, together in _bounded(fact, allowed):
        price = f"{micros_text(micros)}{together}"
        if micros > allowed.ceiling:
            limit = f"the ceiling of {allowed.codes}, {micros_text(allowed.ceiling)}"
            yield from prospect.problem(f"{price} is above {limit}", (fact, field))
        if micros < allowed.floor:
            limit = f"the floor of {allowed.codes}, {micros_text(allowed.floor)}"
            yield from prospect.problem(f"{price} is below {limit}", (fact, field))
    if fact.keyword is not None and allowed.price_attaches_to == "short_code":
        text = f"on {allowed.codes} the price is the code's, not a keyword's"
        yield from prospect.problem(text, (fact, "keyword"))


def _other_leg(fact: TariffSet, allowed: CodeRange, prospect: Prospect) -> Iterator[Problem]:
    """No leg has a price that operators do not charge there."""
    if allowed.billing_point == "mt" and fact.mo_price:
        text = f"on {allowed.codes} a consumer's own message is not charged"
        yield from prospect.problem(text, (fact, "mo_price"))
    if allowed.billing_point == "mo" and fact.price:
        text = f"on {allowed.codes} only a consumer's own message is charged, and no answer"
        yield from prospect.problem(text, (fact, "price"))


def _bounded(fact: TariffSet, allowed: CodeRange) -> list[tuple[int, str, str]]:
    """Give what floor and ceiling bound: micros, the field, and what to add in words.

    A leg without a price is not charged, so only a tariff without any is held against the floor.
    """
    legs = charged_legs(fact)
    if allowed.ceiling_on == "legs_together" and len(legs) > 1:
        return [(fact.mo_price + fact.price, "price", " for a message and its answer")]
    if not legs:
        return [(0, "mo_price" if allowed.billing_point == "mo" else "price", "")]
    return [(leg.price, leg.field, "") for leg in legs]


def _what_it_names(fact: TariffSet, prospect: Prospect) -> Iterator[Problem]:
    if fact.keyword and fact.keyword not in prospect.then.keywords.get(fact.short_code, ()):
        text = f"{fact.keyword} is no keyword of {fact.short_code}"
        yield from prospect.problem(text, (fact, "keyword"))
    for other in prospect.namesakes(fact):
        if (other.short_code, other.keyword) != (fact.short_code, fact.keyword):
            about = " ".join(filter(None, (other.short_code, other.keyword)))
            text = f"{fact.tariff} is also the name of the tariff of {about}"
            yield from prospect.problem(text, (fact, "tariff"))
            return


def contract_problems(fact: ContractAgreed, prospect: Prospect) -> Iterator[Problem]:
    """Check a contract: its party, its share, the tariff it is about, and its name."""
    if fact.party == "merchant":
        yield from prospect.unregistered(fact, fact.merchant or "", "merchant")
        yield from _operator_unknown(fact, prospect)
    elif fact.operator is None or fact.merchant is not None:
        text = "a contract with an operator names the operator and no merchant"
        yield from prospect.problem(text, (fact, "operator"))
    else:
        yield from _bears_nothing(fact, prospect)
    if text := _impossible_share(fact):
        yield from prospect.problem(text, (fact, "share"))
    if fact.tariff is not None and (TariffSet, fact.tariff) not in prospect.named:
        yield from prospect.problem(f"there is no tariff {fact.tariff}", (fact, "tariff"))
    yield from _same_name(fact, prospect)


def _bears_nothing(fact: ContractAgreed, prospect: Prospect) -> Iterator[Problem]:
    """Who bears what is given back is agreed with merchants; an operator only reverses."""
    for field in ("refunds_borne_by", "unpaid_borne_by"):
        if getattr(fact, field) != "aggregator":
            text = "is agreed with a merchant, not with an operator"
            yield from prospect.problem(text, (fact, field))


def _operator_unknown(fact: ContractAgreed, prospect: Prospect) -> Iterator[Problem]:
    """A misspelt operator would leave the merchant, silently, to its more general terms."""
    known = {operator for operators in prospect.operators.values() for operator in operators}
    if fact.operator is not None and fact.operator not in known:
        text = f"no code was ever opened with {fact.operator}"
        yield from prospect.problem(text, (fact, "operator"))


def _same_name(fact: ContractAgreed, prospect: Prospect) -> Iterator[Problem]:
    for other in prospect.namesakes(fact):
        if _scope(other) != _scope(fact):
            about = ", ".join(filter(None, _scope(other)))
            text = f"{fact.contract} is also the name of the contract with {about}"
            yield from prospect.problem(text, (fact, "contract"))
            return


def _impossible_share(fact: ContractAgreed) -> str:
    """Say why a share can never be, whatever the price; empty where it can."""
    share = fact.share
    if isinstance(share, FixedAmount):
        return "an amount for each message must not be negative" if share.amount < 0 else ""
    if fact.party == "operator" and share.base == "reversement":
        return "what the operator owes us cannot be a share of itself"
    if share.rate.numerator > share.rate.denominator:
        return "nobody can have more than 100 %"
    return ""


def _scope(fact: ContractAgreed) -> tuple[str | None, ...]:
    return (fact.merchant, fact.operator, fact.tariff)
