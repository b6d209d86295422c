"""Keywords over time, judged as a slow and plain model judges them."""

from datetime import timedelta
from itertools import combinations
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.decisions.catalogue import CatalogueRefused, Circumstances, Requested, change
from ledger.facts.catalogue import KeywordAssigned, KeywordWithdrawn
from tests.support.catalogues import NOW, RULES, SMALL, after

KNOWN = after(SMALL)
SERVICES = {"ludo": "quiz", "astro": "stars"}
REST = 3
"""Steps of 30 days that a keyword rests: the settings say 90 days."""


class Step(NamedTuple):
    """What becomes of a keyword at the `at`-th step of 30 days; no merchant, a withdrawal."""

    at: int
    keyword: str
    merchant: str | None


steps = st.lists(
    st.builds(
        Step,
        at=st.integers(0, 8),
        keyword=st.sampled_from(["NEUF", "NEUF ASTRAL", "NEUF ASTRAL DU JOUR", "AUTRE"]),
        merchant=st.sampled_from(["ludo", "astro", None]),
    ),
    max_size=6,
    unique_by=lambda step: (step.at, step.keyword),
)


def accepted(plan: list[Step]) -> bool:
    """Tell whether the decision takes a plan."""
    asked = [Requested(fact_of(step), f"step {at}") for at, step in enumerate(plan)]
    try:
        change(asked, KNOWN, Circumstances(RULES.at, has_traffic=False, now=NOW))
    except CatalogueRefused:
        return False
    return True


def fact_of(step: Step) -> KeywordAssigned | KeywordWithdrawn:
    """Give the fact that a step asks for."""
    since = NOW + timedelta(days=30 * step.at)
    if step.merchant is None:
        return KeywordWithdrawn(short_code="81014", keyword=step.keyword, effective_from=since)
    return KeywordAssigned(
        short_code="81014",
        keyword=step.keyword,
        service=SERVICES[step.merchant],
        merchant=step.merchant,
        effective_from=since,
    )


class Model:
    """Who has which keyword, and who gave it up last and when."""

    def __init__(self) -> None:
        self.holder: dict[str, str] = {}
        self.given_up: dict[str, tuple[str, int]] = {}

    def plays(self, step: Step) -> bool:
        """Take a step, unless it is against the rules."""
        had = self.holder.get(step.keyword)
        last = self.given_up.get(step.keyword)
        if step.merchant is None:
            if had is not None:
                self.given_up[step.keyword] = (self.holder.pop(step.keyword), step.at)
            # A second withdrawal says nothing new; one of what nobody ever had is wrong.
            return had is not None or last is not None
        if had not in {None, step.merchant} or too_soon(step, last):
            return False
        self.holder[step.keyword] = step.merchant
        return True

    def collides(self) -> bool:
        """Tell whether two merchants' keywords begin alike."""
        return any(collide(*pair) for pair in combinations(self.holder.items(), 2))


def allowed(plan: list[Step]) -> bool:
    """Play a plan in the order of time, and look at every moment at who has what."""
    model = Model()
    for at in range(9):
        right = all(model.plays(step) for step in plan if step.at == at)
        if not right or model.collides():
            return False
    return True


def too_soon(step: Step, last: tuple[str, int] | None) -> bool:
    """Tell whether a keyword that another merchant gave up has not rested yet."""
    return last is not None and last[0] != step.merchant and step.at < last[1] + REST


def collide(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Tell whether two merchants' keywords begin alike."""
    (short, mine), (long, theirs) = sorted((one, other), key=lambda item: len(item[0]))
    return mine != theirs and f"{long} ".startswith(f"{short} ")


@settings(max_examples=300)
@given(steps)
def test_a_plan_is_taken_exactly_if_the_model_allows_it(plan: list[Step]) -> None:
    """Nothing wrong is taken, and nothing right is refused."""
    assert accepted(plan) == allowed(plan)


def test_the_model_takes_some_plans_and_refuses_others() -> None:
    """A control: the model is not of one opinion."""
    first, withdrawn = Step(0, "NEUF", "ludo"), Step(1, "NEUF", None)
    assert allowed([first, withdrawn, Step(4, "NEUF", "astro")])
    assert not allowed([first, withdrawn, Step(3, "NEUF", "astro")])
    assert not allowed([first, Step(1, "NEUF ASTRAL", "astro")])
