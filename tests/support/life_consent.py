"""What consumers have stopped and opened again, told from the design: no facts, no history."""

from collections import defaultdict
from datetime import datetime
from typing import Literal

Consumer = tuple[str, str]
Scope = tuple[str, str | None]
"""A code, and one service there or all of them."""


class Consents:
    """Who stopped what, since when, and what was opened again after that."""

    def __init__(self) -> None:
        self._stopped: defaultdict[Consumer, dict[Scope, datetime]] = defaultdict(dict)
        self._opened: defaultdict[Consumer, dict[Scope, datetime]] = defaultdict(dict)

    def covering(self, consumer: Consumer, code: str, service: str | None) -> dict[Scope, datetime]:
        """Give what is stopped that covers a service on a code, and since when."""
        stopped = self._stopped[consumer]
        return {scope: stopped[scope] for scope in {(code, None), (code, service)} & {*stopped}}

    def stop(
        self, consumer: Consumer, scope: Scope, at: datetime
    ) -> Literal["nothing", "again", "new"]:
        """Stop something: nothing new, stopped within what was stopped, or stopped anew."""
        stopped, (code, service) = self._stopped[consumer], scope
        if scope in stopped and at <= stopped[scope]:
            return "nothing"
        covered = bool(self.covering(consumer, code, service))
        if at < self._opened[consumer].get(scope, at):
            return "nothing"  # It was sent before what opened it again.
        stopped[scope] = at
        return "again" if covered else "new"

    def open(self, consumer: Consumer, code: str, service: str | None, at: datetime) -> bool:
        """Let a message open again what was stopped before it; False if it was sent before that."""
        covering = self.covering(consumer, code, service)
        if any(at < since for since in covering.values()):
            return False
        for scope in covering:
            del self._stopped[consumer][scope]
            self._opened[consumer][scope] = max(at, self._opened[consumer].get(scope, at))
        return True
