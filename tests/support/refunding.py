"""Charges that were billed, and what is asked for when they are given back or written off."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from ledger.commands.refunds import Refunded, WrittenOff, refund_charge, write_off_charge
from ledger.decisions import finding
from ledger.decisions.refund import RefundRequest
from ledger.decisions.write_off import WriteOffRequest
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured
from ledger.facts.findings import FindingKind, FindingOpened
from ledger.words import derived_id
from tests.support.book import FRENCH, ORIGIN, Book, in_memory, rule_book
from tests.support.builders import BOOK, SETTINGS, dlr, mo, percent, with_merchant

PRINCIPAL = rule_book(SETTINGS.replace('acting = "agent"', 'acting = "principal"'))
NOBODY = {"merchant": None, "service": None, "keyword": None, "merchant_contract": None}


class Sold(NamedTuple):
    """A book in which one thing of 3.00 was sold, and its charge."""

    book: Book
    charge: str


def asked(captured: bool = True, principal: bool = False, **agreed: str) -> Sold:  # noqa: FBT001, FBT002 - tests name them
    """Sell something of 3.00 at Orange; `agreed` are fields of the merchant's contract."""
    contract = with_merchant("ludotel", percent(80, "reversement"), **agreed)
    contract = msgspec.structs.replace(contract, contract="c-ludotel-again")
    book = in_memory(contract, rules=PRINCIPAL if principal else FRENCH)
    mt = book.receive(mo("JEU")).mt
    assert mt is not None
    if captured:
        book.report(dlr(mt))
    # It is given back an hour later.
    book.clock.now += timedelta(hours=1)
    return Sold(book, book.facts(ChargeAuthorized)[0].ref.charge)


def nobodys(**terms: Any) -> Sold:  # noqa: ANN401 - fields of every type
    """Let Orange bill 3.00 for what nobody sold; `terms` are fields of its reference."""
    book, _ = asked()
    like = book.facts(ChargeCaptured)[0]
    charge = derived_id(BOOK, "charge", "what nobody sold")
    ref = msgspec.structs.replace(like.ref, **{"charge": charge, "leg": "mo", **NOBODY, **terms})
    book.add(msgspec.structs.replace(like, ref=ref, mt=None, was="unauthorized"))
    return Sold(book, charge)


def found(sold: Sold, kind: FindingKind = "unattributed", amount: int = 3_000_000) -> FindingOpened:
    """Open a finding about a charge."""
    book, charge = sold
    captured = next(one for one in book.facts(ChargeCaptured) if one.ref.charge == charge)
    about = finding.about_charge(captured.ref, amount, "EUR")
    opened = finding.opened(BOOK, kind, charge, about, captured.occurred_at)
    book.add(opened)
    return opened


def refund_of(charge: str, **fields: Any) -> RefundRequest:  # noqa: ANN401 - as above
    """Ask that the operator gives a charge back, unless `fields` ask for something else."""
    by = fields.get("by", "operator")
    channel = "bill" if by == "operator" else "transfer"
    defaults = {"id": "r-1", "by": by, "channel": channel, "reason": "never asked for"}
    return RefundRequest(charge=charge, **{**defaults, **fields})


def transfer(charge: str, price: int, **fields: Any) -> RefundRequest:  # noqa: ANN401 - as above
    """Ask to give some of a charge back ourselves, by transfer."""
    return refund_of(charge, **{"by": "aggregator", "price": price, **fields})


def write_off_of(charge: str, **fields: Any) -> WriteOffRequest:  # noqa: ANN401 - as above
    """Tell that the operator does not pay a charge, for its consumer never paid."""
    defaults = {"id": "w-1", "reason": "unpaid", "note": "the operator's file of August"}
    return WriteOffRequest(charge=charge, **{**defaults, **fields})


def refunding(request: RefundRequest) -> Callable[[Book], Refunded]:
    """Make a step of it."""
    return lambda book: book.run(refund_charge(book.desk, request, ORIGIN, book.clock.now))


def writing_off(request: WriteOffRequest) -> Callable[[Book], WrittenOff]:
    """Make a step of it."""
    return lambda book: book.run(write_off_charge(book.desk, request, ORIGIN, book.clock.now))


def beside(book: Book, request: RefundRequest) -> Callable[[], Coroutine[Any, Any, Refunded]]:
    """Make a step that is taken at the same moment as others."""
    return lambda: refund_charge(book.desk, request, ORIGIN, book.clock.now)
