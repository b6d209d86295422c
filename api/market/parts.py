"""How a price divides, worked out once more: in whole numbers over one common denominator.

Written apart from the ledger's own arithmetic, so that one can be held against the other.
"""

from functools import cache
from typing import NamedTuple

from api.market.goods import Share

HUNDREDTHS = 10_000
"""Hundredths of a percent in a whole."""


class Parts(NamedTuple):
    """A price and its four parts, in micros, which sum to it."""

    price: int
    tax: int
    operator: int
    ours: int
    theirs: int
    """The merchant's."""

    @property
    def owed(self) -> int:
        """What the operator owes us of it."""
        return self.ours + self.theirs


@cache
def divide(price: int, tax_percent: int, operator: Share, merchant: Share | None) -> Parts:
    """Divide a price, tax included; without a merchant its part is ours.

    What is lost by rounding down goes, a micro each, to the parts that lost most; of equal ones
    first to tax, then operator, ours, theirs.
    """
    # All four are told in units of which a micro has `unit`, so that nothing is lost before the
    # end: net of tax is price * 100 / (100 + tax), and two shares may be taken of it.
    unit = (100 + tax_percent) * HUNDREDTHS * HUNDREDTHS
    net = price * 100 * HUNDREDTHS * HUNDREDTHS
    owed = _part(operator, net, net, unit)
    theirs = 0 if merchant is None else _part(merchant, net, owed, unit)
    exact = (price * unit - net, net - owed, owed - theirs, theirs)
    assert min(exact) >= 0, "the market's own terms leave something for everybody"
    whole = [one // unit for one in exact]
    lost = [one % unit for one in exact]
    for _ in range(price - sum(whole)):
        most = lost.index(max(lost))
        whole[most] += 1
        lost[most] = -1
    return Parts(price, *whole)


def _part(share: Share, net: int, owed: int, unit: int) -> int:
    if share.of == "fixed":
        return share.amount * unit
    return (net if share.of == "net" else owed) * share.amount // HUNDREDTHS
