"""Who owes whom what of charges, as they are billed, given back and not paid: sums, no postings."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from tests.support.life_sales import OPERATORS, Sale, Who


class Asking(NamedTuple):
    """What is asked for about a charge, a refund `by` somebody or a write-off, under a name.

    `price` None is the whole; `own` if the merchant records by itself what it gave back.
    """

    name: str
    by: str
    price: int | None = None
    own: bool = False

    @property
    def is_write_off(self) -> bool:
        """Whether the operator does not pay."""
        return self.by in {"unpaid", "clawback"}


@dataclass
class Charge:
    """One charge: of whom, for what, where it stands, and what was taken from it since."""

    sale: Sale
    who: Who
    code: str
    captures_on: str
    at: datetime
    state: str
    """`told` is pending on another platform, never allowed here, and in no book of ours."""
    nobodys: bool = False
    given_back: int = 0
    taken_back: bool = False
    """The operator owes nothing for it any more."""
    written_off: str | None = None
    unattributed: int = 0
    """What stands there of it, earned by nobody."""
    asked: dict[tuple[bool, str], tuple[str, tuple[object, ...]]] = field(default_factory=dict)
    """What came of each asking, and what had been asked for."""

    @property
    def left(self) -> int:
        """What its consumer paid and has not got back."""
        if self.state != "captured" or self.written_off == "unpaid":
            return 0
        return self.sale.price - self.given_back


class Money:
    """Who owes whom what. `refunds` and `unpaid` name who bears Ludotel's part of them."""

    def __init__(self, refunds: str, unpaid: str) -> None:
        self.owed: Counter[str] = Counter()
        """By operators and merchants, by their names; `consumers`, `nobody`, and `ours`."""
        self.declared: Counter[tuple[str, str]] = Counter()
        """What operators took from consumers, took back, and did not pay: prices with tax."""
        self.tax = 0
        """Within what the operators took from consumers; never in our books."""
        self._refunds, self._unpaid = refunds, unpaid

    def earn(self, charge: Charge) -> None:
        """Let a charge be billed."""
        self.declared[OPERATORS[charge.who.smsc], "captured"] += charge.sale.price
        self.tax += charge.sale.tax
        self._split(charge, 1)
        if charge.nobodys:
            charge.unattributed = charge.sale.reversement

    def ask(self, charge: Charge, asking: Asking) -> str:
        """Give something back, or not: `made`, `refused`, `repeated`, or what is wrong with it."""
        if asking.by == "merchant" and charge.nobodys:
            return "SoldByNobody"
        price = charge.sale.price if asking.price is None else asking.price
        bearer = self._bearer(charge, asking)
        key = asking.is_write_off, asking.name
        if key in charge.asked:
            return self._again(charge.asked[key], asking, (asking.by, price, bearer))
        allowed = self._may(charge, asking, price)
        charge.asked[key] = ("made" if allowed else "refused", (asking.by, price, bearer))
        if not allowed:
            return "refused"
        self._carry_out(charge, asking, price, bearer)
        return "made"

    def _again(
        self, first: tuple[str, tuple[object, ...]], asking: Asking, now: tuple[object, ...]
    ) -> str:
        came, asked = first
        if came == "made":
            return "repeated" if asked == now else "OtherContent"
        same = asking.is_write_off or asked[:2] == now[:2]
        return "refused again" if same else "OtherContent"

    def _may(self, charge: Charge, asking: Asking, price: int) -> bool:
        if charge.state != "captured":
            return False
        if asking.is_write_off:
            return not charge.taken_back
        if asking.by == "operator":
            return not charge.taken_back and price == charge.left == charge.sale.price
        given_by_operator = charge.taken_back and charge.written_off is None
        return not given_by_operator and price <= charge.left

    def _bearer(self, charge: Charge, asking: Asking) -> str:
        if asking.by == "operator":
            return "each its part"
        if asking.own:
            return "merchant"
        if charge.nobodys or charge.sale.merchant != "ludotel":
            return "aggregator"
        return self._unpaid if asking.is_write_off else self._refunds

    def _carry_out(self, charge: Charge, asking: Asking, price: int, bearer: str) -> None:
        if asking.is_write_off:
            self._write_off(charge, asking.by, bearer)
            return
        charge.given_back += price
        if asking.by == "operator":
            self.declared[OPERATORS[charge.who.smsc], "refunded"] += price
            charge.taken_back, charge.unattributed = True, 0
            self._split(charge, -1)
        else:
            self._give(charge, asking.by, price, bearer)

    def _give(self, charge: Charge, by: str, price: int, bearer: str) -> None:
        """Let a consumer have money directly: from us, or from the merchant."""
        merchant = charge.sale.merchant or ""
        if by == "aggregator":
            self.owed["consumers"] += price
        elif bearer == "aggregator":
            self.owed[merchant] += price
        if bearer == "aggregator":
            aside = min(price, charge.unattributed)
            charge.unattributed -= aside
            self.owed["nobody"] -= aside
            self.owed["ours"] -= price - aside
        elif by == "aggregator":
            self.owed[merchant] -= price

    def _write_off(self, charge: Charge, reason: str, bearer: str) -> None:
        sale, operator = charge.sale, OPERATORS[charge.who.smsc]
        charge.taken_back, charge.written_off = True, reason
        self.declared[operator, reason] += sale.price
        self.owed[operator] -= sale.reversement
        theirs = sale.theirs if bearer == "merchant" else 0
        self.owed[sale.merchant or ""] -= theirs
        self.owed["nobody"] -= charge.unattributed
        self.owed["ours"] -= sale.reversement - theirs - charge.unattributed
        charge.unattributed = 0

    def _split(self, charge: Charge, sign: int) -> None:
        sale = charge.sale
        self.owed[OPERATORS[charge.who.smsc]] += sign * sale.reversement
        if charge.nobodys:
            self.owed["nobody"] += sign * sale.reversement
        else:
            self.owed[sale.merchant or ""] += sign * sale.theirs
            self.owed["ours"] += sign * sale.ours
