"""What all commands of one book share: its log, its keys, its catalogue and rules as last seen.

A decision is made on the catalogue that this process knows. Every query asks for what came
after that; where something did, the decision is not made, the catalogue is brought up to
date, and the command begins again.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

from msgspec import ValidationError, structs

from ledger.catalogue import Catalogue
from ledger.commands.pasts import Pasts
from ledger.decisions.refusals import RulesOutdated, UnknownGateway, UnknownLink
from ledger.decisions.story import Known
from ledger.facts.base import Draft, Fact, Recorded, Sealed
from ledger.facts.checked import Checked
from ledger.facts.registry import REGISTRY, FactRefused, Origin, fact_id, stored_name
from ledger.facts.subscriptions import SubscriptionStarted
from ledger.facts.tags import TRADE
from ledger.log.batch import AnyRow, Outcome
from ledger.log.contract import AsyncLog
from ledger.log.errors import LogOverloaded
from ledger.log.rows import Interest, Query, Row, StoredRow
from ledger.rules.resolve import RuleBook
from ledger.vault import DataKeyId, seal, utc_month

T = TypeVar("T")
ATTEMPTS = 5
"""How often a command begins again before it gives up; each time something new was learnt."""

Decide = Callable[[list[Recorded]], list[Draft]]

Held = dict[DataKeyId, bytes | None]
"""The data keys at hand; None for one that was destroyed, or never made."""


class Keys(Protocol):
    """The data keys of one book, and the key that consumers are named by."""

    pseudonym_version: int
    pseudonym_key: bytes

    async def ensure(self, wanted: DataKeyId, address: str | None = None) -> bytes:
        """Give a data key, made now if it is new; the consumer's `address` is kept beside it.

        No address: a consumer who wrote before, whose address is kept already.
        """
        ...

    async def ensure_all(self, wanted: Mapping[DataKeyId, str | None]) -> Mapping[DataKeyId, bytes]:
        """Give many data keys at once, as `ensure` gives each; addresses by key."""
        ...

    async def find(self, wanted: Iterable[DataKeyId]) -> Mapping[DataKeyId, bytes]:
        """Give the data keys that are there."""
        ...

    async def address(self, consumer: str) -> str | None:
        """Give the number or alias behind a pseudonym; None once it was destroyed."""
        ...


class Learn(Exception):
    """No error: a decision needs something that this process has not read yet."""


class CatalogueMoved(Learn):
    """The catalogue has facts that this process does not know."""


class KeyWanted(Learn):
    """A stored fact can only be compared under its own data key."""

    def __init__(self, key: DataKeyId) -> None:
        super().__init__(key)
        self.key = key


class FactRepeated(AssertionError):
    """A decision would record a fact that is recorded already: a bug of ours.

    The log would take it, and from then on two facts had one id.
    """


class Settled(NamedTuple):
    """What a command read and what it recorded; `head` is the position it is complete up to."""

    history: tuple[Recorded, ...]
    appended: tuple[Recorded, ...]
    head: int
    texts: Mapping[str, str] = MappingProxyType({})
    """What was sealed just now, by the ids of its facts."""

    @property
    def facts(self) -> tuple[Recorded, ...]:
        """History and what was appended, in order."""
        return (*self.history, *self.appended)


class Desk:
    """Where the commands of one book are carried out."""

    def __init__(self, book: str, log: AsyncLog, keys: Keys, rules: RuleBook) -> None:
        self.book = book
        self.log = log
        self.keys = keys
        self.rules = rules
        self.catalogue = Catalogue()
        self.pasts = Pasts()
        self._loaded = f"{rules.pack.sha256}/{rules.settings.sha256}"

    async def refresh(self) -> Catalogue:
        """Bring the catalogue up to date."""
        query = (Interest((TRADE,), after=self.catalogue.position),)
        rows, _ = await self.log.read(query)
        self.catalogue = self.catalogue.advance(REGISTRY.decode(row) for row in rows)
        return self.catalogue

    def known(self, at: datetime) -> Known:
        """Give what is known at an instant before any message.

        Raises:
            RulesOutdated: the book follows other rules than were loaded here.
        """
        adopted = self.adopted()
        return Known(self.book, self.catalogue, self.rules.at(at), adopted.id)

    def adopted(self) -> Recorded:
        """Give the fact by which the book adopted the loaded rules.

        Raises:
            RulesOutdated: the book follows other rules than were loaded here.
        """
        adopted = self.catalogue.rules[-1] if self.catalogue.rules else None
        if adopted is None or adopted.fact.subject != self._loaded:
            raise RulesOutdated(adopted.fact.subject if adopted else "none", self._loaded)
        return adopted

    async def attempt(self, once: Callable[[], Awaitable[T]]) -> T:
        """Carry a command out, from its beginning again whenever something had to be learnt.

        What the catalogue did not know is refused only once the catalogue is up to date.
        """
        for _ in range(ATTEMPTS - 1):
            before = self.catalogue.position
            try:
                return await once()
            except Learn:
                await self.refresh()
            except (UnknownGateway, UnknownLink, RulesOutdated):
                await self.refresh()
                if self.catalogue.position == before:
                    raise
        try:
            return await once()
        except Learn as moving:
            raise LogOverloaded("what was read kept changing") from moving

    async def settle(
        self,
        query: Query,
        decide: Decide,
        origin: Origin,
        keys: Mapping[DataKeyId, bytes | None] | None = None,
    ) -> Settled:
        """Decide on the facts that `query` names, seal what follows under `keys`, append it.

        Raises:
            CatalogueMoved: the query asks for the catalogue, and it has moved.
            FactRefused: a fact would not be readable; nothing was appended.
            FactRepeated: a fact of the same id is there already; nothing was appended.
        """
        deciding = Deciding(self, decide, origin, keys or {})
        return deciding.settled(await self.log.submit(query, deciding.rows))


class Deciding:
    """One decision on its way into the log: from stored rows to new ones, and what became of it."""

    def __init__(
        self,
        desk: Desk,
        decide: Decide,
        origin: Origin,
        keys: Mapping[DataKeyId, bytes | None],
    ) -> None:
        self._book = desk.book
        self._catalogue = desk.catalogue
        self._decide = decide
        self._origin = origin
        self._keys = keys
        self._read: list[Recorded] = []
        self._made: list[tuple[Row, Recorded]] = []
        self._texts: dict[str, str] = {}

    def rows(self, history: Sequence[AnyRow]) -> list[Row]:
        """Decide on rows; if they were decided on before, what was sealed then is nobody's.

        Raises: as `Desk.settle`.
        """
        _hold_still(self._catalogue, history)
        self._read, self._texts = [REGISTRY.decode(row, self._book) for row in history], {}
        self._made = [self._draft(draft) for draft in self._decide(self._read)]
        _refuse_repeated(self._read, [one for _, one in self._made])
        return [row for row, _ in self._made]

    def _draft(self, draft: Draft) -> tuple[Row, Recorded]:
        """Give the row of a draft, and what would be read of it."""
        (fact, n, exchange, cause, text), origin = draft, self._origin
        name = fact_id(origin.book, type(fact), fact.subject, n)
        if text is not None:
            fact = sealed(fact, name, text, self._keys)
            self._texts[name] = text
        row = REGISTRY.encode(Draft(fact, n, exchange, cause), origin)
        if not _CHECKED.knows(fact):
            _read_back(row, fact)
        chain = (exchange, cause, origin.actor, origin.request)
        return row, Recorded(self._book, 0, None, name, *chain, fact)

    def settled(self, outcome: Outcome) -> Settled:
        """Give what was read and what was recorded, now that it has its place."""
        # What is read back is what was decided on, in the same order, each row with its place now.
        read = zip(self._read, outcome.history, strict=True)
        made = zip(self._made, outcome.appended, strict=True)
        return Settled(
            tuple([_placed(one, row) for one, row in read]),
            tuple([_placed(one, row) for (_, one), row in made]),
            outcome.head,
            self._texts,
        )


def _placed(one: Recorded, row: StoredRow) -> Recorded:
    """Give a fact its place, once its row has one."""
    if one.position:
        return one
    return Recorded(one.book, row.position, row.recorded_at, *one[3:])


def _hold_still(catalogue: Catalogue, history: Iterable[AnyRow]) -> None:
    for row in history:
        position = row.position if isinstance(row, StoredRow) else None
        if TRADE in row.tags and (position is None or position > catalogue.position):
            raise CatalogueMoved


_CHECKED = Checked()


def _read_back(row: Row, fact: Fact) -> None:
    """Read a row before it is written: making a fact checks none of its fields."""
    try:
        REGISTRY.decode(row)
    except ValidationError as error:
        raise FactRefused(f"{row.type}: {error}") from error
    _CHECKED.learn(fact)


def _refuse_repeated(history: Iterable[Recorded], new: Sequence[Recorded]) -> None:
    """Refuse a fact whose id is among those that the decision read, or made beside it."""
    if not new:
        return
    ids = {one.id for one in history}
    for one in new:
        if one.id in ids:
            name = stored_name(type(one.fact))
            raise FactRepeated(f"{name} of {one.fact.subject} is recorded already: {one.id}")
        ids.add(one.id)


def encode(draft: Draft, origin: Origin, keys: Mapping[DataKeyId, bytes | None]) -> Row:
    """Turn a draft into a row, its text sealed under the data key of its own consumer."""
    if draft.text is None:
        return REGISTRY.encode(draft, origin)
    name = fact_id(origin.book, type(draft.fact), draft.fact.subject, draft.n)
    fact = sealed(draft.fact, name, draft.text, keys)
    return REGISTRY.encode(draft._replace(fact=fact, text=None), origin)


def sealed(fact: Fact, name: str, text: str, keys: Mapping[DataKeyId, bytes | None]) -> Fact:
    """Give a fact with its text sealed under its own consumer's data key; `name` is its id."""
    wanted = data_key_of(fact)
    key = keys[wanted]
    assert key is not None, "nothing is sealed under a key that was destroyed"
    return structs.replace(fact, text=seal(key, wanted, name, text))


def data_key_of(fact: Fact) -> DataKeyId:
    """Give which data key seals the text of a fact, as it says itself once it is sealed."""
    about: Any = getattr(fact, "ref", fact)
    text: Sealed | None = getattr(fact, "text", None)
    if text is not None:
        return DataKeyId(about.consumer, text.month, text.kind)
    kind = "consent" if isinstance(fact, SubscriptionStarted) else "text"
    return DataKeyId(about.consumer, utc_month(fact.occurred_at), kind)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType] - each fact with a text has both
