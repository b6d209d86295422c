"""One consumer's message on its way through: read, decided under its keys, answered.

Nothing here waits. What is missing is asked for by raising `KeyWanted`, so that one message and a
whole batch of them go the same way.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from ledger.commands.desk import Desk, Held, KeyWanted, Settled, data_key_of
from ledger.commands.incoming import IncomingMo, mo_of
from ledger.decisions import exchange, subscription
from ledger.decisions.asked import Asked, read
from ledger.decisions.past import NOTHING, Past
from ledger.decisions.refusals import ConflictingDuplicate
from ledger.decisions.story import Mo
from ledger.facts.base import Draft, Fact, Recorded, Sealed
from ledger.facts.traffic import ConflictingDuplicateReceived, MoReceived, MtEmitted
from ledger.log.rows import Query
from ledger.vault import DataKeyId, WrongKey, fingerprint, unseal, utc_month

_Written = tuple[type[Fact], str, str]
"""Which stored message it is: the same words may have come before, under another id."""


class Answer(NamedTuple):
    """What the gateway is told: the text to send (none: nothing), and what it costs."""

    mo: str
    mt: str | None
    text: str
    billing_code: str
    repeated: bool
    position: int


def asked_of(desk: Desk, incoming: IncomingMo, arrived_at: datetime) -> Asked:
    """Read a message by the catalogue as known; its fingerprint waits for its key.

    Raises:
        UnknownGateway: the gateway was not declared in this book.
        UnknownLink: it was not declared with the link that it names.
        NationalNumber: the sender is a number without its country's code.
        StatedTimeMissing: its ids come again, and it does not say when this was sent.
        RulesOutdated: this process decides by other rules than the book.
    """
    return read(*mo_of(desk, incoming, arrived_at))


def keys_of(asked: Asked) -> list[DataKeyId]:
    """Name the data keys that must be there before a message is decided, its own first."""
    mo = asked.mo
    own = DataKeyId(mo.consumer, utc_month(mo.occurred_at), "text")
    return [own, own._replace(kind="consent")] if subscription.may_start(asked) else [own]


class Compared:
    """A message under `keys`, to be held against what is stored under its id.

    A key of None was destroyed, or never made.
    """

    def __init__(self, asked: Asked, keys: Held) -> None:
        own = _fingerprint(keys[keys_of(asked)[0]], asked.mo) or ""
        self.asked = asked._replace(mo=asked.mo._replace(fingerprint=own))
        self.keys = keys
        self._names: dict[_Written, str] = {}

    def know(self, stored: Iterable[Recorded]) -> None:
        """Take in what is stored, before it is compared."""
        self._names.update(_names(stored))

    def fingerprint_of(self, stored: MoReceived | ConflictingDuplicateReceived) -> str | None:
        """Give this message's fingerprint under the key of a stored one; None once that is gone.

        Raises:
            KeyWanted: that key is not here.
        """
        key = self.key(data_key_of(stored))
        name = self._names.get(_written(stored))
        return _fingerprint(key if _opens(key, name, stored.text) else None, self.asked.mo)

    def key(self, wanted: DataKeyId) -> bytes | None:
        """Give a key.

        Raises:
            KeyWanted: it is not here.
        """
        if wanted not in self.keys:
            raise KeyWanted(wanted)
        return self.keys[wanted]


class Message(Compared):
    """The decision on one message under `keys`, at least those that `keys_of` names.

    `past` is what is known already of its consumer's.
    """

    def __init__(self, asked: Asked, keys: Held, past: Past = NOTHING) -> None:
        super().__init__(asked, keys)
        self.past = past

    @property
    def query(self) -> Query:
        """What the decision rests on, beside its consumer's past."""
        return exchange.rests_on(self.asked, self.past)

    def decide(self, history: list[Recorded]) -> list[Draft]:
        """Decide.

        Raises:
            KeyWanted: a stored message can only be compared under a key that is not here.
        """
        known = [*self.past.facts, *history]
        self.know(known)
        facts = [one.fact for one in known]
        return exchange.receive(self.asked, facts, self.fingerprint_of, self.past.sums)

    def answer(self, settled: Settled) -> Answer:
        """Tell from the stored facts what the gateway is answered.

        Raises:
            KeyWanted: what is stored can only be read under a key that is not here.
            ConflictingDuplicate: another message came under this id; both are kept.
        """
        mo = self.asked.mo.mo
        before = next(_messages(mo, settled.history), None)
        if before is not None:
            self.know(settled.facts)
            if self.fingerprint_of(before) not in {before.fingerprint, None}:
                raise ConflictingDuplicate(mo)
        return told(mo, settled, self.key)


def told(mo: str, settled: Settled, key_of: Callable[[DataKeyId], bytes | None]) -> Answer:
    """Tell from an exchange's stored facts what the gateway is answered.

    Once the key of the text is gone there is nothing left to say, so nothing is sent.
    """
    emitted, repeated = _answering(mo, settled.facts), not settled.appended
    if emitted is None:
        return Answer(mo, None, "", "", repeated, settled.head)
    fact, mt = emitted
    text = settled.texts.get(fact.id)
    if text is None:
        text = _opened(fact.id, mt, key_of)
    return Answer(mo, mt.ref.mt, text, mt.billing_code, repeated, settled.head)


def _opened(name: str, mt: MtEmitted, key_of: Callable[[DataKeyId], bytes | None]) -> str:
    key = key_of(data_key_of(mt))
    try:
        return unseal(key, name, mt.text) if key and mt.text else ""
    except WrongKey:
        return ""  # The key was destroyed, and the consumer has written again since.


def _messages(mo: str, facts: Iterable[Recorded]) -> Iterator[MoReceived]:
    for one in facts:
        if isinstance(one.fact, MoReceived) and one.fact.mo == mo:
            yield one.fact


def _answering(mo: str, facts: Iterable[Recorded]) -> tuple[Recorded, MtEmitted] | None:
    for one in facts:
        if isinstance(one.fact, MtEmitted) and one.fact.ref.mo == mo:
            return one, one.fact
    return None


def _written(fact: MoReceived | ConflictingDuplicateReceived) -> _Written:
    return type(fact), fact.mo, fact.fingerprint


def _names(history: Iterable[Recorded]) -> Iterator[tuple[_Written, str]]:
    """Give the id of each message's fact."""
    for one in history:
        if isinstance(one.fact, MoReceived | ConflictingDuplicateReceived):
            yield _written(one.fact), one.id


def _opens(key: bytes | None, name: str | None, text: Sealed | None) -> bool:
    """Tell whether a key sealed a stored text, or took the place of one that was destroyed.

    `name` is the id of the text's fact, as it is stored.
    """
    if key is None or name is None or text is None:
        return True
    try:
        unseal(key, name, text)
    except WrongKey:
        return False
    return True


def _fingerprint(key: bytes | None, mo: Mo) -> str | None:
    return None if key is None else fingerprint(key, mo.sender, mo.short_code, mo.text)
