"""The values of a catalogue file: names, days, amounts and percentages as people write them."""

from datetime import date, datetime
from fractions import Fraction
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf

from ledger.decisions.keywords import normalise
from ledger.facts import base, catalogue
from ledger.money import MICROS_PER_UNIT, Rate, parse_micros
from ledger.money import Currency as CurrencyCode
from ledger.rules.schema import Text

_HUNDRED_PERCENT = 100 * MICROS_PER_UNIT
_YEARS = range(2000, 2100)


def _is(kind: Any, meaning: str) -> AfterValidator:  # noqa: ANN401 - an annotated type is no type
    """Hold a value to what the facts allow, so that one pattern governs both."""

    def check(value: str) -> str:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError:
            raise ValueError(f"{value!r} is no {meaning}") from None

    return AfterValidator(check)


def _moment(value: object) -> date:
    if not isinstance(value, date):
        raise ValueError("must be a day such as 2026-03-01, without quotes")  # noqa: TRY004 - pydantic collects ValueError
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("needs its zone, such as 2026-03-01T12:00:00+01:00, or be a day alone")
    if value.year not in _YEARS:
        raise ValueError(f"must lie between {_YEARS[0]} and {_YEARS[-1]}")
    return value


def _percentage(value: object) -> Rate:
    """Read `50 %` as an exact fraction in lowest terms."""
    if not isinstance(value, str) or not value.endswith("%"):
        raise ValueError('must be a percentage in quotes, such as "50 %"')
    part = Fraction(parse_micros(value.removesuffix("%").strip()), _HUNDRED_PERCENT)
    if not 0 <= part <= 1:
        raise ValueError("must lie between 0 % and 100 %")
    return Rate(part.numerator, part.denominator)


def _words(value: str) -> str:
    return " ".join(normalise(value))


Moment = Annotated[InstanceOf[date], BeforeValidator(_moment)]
"""A day, or an instant with its zone."""
Percent = Annotated[InstanceOf[Rate], BeforeValidator(_percentage)]
Line = Annotated[Text, Field(max_length=500)]
Name = Annotated[str, _is(base.ShortId, "name of letters, digits, dots, dashes and underscores")]
Operator = Annotated[str, _is(base.Operator, "operator's MCC and MNC, such as 20801")]
ShortCode = Annotated[str, _is(base.ShortCode, "short code of 3 to 8 digits")]
Category = Annotated[str, _is(catalogue.Category, "tax category in small letters")]
Currency = Annotated[str, _is(CurrencyCode, "currency code such as EUR")]
Words = Annotated[
    str, AfterValidator(_words), _is(catalogue.Keyword, "keyword of letters A to Z and digits")
]
"""A keyword however it is written; kept as matching reads it."""
Choice = Annotated[str, AfterValidator(_words), Field(min_length=1, max_length=64)]
Sender = Annotated[str, Field(min_length=1, max_length=128, pattern=r"\S")]
"""A number or alias as the operator tells it; never written into a fact."""
