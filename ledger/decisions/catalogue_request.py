"""What a change of the catalogue asks for, where it was asked, and what is wrong with it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from ledger.catalogue import Catalogue, Version, key_of
from ledger.decisions.refusals import Refusal
from ledger.facts.base import Fact
from ledger.facts.book import BookOpened, GatewayDeclared
from ledger.facts.catalogue import (
    ContractAgreed,
    KeywordAssigned,
    KeywordWithdrawn,
    MerchantRegistered,
    ServiceDeclared,
    ServiceResumed,
    ServiceSuspended,
    ShortCodeClosed,
    ShortCodeOpened,
    TariffSet,
    TestNumberDeclared,
    TestNumberWithdrawn,
)
from ledger.rules.inforce import Rules

CatalogueFact = (
    GatewayDeclared
    | MerchantRegistered
    | ShortCodeOpened
    | ShortCodeClosed
    | ServiceDeclared
    | TariffSet
    | ContractAgreed
    | KeywordWithdrawn
    | KeywordAssigned
    | ServiceSuspended
    | ServiceResumed
    | TestNumberDeclared
    | TestNumberWithdrawn
)
"""Every fact that a catalogue is made of, in the order in which a change is recorded.

Nothing comes before what it names; a withdrawal comes before the next assignment, since
both may count from the same moment.
"""

F = TypeVar("F", bound=Fact)
RulesAt = Callable[[datetime], Rules]
"""Gives the rules in force at an instant; raises LookupError where no rules reach it."""


class Requested(NamedTuple):
    """One fact that is asked for; `fields` gives the place of a field where it has its own."""

    fact: CatalogueFact
    place: str
    fields: Mapping[str, str] = {}

    def where(self, field: str) -> str:
        """Give the place of a field, or of the whole where it was not written down."""
        return self.fields.get(field, self.place)


class Problem(NamedTuple):
    """One thing wrong with a change, and the place that it came from."""

    place: str
    text: str

    def __str__(self) -> str:
        """Write it on one line."""
        return f"{self.place}: {self.text}"


class CatalogueRefused(Refusal):
    """A change of the catalogue is refused whole; `problems` lists everything wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'' if len(self.problems) == 1 else 's'}"
        told = (f"  {problem}" for problem in self.problems)
        super().__init__("\n".join((f"the catalogue is refused, {count}:", *told)))


Blame = tuple[Fact | None, str]
"""A fact that has a part in a problem, and the field that it has it by."""


class Prospect(NamedTuple):
    """The catalogue as it would be after a change, and what is new in it."""

    book: BookOpened
    then: Catalogue
    news: Mapping[int, Requested]
    """What is new, by the identity of its fact; facts need not be hashable."""
    rules_at: RulesAt
    operators: Mapping[str, tuple[str, ...]]
    """By short code, every operator that ever had it."""
    named: Mapping[tuple[type[Fact], str], tuple[Fact, ...]]
    """By kind and subject, every fact."""

    def problem(self, text: str, *blamed: Blame) -> Iterator[Problem]:
        """Tell a problem at the first of the blamed that is new; what is old is not told."""
        for fact, field in blamed:
            if (asked := self.news.get(id(fact))) is not None:
                yield Problem(asked.where(field), text)
                return

    def rules(self, at: datetime) -> Rules | None:
        """Give the rules in force at an instant; None where none reach it."""
        try:
            return self.rules_at(at)
        except LookupError:
            return None

    def timeline(self, fact: Fact) -> tuple[Version, ...]:
        """Give every version under a fact's key, its own included, oldest first."""
        return self.then.versions.get(key_of(fact) or (), ())

    def openings(self, short_code: str, at: datetime) -> list[ShortCodeOpened]:
        """Give a code as each operator has it open at an instant."""
        operators = self.operators.get(short_code, ())
        found = (self.then.code(short_code, operator, at) for operator in operators)
        return [opened for opened in found if opened is not None]

    def namesakes(self, fact: F) -> Iterator[F]:
        """Give the other facts of the same kind and subject."""
        for other in self.named.get((type(fact), fact.subject), ()):
            if isinstance(other, type(fact)) and other is not fact:
                yield other

    def unregistered(self, fact: CatalogueFact, merchant: str, field: str) -> Iterator[Problem]:
        """Tell that a fact names a merchant which is not registered when it begins to count."""
        if self.then.merchant(merchant, fact.effective_from) is None:
            yield from self.problem(f"no merchant {merchant} is registered by then", (fact, field))

    def second(self, at: datetime) -> str:
        """Write an instant to the second, none earlier, so that a file may name it."""
        local = at.astimezone(ZoneInfo(self.book.zone))
        whole = local.replace(microsecond=0)
        return (whole if whole == local else whole + timedelta(seconds=1)).isoformat()

    def day(self, at: datetime) -> str:
        """Write an instant for people: the local day, and the time unless it is midnight."""
        local = at.astimezone(ZoneInfo(self.book.zone))
        day = local.date().isoformat()
        return day if local.time() == local.min.time() else f"{day} {local:%H:%M}"


def prospect_of(
    book: BookOpened, then: Catalogue, news: Iterable[Requested], rules_at: RulesAt
) -> Prospect:
    """Lay out a catalogue as it would be, so that its checks find things quickly."""
    operators: dict[str, tuple[str, ...]] = {}
    named: dict[tuple[type[Fact], str], tuple[Fact, ...]] = {}
    for key, versions in then.versions.items():
        if key[0] == "code":
            operators[key[1]] = (*operators.get(key[1], ()), key[2])
        for fact in (version.fact for version in versions):
            name = (type(fact), fact.subject)
            named[name] = (*named.get(name, ()), fact)
    by_identity = {id(asked.fact): asked for asked in news}
    return Prospect(book, then, by_identity, rules_at, operators, named)
