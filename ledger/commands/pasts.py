"""The pasts of the few consumers who have a long one, kept so that they are not read each time.

Most consumers have a handful of facts, and those are read. Where a decision had to read many, what
still matters of them is kept from then on, and only what came after is read. It is folded from
facts that never change, so it can be behind, which costs a reading, and never wrong.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from ledger.decisions import past as pasts
from ledger.decisions.past import KEPT, NOTHING, Need, Past
from ledger.facts.base import Recorded
from ledger.facts.registry import REGISTRY
from ledger.facts.tags import tag
from ledger.log.contract import AsyncLog
from ledger.log.errors import LogError

T = TypeVar("T")

LONG = 64
"""Facts that a decision may read before what they come to is kept."""
MOST = 512
"""Consumers whose pasts are kept; the one that was asked for longest ago goes first."""

Needed = Callable[[], Need | None]
"""What a decision needs of a past, worked out only where one is kept."""


class Pasts:
    """What still matters of the pasts of one book's consumers.

    A past is kept once a decision had to read more than `long` facts; of one of more than `kept`
    facts, what is too old to matter is left out.
    """

    def __init__(self, long: int = LONG, kept: int = KEPT) -> None:
        self._most = (long, kept)
        self._kept: OrderedDict[str, Past] = OrderedDict()
        self._long: OrderedDict[str, None] = OrderedDict()

    def of(self, consumer: str, needed: Needed) -> Past:
        """Give what is known of a consumer; nothing where that would not be enough to decide."""
        if consumer not in self._kept:
            return NOTHING
        need = needed()
        return NOTHING if need is None else self._enough(need)

    def _enough(self, need: Need) -> Past:
        past = self._kept.get(need.consumer, NOTHING)
        return NOTHING if past.since > need.since else past

    def saw(self, consumer: str, past: Past, history: Sequence[Recorded]) -> None:
        """Note where a decision had to read much beside what was known."""
        long, _ = self._most
        if len(history) > long and sum(one.position > past.position for one in history) > long:
            _put(self._long, consumer, None)

    async def learn(self, log: AsyncLog, wanted: Iterable[tuple[str, Needed]]) -> None:
        """Bring those up to date of which too much had to be read the last time."""
        due = {consumer: needed() for consumer, needed in wanted if consumer in self._long}
        needs = {consumer: need for consumer, need in due.items() if need is not None}
        if needs:
            for consumer in needs:
                del self._long[consumer]
            await self._learn(log, needs)

    async def _learn(self, log: AsyncLog, needs: Mapping[str, Need]) -> None:
        known = {consumer: self._enough(need) for consumer, need in needs.items()}
        query = [one for name, past in known.items() for one in pasts.interests(name, past)]
        try:
            rows, head = await log.read(tuple(query))
        except LogError:
            return  # The decision reads for itself, and tells why it cannot.
        for consumer, past in known.items():
            named = tag("consumer", consumer)
            new = [REGISTRY.decode(row) for row in rows if named in row.tags]
            learnt = pasts.after(past, new, head, needs[consumer].keep, self._most[1])
            _put(self._kept, consumer, learnt)


def _put(kept: OrderedDict[str, T], consumer: str, value: T) -> None:
    kept[consumer] = value
    kept.move_to_end(consumer)
    if len(kept) > MOST:
        kept.popitem(last=False)
