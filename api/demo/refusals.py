"""What was refused, or not charged, and why: told from the facts, with the messages it befell."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from api.demo.books import DEMO_BOOKS
from api.demo.messages import DemoMessage, Exchange
from ledger.decisions.story import mo_id
from ledger.facts.base import Fact, Recorded
from ledger.facts.charges import ChargeRefused, ChargeReleased, ChargeUnresolved
from ledger.facts.consent import OptedOut
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    DeliveryOrphaned,
    DeliveryReceived,
    KeywordUnmatched,
    MoReceived,
    MtEmitted,
)


class Refused(NamedTuple):
    """One kind of refusal: what happened, what followed, and to which messages of the script."""

    what: str
    followed: str
    messages: tuple[str, ...]


class _Told(NamedTuple):
    """One refusal, and the MO that it is about; of an orphan, the MT."""

    what: str
    followed: str
    about: str


def refusals(facts: Sequence[Recorded], played: Sequence[Exchange]) -> list[Refused]:
    """Gather what was refused, alike ones together, in the order of the script."""
    names, rivals = _names(played)
    emitted = [one.fact.ref for one in facts if isinstance(one.fact, MtEmitted)]
    answered = {ref.mo or ref.mt for ref in emitted}
    found: dict[tuple[str, str], list[str]] = {}
    for told in _from_facts([one.fact for one in facts], answered):
        known = rivals if told.what == _CONFLICT else names
        name = known.get(told.about, told.about)
        found.setdefault((told.what, told.followed), []).append(name)
    for told in _from_the_link(played):
        found.setdefault((told.what, told.followed), []).append(told.about)
    # Not in the order of positions: several links play at once, so that differs from run to run.
    place = {one.message.name: at for at, one in enumerate(played)}
    ordered = [
        Refused(*kind, tuple(sorted(messages, key=lambda name: place.get(name, len(place)))))
        for kind, messages in found.items()
    ]
    return sorted(ordered, key=lambda one: place.get(one.messages[0], len(place)))


def _names(played: Iterable[Exchange]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Give what the script calls each message, and each that came under another's id."""
    names: dict[str, str] = {}
    rivals: dict[str, str] = {}
    for one in played:
        home = DEMO_BOOKS[one.message.book]
        given = one.message_id
        known = given if one.message.orphan else mo_id(home.book, home.gateway, given)
        (names if one.message.same_id_as is None else rivals)[known] = one.message.name
    return names, rivals


def _from_facts(facts: Sequence[Fact], answered: set[str]) -> Iterator[_Told]:
    told = [one for fact in facts if (one := _one(fact, answered)) is not None]
    yield from told
    explained = {one.about for one in told}
    for fact in facts:
        if isinstance(fact, MoReceived) and fact.mo not in answered | explained:
            yield _Told("a word after STOP was confirmed", "silence", fact.mo)


def _one(fact: Fact, answered: set[str]) -> _Told | None:
    tell = _TELL.get(type(fact))
    return tell(fact, answered) if tell else None


def _unmatched(fact: KeywordUnmatched, answered: set[str]) -> _Told:
    followed = "answered free" if fact.mo in answered else "recorded, not answered"
    return _Told(_REASONS[fact.reason], followed, fact.mo)


def _refused(fact: ChargeRefused, _: set[str]) -> _Told:
    return _Told(
        f"charge refused: {fact.rule.replace('_', ' ')}", "answered free", fact.mo or fact.charge
    )


def _conflict(fact: ConflictingDuplicateReceived, _: set[str]) -> _Told:
    return _Told(_CONFLICT, "kept as evidence, nothing sent", fact.mo)


def _orphan(fact: DeliveryOrphaned, _: set[str]) -> _Told:
    return _Told("receipt for an unknown message", "kept, joined if it appears", fact.mt)


def _delivery(fact: DeliveryReceived, _: set[str]) -> _Told | None:
    if not fact.contradicts:
        return None
    return _Told(
        f"{fact.outcome}, after another ending",
        "recorded; what was earned stays",
        fact.ref.mo or fact.ref.mt,
    )


def _stop(fact: OptedOut, _: set[str]) -> _Told:
    scope = "the whole code" if fact.service is None else f"service {fact.service}"
    return _Told(f"{fact.word}: {scope}", "confirmed once, free", fact.mo)


def _released(fact: ChargeReleased, _: set[str]) -> _Told:
    late = ", after being unresolved" if fact.was == "unresolved" else ""
    return _Told(
        f"not billed: {fact.reason}{late}", "charge released", fact.ref.mo or fact.ref.charge
    )


def _unresolved(fact: ChargeUnresolved, _: set[str]) -> _Told:
    return _Told(
        "no final receipt in time", "charge unresolved, not earned", fact.ref.mo or fact.ref.charge
    )


_CONFLICT = "another message under a known id"
_REASONS = {
    "unknown_code": "a code that nobody opened",
    "no_words": "a message without a word",
    "unknown_keyword": "an unknown keyword",
    "not_on_sale": "a keyword that is not on sale",
}
_TELL: Mapping[type[Fact], Callable[[Any, set[str]], _Told | None]] = {
    KeywordUnmatched: _unmatched,
    ChargeRefused: _refused,
    ConflictingDuplicateReceived: _conflict,
    DeliveryOrphaned: _orphan,
    DeliveryReceived: _delivery,
    OptedOut: _stop,
    ChargeReleased: _released,
    ChargeUnresolved: _unresolved,
}


def _from_the_link(played: Iterable[Exchange]) -> Iterator[_Told]:
    """Tell what was handed over again; of that the facts say nothing, as they should not."""
    for one in played:
        message = one.message
        if message.fault == "unavailable":
            yield _Told("the ledger was away (503)", "asked again, recorded once", message.name)
        elif message.fault == "answer_lost" or _is_repeat(message):
            yield _Told("the same message again", "the first answer again", message.name)
        elif message.fault == "receipt_answer_lost":
            yield _Told("the same receipts again", "no effect", message.name)


def _is_repeat(message: DemoMessage) -> bool:
    return message.same_id_as is not None and message.expect == "paid"
