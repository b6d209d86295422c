"""The values that requests and answers are made of: names, texts, instants and money."""

import calendar
import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from ledger.money import micros_text, parse_micros
from ledger.words import NUMBER_TOLD, tells_number

MAX_TEXT = 10_000
"""Characters of one message. Ten times what the longest real one has, and as much as fits an
entry of the log when each takes four bytes, sealed."""
MAX_POSITION = (1 << 63) - 1

STRICT = ConfigDict(strict=True, extra="forbid")
"""Nothing is guessed: no number is taken for a text, and no unknown field is passed over."""

ShortId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
HexId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Consumer = Annotated[str, Field(pattern="^[0-9]{1,9}_[0-9a-f]{32}$")]
ShortCode = Annotated[str, Field(pattern="^[0-9]{3,8}$")]
MessageId = Annotated[str, Field(min_length=1, max_length=128)]
Link = Annotated[str, Field(min_length=1, max_length=64)]
Sender = Annotated[str, Field(min_length=1, max_length=128)]
Text = Annotated[str, Field(max_length=MAX_TEXT)]
Position = Annotated[int, Field(ge=0, le=MAX_POSITION)]


def is_readable(text: str) -> bool:
    """Tell whether there is anything to read in a text: one letter that is no blank or control."""
    return any(letter.isprintable() and not letter.isspace() for letter in text)


def _readable(text: str) -> str:
    if not is_readable(text):
        raise ValueError("there is nothing to read in it")
    return text


Legible = Annotated[Text, AfterValidator(_readable)]


def _without_number(words: str) -> str:
    if tells_number(words):
        raise ValueError(NUMBER_TOLD)
    return words


Words = Annotated[
    str,
    # No control characters, which no table can hold, and something that is seen.
    Field(
        min_length=1,
        max_length=500,
        pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$",
    ),
    AfterValidator(_without_number),
]
"""Why something is done, in a person's words, on one line, without a telephone number."""


# Without these a number, as a text or not, would be taken for seconds since 1970.
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].+")


def _day_written(value: object) -> object:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("must be a day such as 2026-08-01, as a text")
    return value


def _instant_written(value: object) -> object:
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise ValueError("must be a time such as 2026-08-01T09:30:00Z, as a text")
    return value


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is too far away") from None


Day = Annotated[date, Field(strict=False, examples=["2026-08-01"]), BeforeValidator(_day_written)]
"""A calendar day; where none is named, in the book's own zone."""

Moment = Annotated[
    AwareDatetime, Field(strict=False), BeforeValidator(_instant_written), AfterValidator(_utc)
]
"""An instant in RFC 3339, its zone included."""


def _real_month(value: str) -> str:
    first_day(value)
    return value


Month = Annotated[
    str,
    Field(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$", examples=["2026-08"]),
    AfterValidator(_real_month),
]
"""A calendar month in the book's own zone."""


def first_day(month: str) -> date:
    """Give the first day of a month.

    Raises: ValueError when there is no such month.
    """
    return date.fromisoformat(f"{month}-01")


def last_day(month: str) -> date:
    """Give the last day of a month."""
    first = first_day(month)
    return first.replace(day=calendar.monthrange(first.year, first.month)[1])


def _more_than_nothing(amount: str) -> str:
    if not parse_micros(amount):
        raise ValueError("must be more than nothing")
    return amount


class Price(BaseModel):
    """An amount that is asked for: more than nothing, as a decimal in quotes, never rounded."""

    model_config = STRICT

    amount: Annotated[
        str,
        Field(pattern=r"^[0-9]{1,7}(\.[0-9]{1,6})?$", examples=["3.00"]),
        AfterValidator(_more_than_nothing),
    ]
    currency: str = Field(pattern="^[A-Z]{3}$", examples=["EUR"])

    @property
    def micros(self) -> int:
        """The amount in micros."""
        return parse_micros(self.amount)


class Money(BaseModel):
    """An amount, exact to the micro, as a decimal in quotes."""

    amount: str = Field(pattern=r"^-?[0-9]+\.[0-9]{2,6}$", examples=["2.083333"])
    currency: str = Field(pattern="^[A-Z]{3}$", examples=["EUR"])

    @classmethod
    def of(cls, micros: int, currency: str) -> "Money":
        """Write micros of a currency."""
        return cls(amount=micros_text(micros), currency=currency)
