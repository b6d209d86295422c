"""The rules of soliciting, in the order in which they are judged.

Each says in one line what forbids it; the first one that does is what the asker is told.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from ledger.decisions import solicited
from ledger.decisions.story import Known
from ledger.facts.base import Fact
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured
from ledger.facts.consent import OptedOut
from ledger.facts.solicitations import SolicitationRef, SolicitationRule
from ledger.facts.traffic import MoReceived
from ledger.rules.inforce import Solicitations


class Case:
    """What one asking is judged by."""

    def __init__(
        self, ref: SolicitationRef, history: Sequence[Fact], known: Known, now: datetime
    ) -> None:
        self.ref = ref
        self.facts = history
        self.known = known
        self.now = now
        self.rules = known.rules
        self.bought = solicited.paid(history, test=ref.test)

    @cached_property
    def standing(self) -> solicited.Standing:
        """Where the counter stands that this solicitation would be part of."""
        return solicited.standing(self.facts, solicited.counter_of(self.ref))

    @property
    def count(self) -> int:
        """How many solicitations count, this one not included."""
        return self.standing.count(self.now)

    @property
    def charter(self) -> Solicitations:
        """The charter in force: judged first, so that no other rule is without one."""
        assert self.rules.solicitations is not None
        return self.rules.solicitations


def _has_no_charter(case: Case) -> bool:
    return case.rules.solicitations is None


def _is_unknown(case: Case) -> bool:
    """An asking leaves facts of its own, so only what the consumer did is looked for."""
    return not any(
        isinstance(fact, MoReceived | OptedOut | ChargeAuthorized | ChargeCaptured)
        for fact in case.facts
    )


def _is_not_on_sale(case: Case) -> bool:
    """On sale: the code is open with this operator, and a keyword with a price leads there."""
    catalogue, ref, now = case.known.catalogue, case.ref, case.now
    if catalogue.code(ref.short_code, ref.operator, now) is None:
        return True
    for keyword in catalogue.keywords.get(ref.short_code, frozenset()):
        assigned = catalogue.assignment(ref.short_code, keyword, now)
        if assigned is None or assigned.service != ref.service:
            continue
        if catalogue.tariff(ref.short_code, keyword, now) is not None:
            return catalogue.service(ref.service, now) is None
    return True


def _is_suspended(case: Case) -> bool:
    return case.known.catalogue.suspended(case.ref.service, case.now)


def _is_opted_out(case: Case) -> bool:
    ends = "solicitations" in case.rules.stop.ends
    return ends and solicited.opted_out(case.facts, case.bought, case.ref)


def _never_bought(case: Case) -> bool:
    with_merchant = any(one.ref.merchant == case.ref.merchant for one in case.bought)
    return case.charter.after_purchase and not with_merchant


def _is_out_of_reach(case: Case) -> bool:
    """An alias that paid nothing for so long leads nowhere any more, whoever was paid."""
    days = case.rules.alias_window_days
    if days is None:
        return False
    since = case.now - timedelta(days=days)
    return not any(since < one.captured_at <= case.now for one in case.bought)


def _is_at_the_limit(case: Case) -> bool:
    return case.count >= case.charter.limit_without_return


def _is_outside_hours(case: Case) -> bool:
    hours = case.charter
    local = case.now.astimezone(ZoneInfo(case.rules.zone)).time()
    return not (hours.open_today and hours.opens <= local < hours.closes)


Judge = tuple[SolicitationRule, Callable[[Case], bool]]
ON_ASKING: tuple[Judge, ...] = (
    ("no_charter", _has_no_charter),
    ("unknown_consumer", _is_unknown),
    ("not_on_sale", _is_not_on_sale),
    ("service_suspended", _is_suspended),
    ("opted_out", _is_opted_out),
    ("never_bought", _never_bought),
    ("alias_window", _is_out_of_reach),
    ("limit_without_return", _is_at_the_limit),
    ("outside_hours", _is_outside_hours),
)
"""In the order of judging: the first that forbids it is what the asker is told."""
ON_USE: tuple[Judge, ...] = tuple(
    (rule, forbids)
    for rule, forbids in ON_ASKING
    if rule in {"no_charter", "not_on_sale", "service_suspended", "opted_out", "outside_hours"}
)
"""What may have changed since: the consumer's place was reserved, the rest has to hold again."""


def forbidden_by(case: Case, judges: tuple[Judge, ...]) -> SolicitationRule | None:
    """Give the first rule that forbids it; None where it is permitted."""
    return next((rule for rule, forbids in judges if forbids(case)), None)
