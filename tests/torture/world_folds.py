"""Projections of a world: every fold of the ledger, in batches of any size, by workers that die."""

import random
from collections.abc import Sequence
from typing import Any

from ledger.facts.base import Recorded
from ledger.facts.registry import REGISTRY
from ledger.rules.resolve import RuleBook
from projections.fold import AnyFold, Context
from projections.known import PROJECTIONS
from tests.torture.world_log import Flaws, WorldLog
from tests.torture.world_loop import Turn

FOLDS: tuple[AnyFold, ...] = tuple(projection.fold for projection in PROJECTIONS)
MOST = 40
"""Facts in a batch."""
Tables = dict[str, dict[Any, Any]]


class Folded:
    """The tables as they stand, and the position that they stand at: one transaction moves both."""

    def __init__(self, log: WorldLog, rules: RuleBook, flaws: Flaws) -> None:
        self.position = 0
        self.tables: Tables = {fold.name: {} for fold in FOLDS}
        self._facts: list[Recorded] = []
        self._log, self._context, self._flaws = log, Context(rules.pack.zone), flaws

    @property
    def facts(self) -> Sequence[Recorded]:
        """Everything that was recorded, each row read once."""
        new = self._log.rows[len(self._facts) :]
        self._facts += (REGISTRY.decode(row) for row in new)
        return self._facts

    async def advance(self, chance: random.Random) -> None:
        """Take the tables one batch further, unless another worker was faster or this one dies."""
        start = self.position
        batch = self.facts[start : start + chance.randint(1, MOST)]
        await Turn()
        deltas = {fold.name: fold.fold(batch, self._context) for fold in FOLDS}
        await Turn()
        if chance.random() < 0.1 or (self.position != start and not self._flaws.folds_unguarded):
            return
        self._apply(deltas)
        self.position = start + len(batch)

    def _apply(self, deltas: Tables) -> None:
        for fold in FOLDS:
            pair = [self.tables[fold.name], deltas[fold.name]]
            earlier, later = pair[::-1] if self._flaws.merges_backwards else pair
            self.tables[fold.name] = fold.combine(earlier, later)

    def catch_up(self) -> None:
        """Fold the rest."""
        rest = self.facts[self.position :]
        self._apply({fold.name: fold.fold(rest, self._context) for fold in FOLDS})
        self.position = len(self.facts)

    def unlike_rebuilt(self, chance: random.Random) -> list[str]:
        """Fold all again in other batches, and name the tables that differ from it."""
        tables: Tables = {fold.name: {} for fold in FOLDS}
        done = 0
        while done < self.position:
            upto = min(self.position, done + chance.randint(1, 4 * MOST))
            for fold in FOLDS:
                delta = fold.fold(self.facts[done:upto], self._context)
                tables[fold.name] = fold.combine(tables[fold.name], delta)
            done = upto
        return [name for name, rows in tables.items() if rows != self.tables[name]]
