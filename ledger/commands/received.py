"""Take in many messages and receipts at once, in order, as if they had come one after another.

What one batch rests on is read in one round trip, its data keys are made in one, and its facts are
appended in one transaction.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple, TypeVar

from ledger.catalogue import Catalogue
from ledger.commands.desk import (
    CatalogueMoved,
    Deciding,
    Desk,
    Held,
    KeyWanted,
    Learn,
    Settled,
)
from ledger.commands.incoming import IncomingMo, IncomingReceipt
from ledger.commands.messages import Answer, Message, asked_of, keys_of
from ledger.commands.receipts import About, Report, find_messages
from ledger.commands.together import Together, take_all
from ledger.commands.traffic import find_key, told_with
from ledger.decisions.asked import Asked
from ledger.decisions.charging import charge_id
from ledger.decisions.past import needed
from ledger.decisions.refusals import (
    ConflictingDuplicate,
    RulesOutdated,
    UnknownGateway,
    UnknownLink,
)
from ledger.decisions.story import mt_id
from ledger.facts.registry import Origin
from ledger.log.batch import Outcome, Proposal
from ledger.log.errors import RowRefused
from ledger.vault import DataKeyId


class Arrived(NamedTuple):
    """Something a gateway reports, and when it reached us."""

    what: IncomingMo | IncomingReceipt
    arrived_at: datetime


T = TypeVar("T")
_UNKNOWN = (UnknownGateway, UnknownLink, RulesOutdated)
"""What the catalogue does not know, and may if it is read again."""

Result = Answer | Settled | Exception
"""What a message is answered, what a receipt recorded, or what either is refused with."""


async def receive_all(desk: Desk, batch: Sequence[Arrived], origin: Origin) -> list[Result]:
    """Take in a batch in order; give for each what taking it in alone, in its turn, would give.

    What is refused is given as the exception, and the others stand. A batch that came before, whole
    or in part, is answered as the first time.

    Raises:
        LogOverloaded: too much is waiting; what comes after the last that was recorded was not.
        LogUnavailable: the database is away; whether anything was recorded is not known.
    """
    return await Receiving(desk, batch, origin).receive()


_Asked = tuple[dict[int, Asked], dict[int, Exception]]
"""What messages ask for, or why they were refused, each by its place in the batch."""


def _nothing() -> None:
    pass


class _Ready(NamedTuple):
    """One of the batch, ready to be decided; `message` is None for a receipt."""

    at: int
    message: Message | None
    deciding: Deciding
    proposal: Proposal


class Receiving:
    """A batch on its way: what is left of it, and what became of the rest.

    It may be begun beside one that is before it; what was asked meanwhile rests on the catalogue
    that was known then, and is asked again if another is known when its turn comes.
    """

    def __init__(self, desk: Desk, batch: Sequence[Arrived], origin: Origin) -> None:
        self._desk = desk
        self._batch = batch
        self._origin = origin
        self._done: dict[int, Result] = {}
        self.held: Held = {}
        self._guessed_wrong = False
        self._begun: tuple[Catalogue, _Asked] | None = None
        self._decided: Callable[[], None] = _nothing
        self.left = list(range(len(batch)))

    async def begin(self) -> None:
        """Read the messages and have their keys made: all that rests on nothing before them."""
        self._begun = (self._desk.catalogue, await self._ask_all())

    async def receive(self, decided: Callable[[], None] = _nothing) -> list[Result]:
        """Take it in, once those before it are; `decided` is called when only writing is left.

        Raises: as `receive_all`.
        """
        self._decided = decided
        await take_all(self)
        return [self._done[at] for at in range(len(self._batch))]

    async def go_on(self) -> None:
        """Take in what is left, up to where something has to be learnt first."""
        ready = await self._ready()
        if ready:
            await self._settle(ready)
        self.left = [at for at in self.left if at not in self._done]

    async def _ready(self) -> list[_Ready]:
        """Prepare what is left; what the catalogue does not know is refused once that is current.

        The rest is prepared again then, so that it is decided by one catalogue.
        """
        position = self._desk.catalogue.position
        ready, refused = await self._prepared()
        if any(isinstance(why, _UNKNOWN) for why in refused.values()):
            await self._desk.refresh()
            if self._desk.catalogue.position != position:
                ready, refused = await self._prepared()
        self._done |= refused
        return ready

    async def _prepared(self) -> tuple[list[_Ready], dict[int, Exception]]:
        begun, self._begun = self._begun, None
        current = begun is not None and begun[0] is self._desk.catalogue
        asked, refused = begun[1] if begun and current else await self._ask_all()
        wanted = ((one.mo.consumer, partial(needed, one)) for one in asked.values())
        await self._desk.pasts.learn(self._desk.log, wanted)
        about = await self._about(asked.values())
        left = [at for at in self.left if at not in refused]
        ready, late = _tried({at: partial(self._one, at, asked.get(at), about) for at in left})
        return list(ready.values()), refused | late

    async def _ask_all(self) -> _Asked:
        asked, refused = _tried({at: partial(self._ask, at) for at in self._messages_left()})
        await self._ensure_keys(asked)
        return asked, refused

    def _messages_left(self) -> list[int]:
        return [at for at in self.left if isinstance(self._batch[at].what, IncomingMo)]

    def _ask(self, at: int) -> Asked:
        what, arrived_at = self._batch[at]
        assert isinstance(what, IncomingMo)
        return asked_of(self._desk, what, arrived_at)

    def _one(self, at: int, asked: Asked | None, about: Mapping[str, About]) -> _Ready:
        what, arrived_at = self._batch[at]
        message = self._message(asked) if asked else None
        if isinstance(what, IncomingReceipt):
            one = Report(self._desk, what, arrived_at, about.get(what.mt))
        else:
            assert message is not None, "what was not read was refused"
            one = message
        deciding = Deciding(self._desk, one.decide, self._origin, self.held)
        return _Ready(at, message, deciding, Proposal(one.query, deciding.rows))

    def _message(self, asked: Asked) -> Message:
        past = self._desk.pasts.of(asked.mo.consumer, partial(needed, asked))
        return Message(asked, self.held, past)

    async def _ensure_keys(self, asked: Mapping[int, Asked]) -> None:
        """Have every data key at hand, all that are new made in one go."""
        wanted: dict[DataKeyId, str | None] = {}
        for at, one in asked.items():
            what = self._batch[at].what
            assert isinstance(what, IncomingMo)
            for key in keys_of(one):
                if key not in self.held:
                    wanted.setdefault(key, what.sender)
        if wanted:
            self.held |= await self._desk.keys.ensure_all(wanted)

    async def _about(self, asked: Iterable[Asked]) -> Mapping[str, About]:
        """Give what the receipts' messages are about: those of this batch, and those recorded."""
        if not any(isinstance(self._batch[at].what, IncomingReceipt) for at in self.left):
            return {}
        book = self._desk.book
        mos = [one.mo.mo for one in asked]
        own = {mt_id(book, mo): About(mo, charge_id(book, mo, "mt")) for mo in mos}
        reported = {
            what.mt
            for what in (self._batch[at].what for at in self.left)
            if isinstance(what, IncomingReceipt) and (self._guessed_wrong or what.mt not in own)
        }
        return {**own, **(await find_messages(self._desk, reported))} if reported else own

    async def _settle(self, ready: Sequence[_Ready]) -> None:
        together = Together([one.proposal for one in ready], (Learn,), self._decided)
        try:
            outcome = await self._desk.log.submit(together.query, together.decide)
        except RowRefused as refused:
            # One bad row must not fail the others: half of them are tried, and the rest is left.
            if len(ready) > 1:
                await self._settle(ready[: len(ready) // 2])
            else:
                self._done[ready[0].at] = refused
            return
        for one, became in zip(ready, together.outcomes(outcome), strict=False):
            if isinstance(became, Learn):
                await self._learn(became)
            else:
                self._done[one.at] = await self._told(one, became)

    async def _learn(self, wanted: Learn) -> None:
        if isinstance(wanted, KeyWanted):
            await find_key(self._desk, self.held, wanted)
        elif isinstance(wanted, CatalogueMoved):
            await self._desk.refresh()
        else:
            # The answer that starts a subscription carries its cycle's charge, and not its
            # message's: where the message comes again beside a receipt, only the record tells.
            self._guessed_wrong = True

    async def _told(self, one: _Ready, became: Outcome | Exception) -> Result:
        if isinstance(became, Exception):
            return became
        settled, message = one.deciding.settled(became), one.message
        if message is None:
            return settled
        self._desk.pasts.saw(message.asked.mo.consumer, message.past, settled.history)
        try:
            return await told_with(self._desk, self.held, lambda: message.answer(settled))
        except ConflictingDuplicate as conflict:
            return conflict


def _tried(
    works: Mapping[int, Callable[[], T]],
) -> tuple[dict[int, T], dict[int, Exception]]:
    """Do each piece of work; what one of them raises is its own."""
    done: dict[int, T] = {}
    failed: dict[int, Exception] = {}
    for at, work in works.items():
        try:
            done[at] = work()
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is its own
            failed[at] = failure
    return done, failed
