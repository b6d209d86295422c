"""Load a country's rule pack: a TOML file of dated, sourced rules, refused whole if wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from itertools import combinations
from pathlib import Path
from typing import Annotated, TypeVar, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from ledger.rules import kinds, ranges
from ledger.rules.schema import Rule, Text
from ledger.rules.toml_file import STRICT, Document, FileInvalid, ListOf, Problem, SomeOf

RuleT = TypeVar("RuleT", bound=Rule)


class RulePackInvalid(FileInvalid):
    """A rule pack is refused whole; the text lists every problem with its place."""


class UnknownCountry(LookupError):
    """No rule pack of that name comes with this ledger; `known` are those that do."""

    def __init__(self, country: str, known: Sequence[str]) -> None:
        super().__init__(f"there is no rule pack {country!r}; there are: {', '.join(known)}")
        self.country = country
        self.known = known


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:  # a folder of zones is none
        raise ValueError(f"{name!r} is no time zone such as Europe/Paris") from error
    return name


class SetElsewhere(BaseModel):
    """A number that nobody could find, so that whoever runs the ledger must set it."""

    model_config = STRICT

    setting: Text
    reason: Text


class Contents(BaseModel):
    """What a pack's file holds: the country, and its rules by kind."""

    model_config = STRICT

    country: Annotated[str, Field(pattern=r"^[a-z]{2}$")]
    name: Text
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    zone: Annotated[str, AfterValidator(_zone)]
    set_elsewhere: ListOf[SetElsewhere] = ()
    consumer: SomeOf[kinds.ConsumerRule]
    billing: SomeOf[ranges.BillingRule]
    mo_charge: ListOf[kinds.MoChargeRule] = ()
    price: SomeOf[ranges.PriceRule]
    code_range: SomeOf[ranges.CodeRangeRule]
    subscription: SomeOf[ranges.SubscriptionRule]
    consent: ListOf[kinds.ConsentRule] = ()
    service_word: SomeOf[kinds.ServiceWordRule]
    stop: SomeOf[kinds.StopRule]
    silence: SomeOf[kinds.SilenceRule]
    spending_cap: ListOf[kinds.SpendingCapRule] = ()
    notice: ListOf[kinds.NoticeRule] = ()
    hours: ListOf[kinds.HoursRule] = ()
    solicitation: ListOf[kinds.SolicitationRule] = ()
    alias_window: ListOf[kinds.AliasWindowRule] = ()
    retention: SomeOf[kinds.RetentionRule]
    tax: SomeOf[kinds.TaxRule]
    passed_on: ListOf[kinds.PassedOnRule] = ()
    segment: SomeOf[kinds.SegmentRule]

    def rules(self) -> Iterator[Rule]:
        """Give every rule of the pack, in the order of the kinds above."""
        for kind in rule_kinds():
            yield from getattr(self, kind)


@dataclass(frozen=True, slots=True)
class RulePack:
    """A valid pack, with the text it was read from and the SHA-256 (hexadecimal) of its bytes."""

    contents: Contents
    sha256: str
    toml: str

    @property
    def country(self) -> str:
        """The country's ISO 3166 code in small letters."""
        return self.contents.country

    @property
    def zone(self) -> str:
        """The IANA name of the zone in which the pack's days are counted."""
        return self.contents.zone


def rule_kinds() -> dict[str, type[Rule]]:
    """Give each list of rules that a pack can have, with the kind of rule in it."""
    held = {name: get_args(f.annotation)[:1] for name, f in Contents.model_fields.items()}
    return {name: kind[0] for name, kind in held.items() if kind and issubclass(kind[0], Rule)}


def countries() -> tuple[str, ...]:
    """Name the countries whose packs come with this ledger."""
    files = resources.files("ledger.rules").iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))


def load_pack(country: str) -> RulePack:
    """Read the pack of a country, named by its code: `fr`.

    Raises:
        UnknownCountry: there is no such pack.
        RulePackInvalid: it has mistakes; all of them are listed.
    """
    if country not in countries():
        raise UnknownCountry(country, countries())
    file = f"{country}.toml"
    return parse_pack(resources.files("ledger.rules").joinpath(file).read_bytes(), file)


def load_pack_file(path: Path) -> RulePack:
    """Read a pack from a file of one's own.

    Raises:
        RulePackInvalid: it has mistakes; all of them are listed.
        OSError: it cannot be read.
    """
    return parse_pack(path.read_bytes(), str(path))


def parse_pack(raw: bytes, name: str) -> RulePack:
    """Check a pack's bytes; `name` is what to call the file in messages.

    Raises:
        RulePackInvalid: it has mistakes; all of them are listed.
    """
    try:
        document = Document(raw)
    except ValueError as error:
        raise RulePackInvalid(name, [Problem(0, "", f"is no TOML file: {error}")]) from error
    contents = document.validated(Contents)
    problems = [*document.problems, *_contradictions(document), *_unknown_charters(document)]
    if contents is None or problems:
        raise RulePackInvalid(name, problems)
    return RulePack(contents, sha256(raw).hexdigest(), raw.decode())


def _contradictions(document: Document) -> Iterator[Problem]:
    """Find rules of one kind that hold on the same day for the same thing."""
    for name, kind in rule_kinds().items():
        sound = list(_sound(document.entries(name), kind))
        for (earlier, one), (later, other) in combinations(sound, 2):
            if shared := one.contradicts(other):
                first = document.problem((name, earlier), "")
                what = f"both it and {first.place} (line {first.line}) hold for {shared}"
                yield document.problem((name, later), f"{what} on the same days")


def _unknown_charters(document: Document) -> Iterator[Problem]:
    """Find solicitation rules that name a charter without hours."""
    known = {hours.charter for _, hours in _sound(document.entries("hours"), kinds.HoursRule)}
    rules = _sound(document.entries("solicitation"), kinds.SolicitationRule)
    for number, rule in rules:
        if rule.charter not in known:
            place = ("solicitation", number, "charter")
            yield document.problem(place, f"no hours are given for the charter {rule.charter}")


def _sound(entries: Sequence[object], kind: type[RuleT]) -> Iterator[tuple[int, RuleT]]:
    """Give the entries that are well formed by themselves; the others are told elsewhere."""
    for number, entry in enumerate(entries):
        try:
            yield number, kind.model_validate(entry)
        except ValidationError:
            continue
