"""Money in whole micros, and how one charge divides: the waterfall.

A micro is one millionth of the currency unit. No float and no decimal type is used
anywhere: a 0.05 tariff leaves a merchant 0.020833, which cents cannot hold.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Literal

from msgspec import Meta, Struct

MICROS_PER_UNIT = 1_000_000
MAX_MICROS = 10**12
"""The largest amount one fact may move, either way: one million currency units."""

Micros = Annotated[int, Meta(ge=-MAX_MICROS, le=MAX_MICROS)]
Price = Annotated[int, Meta(ge=0, le=MAX_MICROS)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
"""An ISO 4217 code."""

_AMOUNT = re.compile(r"(-?)([0-9]{1,7})(?:\.([0-9]{1,6}))?")


def parse_micros(text: str) -> int:
    """Read a decimal amount such as `0.05` into micros, exactly.

    Raises:
        ValueError: not a plain decimal number of at most six decimals, or too large.
    """
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not an amount such as 3.00, with at most 6 decimals")
    sign, units, decimals = found.groups()
    micros = int(units) * MICROS_PER_UNIT + int((decimals or "").ljust(6, "0"))
    if micros > MAX_MICROS:
        raise ValueError(f"{text} is more than the largest amount, {micros_text(MAX_MICROS)}")
    return -micros if sign else micros


def micros_text(micros: int) -> str:
    """Write micros as a decimal with two to six decimals: `3.00`, `0.020833`."""
    units, rest = divmod(abs(micros), MICROS_PER_UNIT)
    decimals = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{units}.{decimals}"


class Rate(Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """An exact fraction, such as one fifth for a tax of 20 %."""

    numerator: Annotated[int, Meta(ge=0)]
    denominator: Annotated[int, Meta(ge=1)]


Base = Literal["price_with_tax", "price_net_of_tax", "reversement"]


class Percentage(Struct, frozen=True, forbid_unknown_fields=True, tag="percentage"):
    """A share given as a fraction of a named base."""

    rate: Rate
    base: Base


class FixedAmount(Struct, frozen=True, forbid_unknown_fields=True, tag="fixed"):
    """A share given as an amount net of tax, in micros, for each message."""

    amount: Micros


Share = Percentage | FixedAmount


class Waterfall(Struct, frozen=True, forbid_unknown_fields=True):
    """How one price divides, in micros; the four parts sum to `price`, to the micro."""

    price: Micros
    tax: Micros
    operator: Micros
    aggregator: Micros
    merchant: Micros

    @property
    def reversement(self) -> int:
        """What the operator owes us, net of tax: our share and the merchant's."""
        return self.aggregator + self.merchant


class ImpossibleSplit(ValueError):
    """The terms ask for more than there is to share; `part` would be negative."""

    def __init__(self, part: str, price: int) -> None:
        super().__init__(f"the {part} share of {micros_text(price)} would be negative")
        self.part = part
        self.price = price


@lru_cache(maxsize=4096)
def split(price: int, tax: Rate, reversement: Share, merchant: Share) -> Waterfall:
    """Divide a price, tax included, by the operator's and the merchant's terms.

    `reversement` says what the operator owes us of it, `merchant` what we owe the
    merchant of that. Parts are exact fractions first, then floored; the micros left over
    go to the largest remainders, ties in the order tax, operator, aggregator, merchant.

    Raises:
        ImpossibleSplit: a share is larger than what it is taken from.
    """
    rate = Fraction(tax.numerator, tax.denominator)
    net = Fraction(price) / (1 + rate)
    owed = _share(reversement, price, net, net)
    earned = _share(merchant, price, net, owed)
    exact = {
        "tax": price - net,
        "operator": net - owed,
        "aggregator": owed - earned,
        "merchant": earned,
    }
    for part, amount in exact.items():
        if amount < 0:
            raise ImpossibleSplit(part, price)
    return Waterfall(price=price, **_whole(exact, price))


def _share(share: Share, price: int, net: Fraction, reversement: Fraction) -> Fraction:
    match share:
        case FixedAmount():
            return Fraction(share.amount)
        case Percentage():
            of = {"price_with_tax": price, "price_net_of_tax": net, "reversement": reversement}
            return Fraction(share.rate.numerator, share.rate.denominator) * of[share.base]


def _whole(exact: dict[str, Fraction], total: int) -> dict[str, int]:
    """Round parts down, then hand out what is left by largest remainder, in order."""
    whole = {part: amount.numerator // amount.denominator for part, amount in exact.items()}
    left = total - sum(whole.values())
    # The sort is stable, so equal remainders keep the order in which parts are listed.
    for part in sorted(exact, key=lambda part: whole[part] - exact[part])[:left]:
        whole[part] += 1
    return whole
