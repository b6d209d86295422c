"""Take over exchanges that another platform decided, many at a time, in order."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from ledger.commands.desk import (
    CatalogueMoved,
    Deciding,
    Desk,
    Held,
    KeyWanted,
    Learn,
    Settled,
)
from ledger.commands.incoming import IncomingMo
from ledger.commands.messages import Compared, asked_of, keys_of
from ledger.commands.together import Together, take_all
from ledger.commands.traffic import find_key
from ledger.decisions import imported
from ledger.decisions.asked import Asked
from ledger.decisions.past import NOTHING, Past, needed
from ledger.decisions.refusals import (
    ConflictingDuplicate,
    RulesOutdated,
    UnknownGateway,
    UnknownLink,
)
from ledger.decisions.story import mo_id, mt_id
from ledger.decisions.told import Told
from ledger.facts.base import Draft, Recorded
from ledger.facts.registry import Origin
from ledger.facts.traffic import MoReceived
from ledger.log.batch import Outcome, Proposal
from ledger.log.errors import RowRefused
from ledger.log.rows import Query
from ledger.vault import DataKeyId, utc_month

_UNKNOWN = (UnknownGateway, UnknownLink, RulesOutdated)


class Imported(NamedTuple):
    """A message as it reached another platform, and what that made of it."""

    incoming: IncomingMo
    told: Told


class TakenOver(NamedTuple):
    """An exchange stands in the book as it was told."""

    mo: str
    repeated: bool
    position: int


async def import_all(
    desk: Desk, batch: Sequence[Imported], origin: Origin
) -> list[TakenOver | Exception]:
    """Take exchanges over in order; gives for each where it stands, or why it was refused.

    Raises:
        LogOverloaded, LogUnavailable: as `receive_all`.
    """
    taking = _Taking(desk, batch, origin)
    await take_all(taking)
    return [taking.done[at] for at in range(len(batch))]


class _One(Compared):
    """The decision on one exchange under `keys`, at least those that `_keys_of` names."""

    def __init__(self, asked: Asked, told: Told, keys: Held, past: Past) -> None:
        super().__init__(asked, keys)
        self.told = told
        self.past = past

    @property
    def query(self) -> Query:
        """What the decision rests on, beside its consumer's past."""
        return imported.rests_on(self.asked, self.told, self.past)

    def decide(self, history: list[Recorded]) -> list[Draft]:
        """Decide.

        Raises:
            KeyWanted: a stored message can only be compared under a key that is not here.
        """
        known = [*self.past.facts, *history]
        self.know(known)
        facts = [one.fact for one in known]
        return imported.take_over(self.asked, self.told, facts, self.fingerprint_of)

    def became(self, settled: Settled) -> TakenOver | Exception:
        """Tell whether the exchange stands there as it was told."""
        mo = self.asked.mo.mo
        self.know(settled.facts)
        facts = [one.fact for one in settled.facts]
        received = next(one for one in facts if isinstance(one, MoReceived) and one.mo == mo)
        same = self.fingerprint_of(received) in {received.fingerprint, None}
        if same and imported.same_as_told(facts, mo, self.told):
            return TakenOver(mo, not settled.appended, settled.head)
        return ConflictingDuplicate(mo)


class _Taking:
    """A batch on its way: what is left of it, and what became of the rest."""

    def __init__(self, desk: Desk, batch: Sequence[Imported], origin: Origin) -> None:
        self._desk = desk
        self._batch = batch
        self._origin = origin
        self.held: Held = {}
        self.done: dict[int, TakenOver | Exception] = {}
        self.left = list(range(len(batch)))

    async def go_on(self) -> None:
        """Take over what is left, up to where something has to be learnt first."""
        asked, refused = self._asked()
        if any(isinstance(why, _UNKNOWN) for why in refused.values()):
            await self._desk.refresh()
            asked, refused = self._asked()
        self.done |= refused
        await self._ensure_keys(asked)
        wanted = ((one.mo.consumer, partial(needed, one)) for one in asked.values())
        await self._desk.pasts.learn(self._desk.log, wanted)
        await self._settle([(at, self._one(at, one)) for at, one in asked.items()])
        self.left = [at for at in self.left if at not in self.done]

    def _one(self, at: int, asked: Asked) -> _One:
        told, pasts = self._batch[at].told, self._desk.pasts
        past = NOTHING if told.stopped else pasts.of(asked.mo.consumer, partial(needed, asked))
        return _One(asked, told, self.held, past)

    def _asked(self) -> tuple[dict[int, Asked], dict[int, Exception]]:
        asked: dict[int, Asked] = {}
        refused: dict[int, Exception] = {}
        for at in self.left:
            incoming = self._batch[at].incoming
            assert incoming.stated_at is not None, "an exchange says when it began"
            try:
                asked[at] = asked_of(self._desk, incoming, incoming.stated_at)
            except Exception as why:  # noqa: BLE001 - whatever it is, it is that line's own
                refused[at] = why
        return asked, refused

    async def _ensure_keys(self, asked: Mapping[int, Asked]) -> None:
        wanted: dict[DataKeyId, str | None] = {}
        for at, one in asked.items():
            for key in _keys_of(one, self._batch[at].told) - self.held.keys():
                wanted.setdefault(key, self._batch[at].incoming.sender)
        if wanted:
            self.held |= await self._desk.keys.ensure_all(wanted)

    async def _settle(self, ready: Sequence[tuple[int, _One]]) -> None:
        if not ready:
            return
        made = [Deciding(self._desk, one.decide, self._origin, self.held) for _, one in ready]
        proposals = [Proposal(one.query, by.rows) for (_, one), by in zip(ready, made, strict=True)]
        together = Together(proposals, (Learn,))
        try:
            outcome = await self._desk.log.submit(together.query, together.decide)
        except RowRefused as refused:
            # One bad row must not fail the others: half of them are tried, and the rest is left.
            if len(ready) > 1:
                await self._settle(ready[: len(ready) // 2])
            else:
                self.done[ready[0][0]] = refused
            return
        for (at, one), deciding, became in zip(
            ready, made, together.outcomes(outcome), strict=False
        ):
            await self._file(at, one, deciding, became)

    async def _file(
        self, at: int, one: _One, deciding: Deciding, became: Outcome | Exception
    ) -> None:
        if isinstance(became, KeyWanted):
            await find_key(self._desk, self.held, became)
        elif isinstance(became, CatalogueMoved):
            await self._desk.refresh()
        elif isinstance(became, Exception):
            self.done[at] = became
        else:
            settled = deciding.settled(became)
            self._desk.pasts.saw(one.asked.mo.consumer, one.past, settled.history)
            self.done[at] = one.became(settled)


def _keys_of(asked: Asked, told: Told) -> set[DataKeyId]:
    """Name the keys of the message and of its answer, which may lie in the next month."""
    own = keys_of(asked)[0]
    if told.sent is None:
        return {own}
    return {own, own._replace(month=utc_month(max(told.sent.sent_at, asked.mo.occurred_at)))}


def answer_of(book: str, gateway: str, message: str, day: str = "") -> str:
    """Give the id that the answer to a message has here, whoever sent it."""
    return mt_id(book, mo_id(book, gateway, message, day))
