"""Who has which keyword when: nobody shares one, and a given-up one rests before the next."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple

from ledger.catalogue import Version
from ledger.decisions.catalogue_request import Problem, Prospect
from ledger.facts.catalogue import KeywordAssigned, KeywordWithdrawn, ShortCodeOpened


class _GivenUp(NamedTuple):
    """Who had a keyword last, and its withdrawal."""

    assigned: KeywordAssigned
    withdrawn: KeywordWithdrawn


def keyword_problems(prospect: Prospect) -> Iterator[Problem]:
    """Check the history of each keyword that a change touches."""
    touched = {
        (asked.fact.short_code, asked.fact.keyword): asked.fact
        for asked in prospect.news.values()
        if isinstance(asked.fact, KeywordAssigned | KeywordWithdrawn)
    }
    for fact in touched.values():
        yield from _history(prospect.timeline(fact), prospect)


def _history(timeline: Iterable[Version], prospect: Prospect) -> Iterator[Problem]:
    """Go through a keyword's assignments and withdrawals, oldest first."""
    holder: KeywordAssigned | None = None
    given_up: _GivenUp | None = None
    for fact in (version.fact for version in timeline):
        if isinstance(fact, KeywordAssigned):
            yield from _taken(fact, holder, given_up, prospect)
            holder = fact
        else:
            assert isinstance(fact, KeywordWithdrawn)
            given_up = _GivenUp(holder, fact) if holder else given_up
            if holder is None:
                text = f"{fact.keyword} is assigned to nobody on {fact.short_code} then"
                yield from prospect.problem(text, (fact, "keyword"))
            holder = None


def _taken(
    fact: KeywordAssigned,
    holder: KeywordAssigned | None,
    given_up: _GivenUp | None,
    prospect: Prospect,
) -> Iterator[Problem]:
    if holder is not None:
        yield from _held(holder, fact, prospect)
    elif given_up is not None:
        yield from _resting(given_up, fact, prospect)


def _held(
    earlier: KeywordAssigned, later: KeywordAssigned, prospect: Prospect
) -> Iterator[Problem]:
    since = prospect.day(earlier.effective_from)
    text = f"{earlier.keyword} belongs to {earlier.service} of {earlier.merchant} since {since}"
    yield from prospect.problem(f"{text} and was not withdrawn", (later, "keyword"))
    if id(later) not in prospect.news:
        since = prospect.day(later.effective_from)
        text = f"{later.keyword} will belong to {later.service} of {later.merchant} on {since}"
        yield from prospect.problem(f"{text}, so withdraw it before", (earlier, "keyword"))


def _resting(given_up: _GivenUp, after: KeywordAssigned, prospect: Prospect) -> Iterator[Problem]:
    before, withdrawn = given_up
    rules = prospect.rules(after.effective_from)
    if rules is None or before.merchant == after.merchant:
        return
    free = withdrawn.effective_from + timedelta(days=rules.keyword_rest_days)
    if after.effective_from < free:
        text = f"{after.keyword} was {before.merchant}'s and rests until {prospect.day(free)}"
        blamed = (after, "keyword"), (withdrawn, "keyword"), (before, "keyword")
        yield from prospect.problem(text, *blamed)


def shared_beginnings(assigned: Iterable[KeywordAssigned], prospect: Prospect) -> Iterator[Problem]:
    """Check the keywords of one code beside each other at one moment.

    Where merchants share a code, one's keyword may not be the first words of another's: who
    is charged would hang on a word that the consumer happened to add.
    """
    by_keyword = {one.keyword: one for one in assigned}
    for longer in by_keyword.values():
        words = longer.keyword.split()
        for count in range(1, len(words)):
            shorter = by_keyword.get(" ".join(words[:count]))
            if shorter is not None and shorter.merchant != longer.merchant:
                yield from _begins(longer, shorter, prospect)


def strangers(
    assigned: Iterable[KeywordAssigned], opened: ShortCodeOpened, prospect: Prospect
) -> Iterator[Problem]:
    """Check that a dedicated code has keywords of its own merchant only."""
    for one in assigned:
        if opened.dedicated_to not in {None, one.merchant}:
            text = f"{one.short_code} is dedicated to {opened.dedicated_to}, not to {one.merchant}"
            blamed = (one, "short_code"), (opened, "dedicated_to")
            yield from prospect.problem(text, *blamed)


def _begins(
    longer: KeywordAssigned, shorter: KeywordAssigned, prospect: Prospect
) -> Iterator[Problem]:
    text = (
        f"{longer.keyword} of {longer.merchant} begins with {shorter.keyword} of {shorter.merchant}"
    )
    yield from prospect.problem(text, (longer, "keyword"), (shorter, "keyword"))
