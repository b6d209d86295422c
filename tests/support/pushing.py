"""Messages that answer no request, as a subscription, a solicitation or a notice emits them."""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from ledger.commands.pushing import Push, Reply, doubt_handover, offer_mt, record_reply
from ledger.decisions.pushed import Priced, pushed, pushed_mt_id
from ledger.facts.base import Draft, Fact
from ledger.facts.charges import ChargeAuthorized
from ledger.facts.traffic import MoReceived, MtEmitted, MtKind, MtRef
from ledger.vault import DataKeyId, utc_month
from ledger.words import derived_id
from tests.support.book import ORIGIN, Book
from tests.support.builders import BOOK, mo

TEXT = "Votre abonnement continue"
TAKEN = Reply("taken", "202 0: Accepted for delivery")
REFUSED = Reply("refused", "403")
UNKNOWN = Reply("unknown", "timed out")
MINUTE = timedelta(minutes=1)


def emitted(
    book: Book,
    kind: MtKind = "renewal",
    *,
    charged: bool = False,
    name: str = "cycle-1",
    **ref: Any,  # noqa: ANN401 - fields of every type
) -> str:
    """Emit a message to be pushed to the book's one consumer, who wrote before; gives its id."""
    if not book.facts(MoReceived):
        book.receive(mo("JEU"))
    received, sold = book.facts(MoReceived)[0], book.facts(ChargeAuthorized)[0]
    now, drafts = book.clock.now, list[Draft]()
    mt = pushed_mt_id(BOOK, name, kind)
    charge = derived_id(BOOK, "charge", name, "mt") if charged else None
    if charged:
        terms = replace(sold.ref, charge=charge, mo=None, subscription=derived_id("subscription"))
        fact = replace(sold, ref=terms, occurred_at=now)
        drafts.append(Draft(fact, exchange=derived_id(name)))
    reference = {
        "gateway": received.gateway,
        "consumer": received.consumer,
        "short_code": received.short_code,
        "operator": received.operator,
        "merchant": "ludotel",
        "service": "quiz",
        "charge": charge,
    }
    made = pushed(
        MtRef(mt=mt, **reference | ref),
        kind,
        TEXT,
        Priced("P3000000" if charged else "FREE"),
        received.smsc,
        now,
    )
    drafts.append(Draft(made, exchange=derived_id(name), text=TEXT))
    key = DataKeyId(received.consumer, utc_month(now), "text")
    secret = book.run(book.desk.keys.ensure(key))
    book.run(book.desk.settle((), lambda _: drafts, ORIGIN, {key: secret}))
    return mt


def offer(book: Book, mt: str, at: datetime | None = None) -> Push | None:
    """Offer a message to its gateway."""
    return book.run(offer_mt(book.desk, mt, ORIGIN, at or book.clock.now))


def reply(book: Book, push: Push, said: Reply, at: datetime | None = None) -> list[Fact]:
    """Record what the gateway said; gives what that added."""
    now = at or book.clock.now
    settled = book.run(record_reply(book.desk, push, said, ORIGIN, now))
    return [one.fact for one in settled.appended] if settled else []


def doubted(book: Book, mt: str, at: datetime) -> list[Fact]:
    """Ask whether a handover has been unknown for too long; gives what that added."""
    settled = book.run(doubt_handover(book.desk, mt, ORIGIN, at))
    return [one.fact for one in settled.appended] if settled else []


def tried(book: Book, mt: str, said: Reply, at: datetime | None = None) -> Push:
    """Offer a message and hear what the gateway says."""
    push = offer(book, mt, at)
    assert push is not None
    reply(book, push, said, at)
    return push


def text_key(book: Book, mt: str) -> DataKeyId:
    """Give which key seals the text of a message."""
    (fact,) = [one for one in book.facts(MtEmitted) if one.ref.mt == mt]
    return DataKeyId(fact.ref.consumer, fact.text.month, fact.text.kind)
