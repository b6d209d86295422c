"""What a rule pack may say: each kind of rule, dated and sourced.

A rule holds on local days from `from` (included) to `until` (not included). `from` is
"unknown" where no text gives the date: the rule then holds on every day before `until`.
Several rules of one kind may follow one another in time; two that would hold on the same
day for the same thing are refused.
"""

from datetime import date, datetime
from fractions import Fraction
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, InstanceOf, model_validator

from ledger.money import MICROS_PER_UNIT, Rate, micros_text, parse_micros
from ledger.rules.codes import PATTERN
from ledger.rules.inforce import CountedPer
from ledger.rules.toml_file import STRICT
from ledger.words import LocalDay


def _amount(value: object) -> int:
    """Read a decimal in quotes into micros."""
    if not isinstance(value, str):
        raise ValueError('must be a decimal number in quotes, such as "0.05"')  # noqa: TRY004 - pydantic collects ValueError
    micros = parse_micros(value)
    if micros < 0:
        raise ValueError("must not be negative")
    return micros


def _rate(value: object) -> Rate:
    """Read a percentage as an exact fraction in lowest terms: "20" is one fifth."""
    exact = Fraction(_amount(value), _HUNDRED_PERCENT)
    return Rate(exact.numerator, exact.denominator)


_HUNDRED_PERCENT = 100 * MICROS_PER_UNIT


def _first_day(value: object) -> LocalDay | None:
    if value == "unknown":
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError('must be a day such as 2026-03-01, or "unknown" where no text gives it')


Amount = Annotated[int, BeforeValidator(_amount)]
"""Micros, not negative; in the file a decimal in quotes."""

Percentage = Annotated[InstanceOf[Rate], BeforeValidator(_rate)]
"""An exact fraction; in the file a percentage in quotes."""

Text = Annotated[str, Field(min_length=1, pattern=r"^\S(?s:.*\S)?$")]
Whole = Annotated[int, Field(ge=1)]
Confidence = Literal["primary", "secondary", "memory"]
"""A primary text or an operator's or regulator's page; somebody's report of one; or
memory, which nobody has verified."""


class Rule(BaseModel):
    """One sourced thing that holds on some days."""

    model_config = STRICT
    about: ClassVar[str]
    says: ClassVar[str] = ""

    since: Annotated[LocalDay | None, BeforeValidator(_first_day), Field(alias="from")]
    until: LocalDay | None = None
    source: Text
    confidence: Confidence
    note: Text | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.since and self.until and self.until <= self.since:
            raise ValueError(f"until {self.until} must be later than from {self.since}")
        return self

    @property
    def subject(self) -> str:
        """Name what this rule is about, for people: `code range 4xxxx`."""
        return self.about.format(**self.__dict__)

    @property
    def shown(self) -> str:
        """Write what it says, for people."""
        return self.says.format(**self.__dict__)

    def holds_on(self, day: LocalDay) -> bool:
        """Tell whether the rule is in force on a local day of the book."""
        return (self.since or date.min) <= day < (self.until or date.max)

    def contradicts(self, other: "Rule") -> str:
        """Say why both cannot stand; empty when they can."""
        apart = (self.until or date.max) <= (other.since or date.min) or (
            other.until or date.max
        ) <= (self.since or date.min)
        return "" if apart else self._shares_with(other)

    def _shares_with(self, other: "Rule") -> str:
        """Say what two rules of one kind both speak of; the subject unless told otherwise."""
        return self.subject if self.subject == other.subject else ""


class Window(BaseModel):
    """The time over which a cap counts; `each_charge` counts nothing but the charge itself."""

    model_config = STRICT

    kind: Literal["each_charge", "calendar", "rolling"]
    n: Whole | None = None
    unit: Literal["minute", "hour", "day", "week", "month"] | None = None
    zone: Text | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        length = (self.n is not None, self.unit is not None)
        wanted = (self.kind != "each_charge",) * 2
        if length != wanted or (self.zone is not None) != (self.kind == "calendar"):
            raise ValueError(
                "a calendar window has n, unit and zone, a rolling one n and unit, "
                "each_charge none of them"
            )
        return self

    @property
    def shown(self) -> str:
        """The window in words."""
        if self.kind == "each_charge":
            return "each charge"
        return " ".join(str(part) for part in (self.n, self.kind, self.unit, self.zone) if part)


class CapTerms(BaseModel):
    """What a spending cap says, whether a pack or a book's settings say it."""

    model_config = STRICT

    name: Text
    amount: Amount
    window: Window
    counted_per: CountedPer
    codes: Annotated[str, Field(pattern=PATTERN)] | None = None

    @property
    def terms_shown(self) -> str:
        """Amount, window and what is counted together."""
        where = f" on {self.codes}" if self.codes else ""
        return f"{micros_text(self.amount)} in {self.window.shown} per {self.counted_per}{where}"
