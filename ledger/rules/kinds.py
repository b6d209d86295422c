"""The kinds of rule that a pack is made of, in the order in which a pack reads.

A country needs a kind of its own only if its law says something that none of these can
hold; such a kind then comes together with the decision that reads it.
"""

from datetime import time
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ledger.money import micros_text
from ledger.rules.inforce import (
    ConsumerKind,
    ConsumerScope,
    FreeCase,
    ServiceWord,
    Stopped,
    StopScope,
)
from ledger.rules.ranges import TaxCategory
from ledger.rules.schema import Amount, CapTerms, Percentage, Rule, Text, Whole
from ledger.rules.toml_file import ListOf, SomeOf

Word = Annotated[str, Field(pattern=r"^[A-Z0-9]+( [A-Z0-9]+)*$")]
"""A word as it is after normalising: capitals without accents, single spaces."""

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "public_holiday"]


class ConsumerRule(Rule):
    """How the operator names a consumer, and within what that name means one person."""

    about: ClassVar = "consumer"
    says: ClassVar = "{named_by}, one person within {scope}"
    named_by: ConsumerKind
    scope: ConsumerScope


class MoChargeRule(Rule):
    """How a consumer's own message is charged: its tax where nobody sold it, what goes free."""

    about: ClassVar = "charge of an MO"
    taxed_as: TaxCategory
    free: ListOf[FreeCase] = ()

    @property
    def shown(self) -> str:
        """What is free, and the tax."""
        return f"free: {', '.join(self.free) or 'none'}; otherwise taxed as {self.taxed_as}"


_MESSAGES = {"mo", "confirming_mo"}


class ConsentRule(Rule):
    """What a consumer must have done before something may happen, in order."""

    about: ClassVar = "consent to {to}"
    to: Literal["purchase", "solicitation", "subscription"]
    steps: SomeOf[Literal["mo", "confirming_mo", "registration", "paid_transaction", "consent"]]

    @model_validator(mode="after")
    def _can_be_proved(self) -> Self:
        """A subscription starts on messages alone: a step nobody can take would never be asked."""
        if self.to == "subscription" and (other := sorted(set(self.steps) - _MESSAGES)):
            raise ValueError(f"a subscription is agreed to by messages, not by {', '.join(other)}")
        return self

    @property
    def shown(self) -> str:
        """The steps."""
        return ", then ".join(self.steps)


class ServiceWordRule(Rule):
    """Words that every code understands; no merchant can have them as keywords."""

    about: ClassVar = "service word {kind}"
    kind: ServiceWord
    spellings: SomeOf[Word]
    mandatory: bool

    @property
    def shown(self) -> str:
        """The spellings."""
        return f"{', '.join(self.spellings)} ({'mandatory' if self.mandatory else 'understood'})"

    def _shares_with(self, other: Rule) -> str:
        theirs = other.spellings if isinstance(other, ServiceWordRule) else ()
        return ", ".join(word for word in self.spellings if word in theirs)


class StopRule(Rule):
    """How far STOP reaches: alone, and followed by a keyword."""

    about: ClassVar = "reach of STOP"
    says: ClassVar = "alone: {bare}; with a keyword: {with_keyword}"
    bare: StopScope
    with_keyword: StopScope


class SilenceRule(Rule):
    """What STOP ends within its reach, and how many free messages confirm it."""

    about: ClassVar = "effect of STOP"
    ends: SomeOf[Stopped]
    confirmations: Whole

    @property
    def shown(self) -> str:
        """The effect."""
        return f"ends {', '.join(self.ends)}; free confirmations: {self.confirmations}"


class SpendingCapRule(Rule, CapTerms):
    """The most that may be charged within a window, as far as this ledger knows of it."""

    about: ClassVar = "spending cap {name}"

    @property
    def shown(self) -> str:
        """Amount, window and what is counted together."""
        return self.terms_shown


class NoticeRule(Rule):
    """The spending at each multiple of which the consumer is told the tariff again, free."""

    about: ClassVar = "notice {name}"
    name: Text
    every: Amount
    counted_per: Literal["consumer_and_service"]

    @property
    def shown(self) -> str:
        """The threshold."""
        return f"each {micros_text(self.every)} per {self.counted_per}"


class HoursRule(Rule):
    """When a charter lets a solicitation go out, in the country's local time."""

    about: ClassVar = "hours of {charter}"
    charter: Text
    opens: time
    closes: time
    days: SomeOf[Day]
    discouraged: ListOf[Day] = ()

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError(f"opens {self.opens} must be earlier than closes {self.closes}")
        return self

    @property
    def shown(self) -> str:
        """Times and days."""
        unwise = f"; discouraged: {', '.join(self.discouraged)}" if self.discouraged else ""
        return f"{self.opens:%H:%M} to {self.closes:%H:%M} on {', '.join(self.days)}{unwise}"


class SolicitationRule(Rule):
    """Which charter's hours a solicitation keeps."""

    about: ClassVar = "solicitation hours"
    says: ClassVar = "{charter}"
    charter: Text


class AliasWindowRule(Rule):
    """How long after a paid transaction the operator still delivers to an alias."""

    about: ClassVar = "alias window"
    says: ClassVar = "{days} days after the last paid transaction"
    days: Whole


class RetentionRule(Rule):
    """How long a kind of data is kept."""

    about: ClassVar = "retention of {data}"
    data: Literal["message_text", "operator_billing", "tax_documents", "accounts"]
    n: Whole
    unit: Literal["month", "year"]
    counted_from: Text

    @property
    def shown(self) -> str:
        """The time and its beginning."""
        return f"{self.n} {self.unit}{'' if self.n == 1 else 's'} from {self.counted_from}"


class TaxRule(Rule):
    """The retail tax on a category of service; a category not listed is not known."""

    about: ClassVar = "tax on {category}"
    category: TaxCategory
    percent: Percentage

    @property
    def shown(self) -> str:
        """The rate, as a percentage where it is a whole one."""
        rate = self.percent
        whole, rest = divmod(100 * rate.numerator, rate.denominator)
        return f"{rate.numerator}/{rate.denominator}" if rest else f"{whole} %"


class PassedOnRule(Rule):
    """A category of which all but the tax goes to the merchant, and nobody keeps a share."""

    about: ClassVar = "share kept of {category}"
    says: ClassVar = "none; all but the tax is passed on"
    category: TaxCategory


class SegmentRule(Rule):
    """How much text one message holds, and how many a charged one may take."""

    about: ClassVar = "segments of a charged MT"
    gsm7_characters: Whole
    ucs2_characters: Whole
    charged_segments: Whole

    @property
    def shown(self) -> str:
        """The limits."""
        return (
            f"at most {self.charged_segments} of {self.gsm7_characters} GSM-7 "
            f"or {self.ucs2_characters} UCS-2 characters"
        )
