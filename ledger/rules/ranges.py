"""The kinds of rule that hold on a range of short codes: price, ceiling, leg, subscriptions."""

from typing import Annotated, ClassVar, Self, TypeAlias

from pydantic import Field, model_validator

from ledger.money import micros_text
from ledger.rules.codes import PATTERN, overlap_unclearly
from ledger.rules.inforce import Attachment, BillingPoint, CeilingOn
from ledger.rules.schema import Amount, Rule, Text

CodePattern = Annotated[str, Field(pattern=PATTERN)]
TaxCategory = Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]

ANY_CODE = "*"
"""In a price rule: every code for which no range says otherwise."""

_BOUNDED: dict[CeilingOn, str] = {
    "each_leg": " for each message",
    "legs_together": " for a message and its answer together",
}
"""What a ceiling bounds, in words; where a pack leaves it out, one leg is charged anyway."""

CodesOrAll = Annotated[str, Field(pattern=rf"{PATTERN}|^\*$")]
"""A range of codes, or `*` for those that no range of the same kind holds; the narrower first."""


class BillingRule(Rule):
    """On which legs the consumer may be charged, on all codes or on a range."""

    about: ClassVar = "billing point on {codes}"
    says: ClassVar = "{point}"
    codes: CodesOrAll = ANY_CODE
    point: BillingPoint

    def _shares_with(self, other: Rule) -> str:
        return _same_codes(self, other) if isinstance(other, BillingRule) else ""


class PriceRule(Rule):
    """What a price belongs to, on all codes or on a range; a narrower range goes first."""

    about: ClassVar = "price on {codes}"
    says: ClassVar = "attaches to {attaches_to}"
    codes: CodesOrAll
    attaches_to: Attachment

    def _shares_with(self, other: Rule) -> str:
        return _same_codes(self, other) if isinstance(other, PriceRule) else ""


class CodeRangeRule(Rule):
    """What the codes of one range may cost, tax included; a narrower range goes first."""

    about: ClassVar = "code range {codes}"
    codes: CodePattern
    meaning: Text
    floor: Amount
    ceiling: Amount
    ceiling_on: CeilingOn = "legs_together"
    tax_category: TaxCategory | None = None

    @model_validator(mode="after")
    def _floor_is_below_ceiling(self) -> Self:
        if self.floor > self.ceiling:
            floor, ceiling = micros_text(self.floor), micros_text(self.ceiling)
            raise ValueError(f"the floor {floor} is above the ceiling {ceiling}")
        return self

    @property
    def shown(self) -> str:
        """The prices and what is sold there."""
        prices = f"{micros_text(self.floor)} to {micros_text(self.ceiling)}"
        bounds = _BOUNDED[self.ceiling_on] if "ceiling_on" in self.model_fields_set else ""
        taxed = f"; taxed as {self.tax_category}" if self.tax_category else ""
        return f"{prices}{bounds}; {self.meaning}{taxed}"

    def _shares_with(self, other: Rule) -> str:
        return _same_codes(self, other) if isinstance(other, CodeRangeRule) else ""


class SubscriptionRule(Rule):
    """Whether a consumer may be charged again and again on one agreement, and only so."""

    about: ClassVar = "subscriptions on {codes}"
    codes: CodesOrAll = ANY_CODE
    allowed: bool
    only: bool = False
    """Whether nothing else may be sold there."""

    @model_validator(mode="after")
    def _only_what_is_allowed(self) -> Self:
        if self.only and not self.allowed:
            raise ValueError("only subscriptions, and no subscriptions, leaves nothing to sell")
        return self

    @property
    def shown(self) -> str:
        """Yes, no, or nothing else."""
        if self.only:
            return "allowed, and nothing else may be sold"
        return "allowed" if self.allowed else "not allowed"

    def _shares_with(self, other: Rule) -> str:
        return _same_codes(self, other) if isinstance(other, SubscriptionRule) else ""


Ranged: TypeAlias = "BillingRule | PriceRule | CodeRangeRule | SubscriptionRule"
"""The kinds of rule that speak of a range of codes."""


def _same_codes(one: Ranged, other: Ranged) -> str:
    return f"codes of {one.codes}" if overlap_unclearly(one.codes, other.codes) else ""
