"""Whether every message that was played is accounted for: by facts, an answer, its receipts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from api.demo.books import DemoBook
from api.demo.messages import Exchange, PushedSms
from api.demo.play import Played
from api.kannel import OUTCOMES
from ledger.decisions.story import mo_id
from ledger.facts.base import Recorded
from ledger.facts.charges import ChargeAuthorized
from ledger.facts.consent import OptedOut
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    DeliveryOrphaned,
    DeliveryReceived,
    KeywordUnmatched,
    MoReceived,
    MtEmitted,
    MtSubmitted,
)

Texts = Mapping[str, str]
"""By the id of a fact, what it says in the clear."""
_Went = tuple[str | None, str | None, str, tuple[str, ...]]
"""By which link, what text at which billing code, and what was reported."""
_OK = 200


class Account(NamedTuple):
    """How the messages that were played became facts, and what does not fit."""

    played: int
    messages: int
    """Different ones: what a gateway handed over again is one message."""
    answered: int
    unanswered: int
    """By rule: a code that nobody opened, silence after STOP."""
    conflicts: int
    pushed: int
    """Messages that answer none: notices, renewals, an invitation."""
    receipts: int
    """Different ones, orphans left out."""
    orphans: int
    problems: tuple[str, ...]


class _Book:
    """What the facts say of each message."""

    def __init__(self, home: DemoBook, facts: Iterable[Recorded]) -> None:
        self._home = home
        self.received = Counter[str]()
        self.consumers: dict[str, str] = {}
        self.conflicts = Counter[str]()
        self.unmatched: set[str] = set()
        self.stopped: set[str] = set()
        self.charged: dict[str, set[str]] = {"mo": set(), "mt": set()}
        """By leg, the MO or, of a message that is charged for, its charge."""
        self.pushed: list[tuple[str, MtEmitted]] = []
        self.emitted: dict[str, tuple[str, MtEmitted]] = {}
        self.receipts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.orphans: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for one in facts:
            self._take(one)

    def mo(self, one: Exchange) -> str:
        """Give the id of the message that was played."""
        return mo_id(self._home.book, self._home.gateway, one.message_id)

    def _take(self, one: Recorded) -> None:  # noqa: C901 - one line for each kind of fact
        match one.fact:
            case MoReceived(mo=mo, consumer=consumer):
                self.received[mo] += 1
                self.consumers[mo] = consumer
            case ConflictingDuplicateReceived(mo=mo):
                self.conflicts[mo] += 1
            case KeywordUnmatched(mo=mo):
                self.unmatched.add(mo)
            case OptedOut(consumer=consumer):
                self.stopped.add(consumer)
            case ChargeAuthorized(ref=ref):
                self.charged[ref.leg].add((ref.leg == "mo" and ref.mo) or ref.charge)
            case MtEmitted(pushed=True):
                self.pushed.append((one.id, one.fact))
            case MtEmitted(ref=ref):
                self.emitted[ref.mo or ref.mt] = (one.id, one.fact)
            case MtSubmitted(ref=ref):
                self.receipts[ref.mt]["submitted"] += 1
            case DeliveryReceived(ref=ref, outcome=outcome):
                self.receipts[ref.mt][outcome] += 1
            case DeliveryOrphaned(mt=mt, outcome=outcome):
                self.orphans[mt][outcome] += 1
            case _:
                pass


def account(home: DemoBook, played: Played, facts: Iterable[Recorded], texts: Texts) -> Account:
    """Hold what the gateway saw against what the book says; whatever does not fit is a problem."""
    book = _Book(home, facts)
    mos = [one for one in played.exchanges if not one.message.orphan]
    orphans = [one for one in played.exchanges if one.message.orphan]
    ids = {book.mo(one) for one in mos}
    conflicting = [one for one in mos if _is_conflict(one, mos)]
    problems = [
        *(problem for one in mos for problem in _message(one, book, texts, one in conflicting)),
        *_receipts(mos, played.late, book),
        *_orphans(orphans, book),
        *_pushed(played.pushed, book, texts),
        *_nothing_else(book, ids, len(conflicting)),
    ]
    answered = sum(1 for mo in ids if mo in book.emitted)
    return Account(
        played=len(played.exchanges),
        messages=len(ids),
        answered=answered,
        unanswered=len(ids) - answered,
        conflicts=len(conflicting),
        pushed=len(played.pushed),
        receipts=sum(found.total() for found in book.receipts.values()),
        orphans=sum(found.total() for found in book.orphans.values()),
        problems=tuple(problems),
    )


def _is_conflict(one: Exchange, played: Sequence[Exchange]) -> bool:
    """Tell whether a message bears the id of another that says something else."""
    first = next(other for other in played if other.message_id == one.message_id)
    mine, other = one.message, first.message
    return (mine.sender, mine.code, mine.text) != (other.sender, other.code, other.text)


def _message(
    one: Exchange,
    book: _Book,
    texts: Texts,
    conflicting: bool,  # noqa: FBT001 - one of many
) -> Iterator[str]:
    mo, name = book.mo(one), one.message.name
    if book.received[mo] != 1:
        yield f"{name}: recorded {book.received[mo]} times"
    if conflicting:
        if one.status != _OK or one.reply or book.conflicts[mo] != 1:
            yield f"{name}: another message under its id was not kept in silence"
        return
    if one.status != _OK:
        yield f"{name}: answered {one.status}"
    found = book.emitted.get(mo)
    if found is None:
        yield from _unanswered(one, book)
    else:
        yield from _answered(one, found[1], texts.get(found[0]))
    yield from _priced(one, book, found[1] if found else None)


def _unanswered(one: Exchange, book: _Book) -> Iterator[str]:
    mo = book.mo(one)
    if one.reply:
        yield f"{one.message.name}: the gateway got an answer that is not recorded"
    if mo not in book.unmatched and book.consumers.get(mo) not in book.stopped:
        yield f"{one.message.name}: not answered, and nothing says why"


def _answered(one: Exchange, mt: MtEmitted, text: str | None) -> Iterator[str]:
    if text is None or one.reply != text.strip():
        yield f"{one.message.name}: the gateway got another text than is recorded"
    if one.billing_code != mt.billing_code:
        yield f"{one.message.name}: sent at {one.billing_code}, recorded at {mt.billing_code}"


def _priced(one: Exchange, book: _Book, mt: MtEmitted | None) -> Iterator[str]:
    """Hold a message against what its author expected of it."""
    charge, sent = mt.ref.charge if mt else None, book.mo(one) in book.charged["mo"]
    if charge is not None and charge not in book.charged["mt"]:
        yield f"{one.message.name}: its charge and its answer do not go together"
    found = {
        (False, True): "paid",
        (True, True): "both",
        (True, False): "mo",
        (False, False): "free" if mt else "silent",
    }[sent, charge is not None]
    if one.message.expect not in {"any", found}:
        yield f"{one.message.name}: is not {one.message.expect}, but {found}"


def _pushed(handed: Sequence[PushedSms], book: _Book, texts: Texts) -> Iterator[str]:
    """See that what answered no message went out once, at its price, and was reported on."""
    wanted: Counter[_Went] = Counter(
        (mt.smsc, texts.get(name), mt.billing_code, _recorded(book, mt)) for name, mt in book.pushed
    )
    found: Counter[_Went] = Counter(
        (one.smsc, one.text, one.billing_code, _named(one.receipts)) for one in handed
    )
    for what, number in (wanted - found).items():
        yield f"{number} pushed by {what[0]} at {what[2]} did not go out as recorded"
    for what, number in (found - wanted).items():
        yield f"{number} went out by {what[0]} at {what[2]} that are not recorded so"


def _recorded(book: _Book, mt: MtEmitted) -> tuple[str, ...]:
    return tuple(sorted(book.receipts[mt.ref.mt].elements()))


def _named(receipts: Iterable[int]) -> tuple[str, ...]:
    return tuple(sorted(OUTCOMES[str(kind)] for kind in receipts))


def _receipts(played: Sequence[Exchange], late: Sequence[Exchange], book: _Book) -> Iterator[str]:
    """Each receipt of a message is one fact, however often it was handed over."""
    handed: defaultdict[str, set[str]] = defaultdict(set)
    for one in (*played, *late):
        handed[book.mo(one)].update(OUTCOMES[str(kind)] for kind in one.receipts)
    for mo, outcomes in handed.items():
        found = book.emitted.get(mo)
        recorded = book.receipts[found[1].ref.mt] if found else Counter[str]()
        if recorded != Counter(outcomes):
            names = ", ".join(one.message.name for one in played if book.mo(one) == mo)
            yield f"{names}: receipts {sorted(outcomes)}, recorded {sorted(recorded.elements())}"


def _orphans(orphans: Sequence[Exchange], book: _Book) -> Iterator[str]:
    for one in orphans:
        expected = Counter(OUTCOMES[str(kind)] for kind in one.receipts)
        if book.orphans[one.message_id] != expected:
            yield f"{one.message.name}: a receipt for an unknown message was not kept"


def _nothing_else(book: _Book, ids: set[str], conflicts: int) -> Iterator[str]:
    """See that the book holds no message that nobody sent."""
    if set(book.received) != ids:
        yield f"{len(set(book.received) - ids)} recorded messages were never sent"
    if book.conflicts.total() != conflicts:
        yield f"{book.conflicts.total()} conflicts are recorded, {conflicts} were played"
    emitted = (*book.emitted.values(), *book.pushed)
    if set(book.receipts) - {mt.ref.mt for _, mt in emitted}:
        yield "a receipt is recorded for a message that was not emitted"
    if book.charged["mt"] - {mt.ref.charge for _, mt in emitted}:
        yield "an answer is charged that was not emitted"
