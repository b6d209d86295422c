"""What another platform charged: judged by our rules, and booked by our terms.

A charge that our rules would have forbidden was never allowed by us: where it was billed it is
captured as *unauthorized*, and found. While it is pending it is told with its terms, so that the
receipt that says so can book it. What nobody sold, nobody earns.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec

from ledger.decisions.asked import Asked
from ledger.decisions.charging import Purchase, booked
from ledger.decisions.finding import About
from ledger.decisions.imported_faults import Taking, by_receipts, earned_by_nobody, faults
from ledger.decisions.legs import find
from ledger.decisions.story import Exchange
from ledger.decisions.told import Sold, Told
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRefused,
    ChargeReleased,
)
from ledger.facts.findings import FindingKind
from ledger.facts.imported import PendingTerms, ToldCharge
from ledger.words import LocalDay, local_day

_LEFT_ALLOWED = frozenset[FindingKind](
    {"captured_without_receipt", "released_though_billed", "leg_not_booked"}
)
"""What is odd about a charge that we would have allowed."""


def take_charges(exchange: Exchange, asked: Asked, told: Told, sold: Sold) -> None:
    """Judge and book all that was charged for a message."""
    for place in range(len(told.charges)):
        _take(Taking(exchange, asked, told, sold, place))


def as_told(exchange: Exchange, asked: Asked, told: Told, sold: Sold) -> Iterator[ToldCharge]:
    """Give each charge as it is told, a pending one with the terms to book it by."""
    for place, one in enumerate(told.charges):
        taking = Taking(exchange, asked, told, sold, place)
        pending = _divided(taking).made if one.state == "authorized" else None
        yield ToldCharge(
            charge=taking.id,
            leg=one.leg,
            price=one.price,
            currency=one.currency,
            tariff=one.tariff,
            state=one.state,
            terms=pending
            and PendingTerms(
                ref=pending.ref, amounts=pending.amounts, captures_on=pending.captures_on
            ),
        )


class _Divided(NamedTuple):
    """A charge by our terms; `as_sold` if by those of what it was sold as."""

    made: ChargeAuthorized | None
    as_sold: bool


def _take(taking: Taking) -> None:
    made, as_sold = _divided(taking)
    kinds: list[FindingKind] = []
    if taking.charged.state != "refused":
        kinds += faults(taking, taking.purchase())
    if made is not None and as_sold:
        kinds += by_receipts(taking, made)
    else:
        kinds.append("leg_not_booked")
    if made is not None:
        _record(taking, made, allowed=_LEFT_ALLOWED.issuperset(kinds))
    for kind in kinds:
        _find(taking, kind)


def _divided(taking: Taking) -> _Divided:
    purchase, refused = taking.purchase(), taking.charged.state == "refused"
    nobodys = not refused and earned_by_nobody(taking)
    made = _booked(taking, purchase, nobodys=nobodys)
    if made is not None or nobodys or refused:
        return _Divided(made, as_sold=made is not None)
    return _Divided(_booked(taking, purchase, nobodys=True), as_sold=False)


def _booked(taking: Taking, purchase: Purchase | None, *, nobodys: bool) -> ChargeAuthorized | None:
    if purchase is None:
        return None
    basis = taking.exchange.known.basis
    made = booked(purchase, basis, taking.charged.category, nobodys=nobodys)
    if made is None:
        return None
    ref = msgspec.structs.replace(made.ref, charge=taking.id)
    return msgspec.structs.replace(made, ref=ref)


def _record(taking: Taking, made: ChargeAuthorized, *, allowed: bool) -> None:
    """Record a charge in the state that it came to; one that we never allowed only if billed."""
    exchange, state = taking.exchange, taking.charged.state
    if state == "refused":
        exchange.beside(_refused(made))
        return
    if allowed:
        exchange.add(made)
    if state == "captured":
        exchange.beside(_captured(taking, made, allowed=allowed))
    elif state == "released" and allowed:
        exchange.beside(_released(taking, made))


def _refused(made: ChargeAuthorized) -> ChargeRefused:
    ref = made.ref
    return ChargeRefused(
        charge=ref.charge,
        leg=ref.leg,
        mo=ref.mo,
        consumer=ref.consumer,
        merchant=ref.merchant,
        service=ref.service,
        category=ref.category,
        keyword=ref.keyword,
        short_code=ref.short_code,
        operator=ref.operator,
        tariff=ref.tariff,
        tariff_version=ref.tariff_version,
        rules=ref.rules,
        rule="refused_elsewhere",
        amount=made.amounts.price,
        currency=made.currency,
        value_day=made.value_day,
        test=ref.test,
        occurred_at=made.occurred_at,
    )


def _captured(taking: Taking, made: ChargeAuthorized, *, allowed: bool) -> ChargeCaptured:
    at, day = _end(taking)
    return ChargeCaptured(
        ref=made.ref,
        amounts=made.amounts,
        currency=made.currency,
        mt=_carried_by(taking),
        authorized_day=made.value_day if allowed else day,
        was="authorized" if allowed else "unauthorized",
        value_day=day,
        occurred_at=at,
    )


def _released(taking: Taking, made: ChargeAuthorized) -> ChargeReleased:
    at, day = _end(taking)
    outcomes = {one.outcome for one in taking.told.receipts}
    reason = "rejected" if "rejected" in outcomes else "not_billed"
    return ChargeReleased(
        ref=made.ref,
        amounts=made.amounts,
        currency=made.currency,
        mt=_carried_by(taking),
        reason="failed" if "failed" in outcomes else reason,
        authorized_day=made.value_day,
        was="authorized",
        value_day=day,
        occurred_at=at,
    )


def _carried_by(taking: Taking) -> str | None:
    receipts = taking.told.receipts
    return receipts[0].mt if receipts and taking.charged.leg == "mt" else None


def _end(taking: Taking) -> tuple[datetime, LocalDay]:
    """Give when a charge came to its end, and the local day; never before it began."""
    began = taking.exchange.mo.occurred_at
    last = max((one.occurred_at for one in taking.told.receipts), default=began)
    at = max(taking.charged.ended_at or last, began)
    return at, local_day(at, taking.exchange.known.rules.zone)


def _find(taking: Taking, kind: FindingKind) -> None:
    """Open a finding; of what was never billed there is nothing to refund, and little to find."""
    charged, exchange = taking.charged, taking.exchange
    if charged.state in {"released", "refused"} and kind != "released_though_billed":
        return
    mo = exchange.mo
    amount = charged.price if charged.state in {"authorized", "captured"} else None
    about = About(
        consumer=mo.consumer,
        short_code=mo.short_code,
        operator=mo.operator,
        merchant=taking.sold.service.merchant if taking.sold.service else None,
        mo=mo.mo,
        charge=taking.id,
        leg=charged.leg,
        amount=amount,
        currency=charged.currency if amount is not None else None,
        test=exchange.test,
    )
    find(exchange, kind, taking.id, about)
