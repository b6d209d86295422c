"""Many decisions as one: made in order, each seeing what those before it made, appended together.

To the log it is a single decision that rests on all that they rest on. It stands or falls whole,
so nobody's fact comes between theirs. What a decision lacks is learnt, and the rest goes on then.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from ledger.commands.desk import ATTEMPTS, Held
from ledger.log.batch import AnyRow, Outcome, Proposal, Recent
from ledger.log.errors import LogOverloaded
from ledger.log.rows import Query, Row


class _Made(NamedTuple):
    """What became of one of them: its rows, or the exception that it raised."""

    seen: tuple[AnyRow, ...]
    rows: list[Row]
    failure: Exception | None = None


class Together:
    """Decisions to be made as one; those after one that raised a `holding` exception wait.

    `decided` is called each time they were made.
    """

    def __init__(
        self,
        proposals: Sequence[Proposal],
        holding: tuple[type[Exception], ...] = (),
        decided: Callable[[], None] = lambda: None,
    ) -> None:
        self._decided = decided
        self._proposals = proposals
        self._holding = holding
        self._history: Sequence[AnyRow] = ()
        self._made: list[_Made] = []

    @property
    def query(self) -> Query:
        """All that they rest on, each interest once."""
        return tuple(dict.fromkeys(one for proposal in self._proposals for one in proposal.query))

    def decide(self, history: Sequence[AnyRow]) -> list[Row]:
        """Make the decisions; what one of them raises is its own outcome."""
        self._history = history
        asked = {tag for one in self._proposals for wanted in one.query for tag in wanted.tags}
        self._made = list(self._each(Recent(history, asked)))
        self._decided()
        return [row for made in self._made for row in made.rows]

    def outcomes(self, outcome: Outcome) -> list[Outcome | Exception]:
        """Give the outcome of each decision that was made: all, or up to the one that holds."""
        stored = iter(outcome.appended)
        # What is read back is what was decided on, in the same order, each row with its place now.
        read = zip(self._history, outcome.history, strict=True)
        placed = {id(row): placed for row, placed in read}
        head = outcome.head - len(outcome.appended)
        found: list[Outcome | Exception] = []
        for made in self._made:
            appended = tuple(next(stored) for _ in made.rows)
            placed.update(zip(map(id, made.rows), appended, strict=True))
            head += len(appended)
            history = tuple(placed[id(row)] for row in made.seen)
            found.append(made.failure or Outcome(history, appended, head))
        return found

    def _each(self, recent: Recent) -> Iterator[_Made]:
        for proposal in self._proposals:
            made = _decided(proposal, recent.matching(proposal.query))
            yield made
            if isinstance(made.failure, self._holding):
                return
            recent.add(made.rows)


def _decided(proposal: Proposal, seen: tuple[AnyRow, ...]) -> _Made:
    try:
        # Copies: a row that two decisions share must still be told apart when it is placed.
        return _Made(seen, [Row(*row) for row in proposal.decide(seen)])
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is that decision's own
        return _Made(seen, [], failure)


class Taking(Protocol):
    """A batch on its way: what is left of it, and the data keys that it has learnt so far."""

    left: list[int]
    held: Held

    async def go_on(self) -> None:
        """Take in what is left, up to where something has to be learnt first."""
        ...


async def take_all(taking: Taking) -> None:
    """Go on until nothing is left.

    One message may have to be compared under many keys, each of which is learnt in a turn of its
    own; there is an end to those, since a key is learnt once.

    Raises:
        LogOverloaded: nothing was done or learnt in several turns, for others were always faster.
    """
    idle = 0
    while taking.left:
        before = len(taking.left), len(taking.held)
        await taking.go_on()
        idle = idle + 1 if (len(taking.left), len(taking.held)) == before else 0
        if idle >= ATTEMPTS:
            raise LogOverloaded("what was read kept changing")
