"""What is still to happen in a market, and what time it is there, in seconds."""

from collections.abc import Callable
from heapq import heappop, heappush

Event = Callable[[], None]


class Agenda:
    """Events by their instants; those of one instant in the order in which they were planned."""

    def __init__(self) -> None:
        self.now = 0
        self._planned = 0
        self._events: list[tuple[int, int, Event]] = []

    def at(self, instant: int, event: Event) -> None:
        """Plan an event."""
        self._planned += 1
        heappush(self._events, (instant, self._planned, event))

    def go_to(self, instant: int) -> None:
        """Let everything happen up to an instant, which it is then."""
        while self._events and self._events[0][0] <= instant:
            self.now, _, event = heappop(self._events)
            event()
        self.now = instant
