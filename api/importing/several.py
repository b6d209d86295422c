"""Several processes that take lines into one book, each with a log of its own.

The book has one order whoever appends; what must not be overtaken goes to the same process.
"""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import NamedTuple, Protocol

from api.books import load_master_key, load_rules
from api.clock import system_clock
from api.desks import keyed_desk
from api.importing.bytes import Numbered
from api.importing.collecting import collected_seldom
from api.importing.conveying import conveyed
from api.importing.doors import Importer, Who
from api.importing.results import ENDING, Result
from api.importing.sharing import Share, Sharing
from api.importing.turning import Turning
from ledger.commands.desk import Desk
from ledger.facts.registry import Origin
from ledger.log.errors import LogUnavailable
from ledger.vault import sender_form

CHUNK_BYTES = 1 << 19
"""Read at a time where several share it: some thousand lines for each."""


class _Pipe(Protocol):
    """Our end of what joins us to a process."""

    def send(self, obj: list[Numbered], /) -> None:
        """Hand lines over."""
        ...

    def recv(self) -> list[Result] | Exception:
        """Wait for what became of them."""
        ...

    def close(self) -> None:
        """Let the process end."""
        ...


class _Worker(NamedTuple):
    process: SpawnProcess
    pipe: _Pipe


class Several:
    """Takes lines in several processes, in the order that each consumer's have in the file."""

    def __init__(self, workers: Sequence[_Worker], sharing: Sharing) -> None:
        self._workers = workers
        self._sharing = sharing

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        app_url: str,
        desk: Desk,
        processes: int,
        environ: Mapping[str, str] = os.environ,
        now: datetime | None = None,
    ) -> AsyncGenerator["Several"]:
        """Start processes, for as long as the block runs; `desk` knows the catalogue.

        Their clocks stand at `now`, or go as the system's.
        """
        kind = desk.known(system_clock()).rules.consumer_kind
        catalogue = desk.catalogue

        def recycles_ids(gateway: str) -> bool:
            known = catalogue.gateway(gateway, system_clock())
            return known is None or known.recycles_ids

        def form(sender: str) -> str:
            return sender_form(kind, sender)

        sharing = Sharing(desk.book, processes, form, recycles_ids)
        setup = _Setup(app_url, desk.book, dict(environ), now)
        workers = [_start(setup) for _ in range(processes)]
        try:
            await _told(workers)  # each once it is ready
            yield cls(workers, sharing)
        finally:
            for worker in workers:
                worker.pipe.close()
            for worker in workers:
                await asyncio.to_thread(worker.process.join)

    async def begin(self, lines: Sequence[Numbered]) -> "_Shared":
        """Share lines out, and hand over what may be taken beside those before them.

        Each process takes what it is handed in order, so that none waits for the others.

        Raises: what is in `ENDING`; also where one of the processes ended.
        """
        shares = list(self._sharing.shares(lines))
        ahead = bool(shares) and not shares[0].alone
        if ahead:
            await self.hand_over(shares[0])
        return _Shared(self, shares, ahead=ahead)

    async def hand_over(self, share: Share) -> None:
        """Give processes their lines.

        Raises:
            LogUnavailable: one of them ended.
        """
        given = ((self._workers[place].pipe, lines) for place, lines in share.lines.items())
        try:
            # Beside the loop: a pipe holds little, and its process may be at those before.
            await asyncio.gather(*(asyncio.to_thread(pipe.send, lines) for pipe, lines in given))
        except OSError as ended:
            raise LogUnavailable(_ENDED) from ended

    async def told(self, share: Share) -> list[Result]:
        """Wait for what became of the lines of a share.

        Raises: what is in `ENDING`; also where one of the processes ended.
        """
        return await _told([self._workers[place] for place in share.lines])


class _Shared:
    """Lines shared out; of the first share it is said whether it is handed over already."""

    def __init__(self, several: Several, shares: Sequence[Share], *, ahead: bool) -> None:
        self._several = several
        self._shares = shares
        self._ahead = ahead

    async def finish(self, decided: Callable[[], None]) -> list[Result]:
        results: list[Result] = []
        for place, share in enumerate(self._shares, 1):
            if place > 1 or not self._ahead:
                await self._several.hand_over(share)
            if place == len(self._shares) and not share.alone:
                decided()
            results += await self._several.told(share)
        return sorted(results)


_ENDED = "a process of the import has ended"


async def _told(workers: Sequence[_Worker]) -> list[Result]:
    """Wait for what each has to tell."""
    try:
        told = await asyncio.gather(*(asyncio.to_thread(one.pipe.recv) for one in workers))
    except (EOFError, OSError) as ended:
        raise LogUnavailable(_ENDED) from ended
    results: list[Result] = []
    for one in told:
        if isinstance(one, Exception):
            raise one
        results += one
    return results


class _Setup(NamedTuple):
    """What a process is told."""

    app_url: str
    book: str
    environ: Mapping[str, str]
    now: datetime | None

    def clock(self) -> datetime:
        """Give the present instant."""
        return self.now or system_clock()


def _start(setup: _Setup) -> _Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, setup), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(pipe: Connection, setup: _Setup) -> None:
    """Take lines until the pipe is closed, by whoever started us or with them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError), collected_seldom():
        asyncio.run(_serve(pipe, setup))


async def _serve(pipe: Connection, setup: _Setup) -> None:
    app_url, book = setup.app_url, setup.book
    rules, master = load_rules(setup.environ)[book], load_master_key(app_url, setup.environ)
    async with keyed_desk(app_url, book, rules, master) as desk:
        await desk.refresh()
        who = Who(Origin(book, "import"))
        importer = Importer(desk, who, setup.clock, Turning(app_url, book))
        pipe.send([])
        try:
            async with aclosing(conveyed(importer, _handed(pipe))) as results:
                async for one in results:
                    pipe.send(one)
        except ENDING as ending:
            # Nothing is taken after that: whoever hands more over finds nobody.
            pipe.send(LogUnavailable(f"{type(ending).__name__}: {ending}"))


async def _handed(pipe: Connection) -> AsyncGenerator[list[Numbered]]:
    """Give the lines that are handed over, until the pipe is closed."""
    with suppress(EOFError, OSError):
        while True:
            yield await asyncio.to_thread(pipe.recv)
