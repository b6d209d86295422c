"""A change of the catalogue: taken as a whole with all that is new in it, or refused whole.

A change says what shall hold from when. What holds already is no news, so the same file
again records nothing; what is left out of a file goes on as it was.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, get_args

import msgspec

from ledger.catalogue import Catalogue, Key, key_of
from ledger.decisions.catalogue_entries import entry_problems
from ledger.decisions.catalogue_keywords import keyword_problems
from ledger.decisions.catalogue_request import (
    CatalogueFact,
    CatalogueRefused,
    Problem,
    Prospect,
    Requested,
    RulesAt,
    prospect_of,
)
from ledger.decisions.catalogue_sales import sale_problems
from ledger.facts.base import Draft, Fact, Recorded
from ledger.facts.catalogue import (
    KeywordAssigned,
    KeywordWithdrawn,
    ServiceResumed,
    ServiceSuspended,
    TestNumberDeclared,
    TestNumberWithdrawn,
)

__all__ = [
    "CatalogueFact",
    "CatalogueRefused",
    "Circumstances",
    "Problem",
    "Requested",
    "RulesAt",
    "as_recorded",
    "change",
]

_RANK: dict[type[Fact], int] = {kind: at for at, kind in enumerate(get_args(CatalogueFact))}


NOTICE = timedelta(seconds=60)
"""How long before it counts a change must be asked for, once a book has traffic.

Messages that come between the command and its recording are judged without it. Each of the
command's few attempts may wait 10 s for the lock of its book, so a minute has room for all.
"""

_AT_ONCE = (ServiceSuspended, ServiceResumed, TestNumberDeclared, TestNumberWithdrawn)
"""What needs no notice: to wait a minute would do more harm than the few messages between."""


class Circumstances(NamedTuple):
    """What a change of the catalogue is judged by, beside the catalogue."""

    rules_at: RulesAt
    has_traffic: bool
    """Whether the book ever received a message: from then on nothing is back-dated."""
    now: datetime
    """When the command began; what it records may be recorded `NOTICE` later."""


def change(
    requested: Iterable[Requested], catalogue: Catalogue, judged_by: Circumstances
) -> list[Draft]:
    """Give the facts of a change that say something new, in the order to record them.

    Raises:
        CatalogueRefused: anything is wrong with it; every problem is listed.
    """
    asked = list(requested)
    if catalogue.book is None:
        raise CatalogueRefused([Problem("the book", "is not open yet")])
    news, problems = _news(asked, catalogue)
    if news:
        then = catalogue.advance(as_recorded(news, catalogue))
        prospect = prospect_of(catalogue.book, then, news, judged_by.rules_at)
        problems += _back_dated(prospect, judged_by)
        problems += entry_problems(prospect)
        problems += keyword_problems(prospect)
        problems += sale_problems(prospect)
    if problems:
        raise CatalogueRefused(_in_order_of(asked, problems))
    return _drafts(news, catalogue)


def _in_order_of(requested: Iterable[Requested], problems: Iterable[Problem]) -> list[Problem]:
    """Tell each problem once, in the order in which the change was written."""
    order: dict[str, int] = {}
    for asked in requested:
        for place in (asked.place, *asked.fields.values()):
            order.setdefault(place, len(order))
    return sorted(dict.fromkeys(problems), key=lambda problem: order[problem.place])


def _news(
    requested: Iterable[Requested], catalogue: Catalogue
) -> tuple[list[Requested], list[Problem]]:
    """Leave out what holds already, and tell what says two things about the same moment."""
    told = {key: [one.fact for one in known] for key, known in catalogue.versions.items()}
    asked_for: dict[tuple[Key | None, datetime], Requested] = {}
    news: list[Requested] = []
    problems: list[Problem] = []
    for asked in sorted(requested, key=_by_moment):
        fact = asked.fact
        key = key_of(fact) or ()
        known = told.setdefault(key, [])
        rival = asked_for.setdefault((key, fact.effective_from), asked)
        if _contradict(rival.fact, fact):
            problems.append(Problem(asked.place, f"says otherwise than {rival.place}"))
        elif not _holds(fact, known):
            known.append(fact)
            news.append(asked)
    return sorted(news, key=_by_kind), problems


def _by_moment(asked: Requested) -> tuple[datetime, int]:
    return asked.fact.effective_from, _RANK[type(asked.fact)]


def _by_kind(asked: Requested) -> tuple[int, datetime]:
    return _RANK[type(asked.fact)], asked.fact.effective_from


def _contradict(one: Fact, other: Fact) -> bool:
    """Tell whether two facts of one key and moment differ; a hand-over is no contradiction."""
    handed_over = isinstance(one, KeywordWithdrawn) and isinstance(other, KeywordAssigned)
    return one != other and not handed_over


def _holds(fact: CatalogueFact, known: Sequence[Fact]) -> bool:
    """Tell whether a fact was said last of its moment, or repeats what is in force then."""
    last = [one for one in known if _since(one) == fact.effective_from and _like(one, fact)]
    if last and last[-1] == fact:
        return True
    # The sort is stable: of one moment's facts the last one said is in force.
    before = sorted((one for one in known if _since(one) <= fact.effective_from), key=_since)
    return bool(before) and _like(before[-1], fact) and _says_the_same(before[-1], fact)


def _says_the_same(one: Fact, other: CatalogueFact) -> bool:
    """Tell whether two facts of one kind differ in their dates alone; a reason is no news."""
    return isinstance(other, ServiceSuspended) or _renewed(one, other) == other


def _like(one: Fact, other: Fact) -> bool:
    return type(one) is type(other)


def _renewed(one: Fact, other: CatalogueFact) -> Fact:
    return msgspec.structs.replace(one, effective_from=other.effective_from)


def _since(fact: Fact) -> datetime:
    assert isinstance(fact, CatalogueFact)
    return fact.effective_from


def as_recorded(news: Iterable[Requested], catalogue: Catalogue) -> Iterator[Recorded]:
    """Place what is new after the catalogue's last fact, to see what would come of it."""
    for position, asked in enumerate(news, start=catalogue.position + 1):
        yield Recorded("", position, None, f"new {position}", None, None, "", None, asked.fact)


def _back_dated(prospect: Prospect, judged_by: Circumstances) -> Iterator[Problem]:
    """Nothing may count from a moment on which messages were decided without it."""
    if not judged_by.has_traffic:
        return
    for asked in prospect.news.values():
        since = asked.fact.effective_from
        notice = timedelta() if isinstance(asked.fact, _AT_ONCE) else NOTICE
        earliest = judged_by.now + notice
        if since < earliest:
            seconds = NOTICE // timedelta(seconds=1)
            why = "past" if since < judged_by.now else f"less than {seconds} seconds away"
            text = (
                f"{prospect.day(since)} is {why}, and the book has traffic; "
                f"the earliest is {prospect.second(earliest)}"
            )
            yield Problem(asked.where("effective_from"), text)


def _drafts(news: Iterable[Requested], catalogue: Catalogue) -> list[Draft]:
    """Number each fact among those of its kind and subject, so that each has its own id."""
    recorded = (one.fact for known in catalogue.versions.values() for one in known)
    count = Counter((type(fact), fact.subject) for fact in recorded)
    drafts: list[Draft] = []
    for asked in news:
        name = (type(asked.fact), asked.fact.subject)
        drafts.append(Draft(asked.fact, n=count[name]))
        count[name] += 1
    return drafts
