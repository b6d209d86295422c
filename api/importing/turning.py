"""Lets time pass in a book: what falls due at an instant is done, as the worker would do it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

from api.importing.lines import LineRefused
from api.push import Pushing
from api.scheduler import LISTS, DueList, Turn, take_turn
from ledger.commands.desk import Desk
from ledger.commands.pushing import Push, Reply
from ledger.log.session import connect, connect_async
from projections.engine import Engine
from projections.reading import NotProjected

_MOST_ROUNDS = 16
"""How often what happened may bring about more at the same instant."""


class Turning:
    """Works a book's due lists at given instants, its projections brought up first."""

    def __init__(self, app_url: str, book: str, lists: Sequence[DueList] = LISTS) -> None:
        self._app_url = app_url
        self._book = book
        self._lists = lists

    async def pass_until(
        self, desk: Desk, at: datetime, *, pushed: Literal["kept", "taken"]
    ) -> tuple[bool, int]:
        """Let happen what is due at `at`; tells whether anything was, and the position then.

        Raises:
            LineRefused: a list could not be worked; what the others had is done.
        """
        gateways: Mapping[str, Pushing] = _TakesAll() if pushed == "taken" else {}
        done, failed = False, set[str]()
        lists = [_noted(one, failed) for one in self._lists]
        async with await connect_async(self._app_url) as connection:
            turn = Turn(connection, desk, lambda: at, gateways)
            for _ in range(_MOST_ROUNDS):
                await asyncio.to_thread(self._catch_up)
                if not any((await take_turn(turn, lists)).values()):
                    break
                done = True
        if failed:
            raise LineRefused(f"not all that was due could be worked: {', '.join(sorted(failed))}")
        _, head = await desk.log.read(())
        return done, head

    def _catch_up(self) -> None:
        with connect(self._app_url) as connection:
            Engine(connection, self._book).catch_up()


def _noted(one: DueList, failed: set[str]) -> DueList:
    """Keep by name that a list failed: a worker comes back to it, and an import does not."""

    async def work(turn: Turn) -> int:
        try:
            return await one.work(turn)
        except NotProjected:
            raise
        except Exception:
            failed.add(one.name)
            raise

    return DueList(one.name, work)


class _TakesAll(Mapping[str, Pushing]):
    """Stands for every gateway of a platform that has pushed already what is imported."""

    def __getitem__(self, gateway: str) -> Pushing:
        return _taken

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


async def _taken(push: Push) -> Reply:  # noqa: ARG001 - whatever it is, it was sent long ago
    return Reply("taken", "imported")
