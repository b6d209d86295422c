"""Read what was recorded of one exchange or one consumer, and their texts only on the record.

A story is read without its texts. Whoever is shown them is recorded first, so a text that was
seen and an `evidence_disclosed` that is missing cannot both be.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, cast

from ledger.commands.access import Shown, disclose
from ledger.commands.desk import Desk, data_key_of
from ledger.decisions.refusals import UnknownConsumer, UnknownExchange
from ledger.decisions.story import mt_id
from ledger.facts.access import AccessGranted
from ledger.facts.base import Recorded, Sealed
from ledger.facts.registry import REGISTRY, Origin, stored_name
from ledger.facts.tags import tag
from ledger.facts.traffic import MoReceived
from ledger.log.rows import Interest, StoredRow
from ledger.vault import DataKeyId, WrongKey, unseal


class Story(NamedTuple):
    """Facts in order, as stored; `head` is the position up to which they are complete."""

    rows: tuple[StoredRow, ...]
    head: int
    after: int = 0
    """The position after which the facts stand."""
    more: bool = False
    """Whether there are further facts, after the last one here."""


class Viewer(NamedTuple):
    """Who is shown the texts, and of what: one exchange, or with no `mo` a consumer's trail."""

    grant: AccessGranted
    mo: str | None
    origin: Origin


Texts = Mapping[int, str | None]
"""By position, the text of each fact that has one; None where its key was destroyed."""


async def read_exchange(desk: Desk, mo: str) -> Story:
    """Read one exchange, with the receipts that came before their message.

    Raises:
        UnknownExchange: no message of that id was received.
    """
    query = (Interest((tag("mo", mo),)), Interest((tag("mt", mt_id(desk.book, mo)),)))
    rows, head = await desk.log.read(query)
    if not any(row.type == stored_name(MoReceived) for row in rows):
        raise UnknownExchange(mo)
    return Story(rows, head)


async def read_trail(desk: Desk, consumer: str, after: int, limit: int) -> Story:
    """Read the first `limit` facts of a consumer that stand after a position.

    Raises:
        UnknownConsumer: there is none at all.
    """
    rows, head = await desk.log.read((Interest((tag("consumer", consumer),), after=after),))
    if not rows and not after:
        raise UnknownConsumer(consumer)
    return Story(rows[:limit], head, after, more=len(rows) > limit)


async def show_texts(desk: Desk, story: Story, viewer: Viewer, now: datetime) -> Texts:
    """Record that somebody is shown the texts of a story, and only then open them."""
    sealed = [(one, text) for one, text in map(_sealed, story.rows) if text is not None]
    keys = await desk.keys.find({data_key_of(one.fact) for one, _ in sealed})
    consumers = sorted({data_key_of(one.fact).consumer for one, _ in sealed})
    last = story.rows[-1].position if story.rows else 0
    shown = [Shown(consumer, viewer.mo, story.after, last) for consumer in consumers]
    if shown:
        await disclose(desk, shown, viewer.grant, viewer.origin, now)
    return {one.position: _opened(keys, one, text) for one, text in sealed}


def _sealed(row: StoredRow) -> tuple[Recorded, Sealed | None]:
    one = REGISTRY.decode(row)
    return one, cast("Sealed | None", getattr(one.fact, "text", None))


def _opened(keys: Mapping[DataKeyId, bytes], one: Recorded, text: Sealed) -> str | None:
    key = keys.get(data_key_of(one.fact))
    try:
        return unseal(key, one.id, text) if key else None
    except WrongKey:
        return None  # The key was destroyed, and the consumer has written again since.
