"""What a book must show after every step: balanced facts, and the sums that a model tells."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from ledger.facts.base import Recorded
from ledger.facts.charges import ChargeCaptured, ChargeRefunded
from ledger.postings import postings
from tests.support.life_desk import charge_of
from tests.support.life_money import Charge, Money


class Lived(Protocol):
    """What a model tells of charges, by its own names for them, and of their money."""

    charges: dict[str, Charge]
    money: Money


IdOf = Callable[[str], str]
Tables = Mapping[str, Mapping[Any, Any]]

_WHOSE: Mapping[str, Callable[[str], str]] = {
    "operator_receivable_accrued": lambda party: party,
    "merchant_accrued": lambda party: party,
    "refunds_borne_by_merchant": lambda party: party,
    "payouts_in_transit": lambda party: party,
    "unattributed": lambda _: "nobody",
    "aggregator_revenue": lambda _: "ours",
    "merchant_cost": lambda _: "ours",
    "unpaid_by_operator": lambda _: "ours",
    "refunds_borne_by_aggregator": lambda _: "ours",
}
"""Whose money an account of the books is about."""


def unsound(new: Iterable[Recorded]) -> list[str]:
    """Give what is wrong with facts by themselves: their lines, their parts."""
    return [why for one in new for why in _unsound(one)]


def _unsound(one: Recorded) -> Iterable[str]:
    lines = postings(one.fact)
    if sum(line.debit - line.credit for line in lines):
        yield f"{type(one.fact).__name__} posts what does not balance"
    for amounts in (getattr(one.fact, "amounts", None), getattr(one.fact, "taken_back", None)):
        if amounts is None:
            continue
        parts = (amounts.tax, amounts.operator, amounts.aggregator, amounts.merchant)
        if sum(parts) != amounts.price or min(parts) < 0:
            yield f"{type(one.fact).__name__} has parts that are not its price"


def ill_lived(recorded: Sequence[Recorded]) -> list[str]:
    """Give what no charge may do: be captured twice, or give back more than was paid."""
    ids = Counter(one.id for one in recorded)
    facts = [one.fact for one in recorded]
    captures = [one for one in facts if isinstance(one, ChargeCaptured)]
    captured = Counter(one.ref.charge for one in captures)
    paid = {one.ref.charge: one.amounts.price for one in captures}
    given: Counter[str] = Counter()
    for one in facts:
        if isinstance(one, ChargeRefunded):
            given[one.ref.charge] += one.price
    return [
        *(f"{name} is the id of several facts" for name, count in ids.items() if count > 1),
        *(f"{name} is captured twice" for name, count in captured.items() if count > 1),
        *(f"{name} gives back too much" for name in given if given[name] > paid.get(name, 0)),
    ]


def owed(tables: Tables) -> Counter[str]:
    """Sum balances up by whom they are about: what operators owe us, and what we owe others."""
    sums: Counter[str] = Counter()
    for account, moved in tables["balances"].items():
        whose = _WHOSE[account.account](account.party)
        operator = account.account == "operator_receivable_accrued"
        sums[whose] += (moved.debit - moved.credit) * (1 if operator else -1)
    return sums


def declared(tables: Tables) -> Counter[tuple[str, str]]:
    """Sum up what operators are expected to declare, tax included."""
    sums: Counter[tuple[str, str]] = Counter()
    for line, one in tables["expected"].items():
        sums[line.operator, line.what] += one.price
    return sums


def earned(tables: Tables) -> Counter[tuple[str, str]]:
    """Sum up merchants' shares by the state that they are in."""
    sums: Counter[tuple[str, str]] = Counter()
    for account, states in tables["merchant_accounts"].items():
        assert min(states.pending, states.unresolved, states.released, states.earned) >= 0
        pending = states.pending_micros - states.unresolved_micros
        sums[account.merchant, "authorized"] += pending
        sums[account.merchant, "unresolved"] += states.unresolved_micros
        sums[account.merchant, "released"] += states.released_micros
        sums[account.merchant, "captured"] += states.earned_micros
    return sums


def owed_by_accounts(tables: Tables) -> Counter[str]:
    """Give what merchants are owed, as their accounts tell it."""
    sums: Counter[str] = Counter()
    for account, states in tables["merchant_accounts"].items():
        lost = states.refunded_micros + states.written_off_micros
        sums[account.merchant] += states.earned_micros - lost
    return sums


def earned_by_model(model: Lived) -> Counter[tuple[str, str]]:
    """Tell merchants' shares by state from a model."""
    sums: Counter[tuple[str, str]] = Counter()
    for charge in model.charges.values():
        if not charge.nobodys and charge.state != "told":
            sums[charge.sale.merchant or "", charge.state] += charge.sale.theirs
    return sums


def charges(tables: Tables) -> dict[str, tuple[object, ...]]:
    """Show each charge: its state, price, what was given back, and why it is not paid."""
    return {
        name: (one.standing.state, one.standing.amounts.price, one.refunded, one.written_off)
        for name, one in tables["charges"].items()
    }


def charges_by_model(model: Lived, id_of: IdOf) -> dict[str, tuple[object, ...]]:
    """Show the same of a model's charges."""
    return {
        id_of(name): (one.state, one.sale.price, one.given_back, one.written_off)
        for name, one in model.charges.items()
        if one.state != "told"
    }


def without_zeros(sums: Counter) -> dict:
    """Leave out what comes to nothing."""
    return {name: micros for name, micros in sums.items() if micros}


def unlike(tables: Tables, model: Lived, id_of: IdOf = charge_of) -> list[str]:
    """Give where the folds of a book and a model of it differ; `id_of` gives a charge's id."""
    pairs = {
        "charges": (charges(tables), charges_by_model(model, id_of)),
        "owed": tuple(map(without_zeros, (owed(tables), model.money.owed))),
        "declared": tuple(map(without_zeros, (declared(tables), model.money.declared))),
        "earned": tuple(map(without_zeros, (earned(tables), earned_by_model(model)))),
    }
    return [f"{what}: {one} for {other}" for what, (one, other) in pairs.items() if one != other]
