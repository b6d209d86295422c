"""The catalogue folded from its facts: what was true of a code, keyword or price at an instant.

A value, advanced by facts in the order of their positions; every question takes the
instant it is about, so the answer of an old day stays the same for ever.
"""

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple, Self, TypeVar

from ledger.facts.base import Fact, Recorded
from ledger.facts.book import BookOpened, GatewayDeclared, RulesAdopted
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

F = TypeVar("F", bound=Fact)


class Version(NamedTuple):
    """One fact of a subject, in force from `since` until the subject's next one."""

    since: datetime
    position: int
    id: str
    fact: Fact


Key = tuple[str, ...]
Versions = Mapping[Key, tuple[Version, ...]]


class Contract(NamedTuple):
    """A contract in force, with the id of the fact that agreed it."""

    id: str
    fact: ContractAgreed


class Tariff(NamedTuple):
    """A price in force, with the id of the fact that set it."""

    id: str
    fact: TariffSet


class Catalogue(NamedTuple):
    """Everything that decisions on traffic know beforehand, up to `position`."""

    position: int = 0
    book: BookOpened | None = None
    rules: tuple[Recorded, ...] = ()
    """Each `rules_adopted`, oldest first."""
    versions: Versions = {}  # noqa: RUF012 - never written to; `advance` makes a new one
    keywords: Mapping[str, frozenset[str]] = {}
    """By short code, every keyword that was ever assigned on it."""
    contracts: Mapping[str, Contract] = {}
    """By the id of its fact, every contract that was ever agreed."""

    def advance(self, facts: Iterable[Recorded]) -> Self:
        """Take in further facts, in order; those not of the catalogue change nothing."""
        new = [one for one in facts if one.position > self.position]
        if not new:
            return self
        versions = {key: list(known) for key, known in self.versions.items()}
        keywords, contracts = dict(self.keywords), dict(self.contracts)
        book, rules = self.book, list(self.rules)
        for one in new:
            match one.fact:
                case BookOpened():
                    book = one.fact
                case RulesAdopted():
                    rules.append(one)
                case fact:
                    _file(versions, keywords, one, fact)
            if isinstance(one.fact, ContractAgreed):
                contracts[one.id] = Contract(one.id, one.fact)
        return self._replace(
            position=new[-1].position,
            book=book,
            rules=tuple(rules),
            versions={key: tuple(known) for key, known in versions.items()},
            keywords=keywords,
            contracts=contracts,
        )

    def gateway(self, gateway: str, at: datetime) -> GatewayDeclared | None:
        """Give a gateway as declared at `at`."""
        return _as(GatewayDeclared, self._at(("gateway", gateway), at))

    def merchant(self, merchant: str, at: datetime) -> MerchantRegistered | None:
        """Give a merchant as registered at `at`."""
        return _as(MerchantRegistered, self._at(("merchant", merchant), at))

    def service(self, service: str, at: datetime) -> ServiceDeclared | None:
        """Give a service as declared at `at`."""
        return _as(ServiceDeclared, self._at(("service", service), at))

    def code(self, short_code: str, operator: str, at: datetime) -> ShortCodeOpened | None:
        """Give a code as this operator's consumers find it; None where closed or never opened."""
        return _as(ShortCodeOpened, self._at(("code", short_code, operator), at))

    def alias_group(self, short_code: str, operator: str, at: datetime) -> str | None:
        """Give the group that a code's aliases belong to, also once it is closed; None if never."""
        opened = [
            version.fact.alias_group
            for version in self.versions.get(("code", short_code, operator), ())
            if version.since <= at and isinstance(version.fact, ShortCodeOpened)
        ]
        return opened[-1] if opened else None

    def assignment(self, short_code: str, keyword: str, at: datetime) -> KeywordAssigned | None:
        """Give where a keyword leads at `at`; None where withdrawn or never assigned."""
        return _as(KeywordAssigned, self._at(("keyword", short_code, keyword), at))

    def tariff(self, short_code: str, keyword: str, at: datetime) -> Tariff | None:
        """Give the price of a keyword on a code: the keyword's own, or the code's."""
        return self._tariff(("tariff", short_code, keyword), ("tariff", short_code, ""), at=at)

    def code_tariff(self, short_code: str, at: datetime) -> Tariff | None:
        """Give the price of a code itself: what a message that no keyword matches may cost."""
        return self._tariff(("tariff", short_code, ""), at=at)

    def suspended(self, service: str, at: datetime) -> bool:
        """Tell whether a service sells nothing at `at`."""
        return _as(ServiceSuspended, self._at(("suspension", service), at)) is not None

    def is_test(self, consumer: str, at: datetime) -> bool:
        """Tell whether a consumer's number is one for testing at `at`."""
        return _as(TestNumberDeclared, self._at(("test_number", consumer), at)) is not None

    def contract(self, fact_id: str) -> Contract | None:
        """Give the terms that the fact of this id agreed, whether or not they are in force."""
        return self.contracts.get(fact_id)

    def operator_contract(self, operator: str, tariff: str, at: datetime) -> Contract | None:
        """Give the terms with an operator: for this tariff, or for all."""
        return self._contract(
            ("operator_contract", operator, tariff), ("operator_contract", operator, ""), at=at
        )

    def merchant_contract(
        self, merchant: str, operator: str, tariff: str, at: datetime
    ) -> Contract | None:
        """Give the terms with a merchant, the most particular first: tariff before operator."""
        head = ("merchant_contract", merchant)
        return self._contract(
            (*head, operator, tariff),
            (*head, "", tariff),
            (*head, operator, ""),
            (*head, "", ""),
            at=at,
        )

    def in_force(self, at: datetime) -> Iterator[Version]:
        """Give, of everything that was ever named, what was said last of it by `at`.

        What was closed, withdrawn or resumed is given as such.
        """
        found = (self._at(key, at) for key in self.versions)
        return (version for version in found if version is not None)

    def _tariff(self, *keys: Key, at: datetime) -> Tariff | None:
        for key in keys:
            version = self._at(key, at)
            if version is not None and isinstance(version.fact, TariffSet):
                return Tariff(version.id, version.fact)
        return None

    def _contract(self, *keys: Key, at: datetime) -> Contract | None:
        for key in keys:
            # Of the terms that there might be, most are not.
            version = self._at(key, at) if key in self.versions else None
            if version is not None and isinstance(version.fact, ContractAgreed):
                return Contract(version.id, version.fact)
        return None

    def _at(self, key: Key, at: datetime) -> Version | None:
        # Nearly always the newest is meant.
        for version in reversed(self.versions.get(key, ())):
            if version.since <= at:
                return version
        return None


def key_of(fact: Fact) -> Key | None:  # noqa: C901, PLR0911 - one line for each kind of fact
    """Give under which key a fact supersedes earlier ones; None for a fact of another kind."""
    match fact:
        case GatewayDeclared():
            return ("gateway", fact.gateway)
        case MerchantRegistered():
            return ("merchant", fact.merchant)
        case ServiceDeclared():
            return ("service", fact.service)
        case ShortCodeOpened() | ShortCodeClosed():
            return ("code", fact.short_code, fact.operator)
        case KeywordAssigned() | KeywordWithdrawn():
            return ("keyword", fact.short_code, fact.keyword)
        case TariffSet():
            return ("tariff", fact.short_code, fact.keyword or "")
        case ContractAgreed():
            return _contract_key(fact)
        case ServiceSuspended() | ServiceResumed():
            return ("suspension", fact.service)
        case TestNumberDeclared() | TestNumberWithdrawn():
            return ("test_number", fact.consumer)
        case _:
            return None


def _contract_key(fact: ContractAgreed) -> Key:
    if fact.party == "operator":
        return ("operator_contract", fact.operator or "", fact.tariff or "")
    return ("merchant_contract", fact.merchant or "", fact.operator or "", fact.tariff or "")


def _file(
    versions: dict[Key, list[Version]],
    keywords: dict[str, frozenset[str]],
    one: Recorded,
    fact: Fact,
) -> None:
    key = key_of(fact)
    if key is None:
        return
    since: datetime = fact.effective_from  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType] - each fact that has a key has one
    insort(versions.setdefault(key, []), Version(since, one.position, one.id, fact))
    if isinstance(fact, KeywordAssigned):
        keywords[fact.short_code] = keywords.get(fact.short_code, frozenset()) | {fact.keyword}


def _as(kind: type[F], version: Version | None) -> F | None:
    """Give the version's fact where it is of this kind: a closing or withdrawal is not."""
    return version.fact if version is not None and isinstance(version.fact, kind) else None
