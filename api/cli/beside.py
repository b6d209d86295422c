"""Commands of ours that run beside this one: started again if they end, ended when this one ends.

Each is a process of its own whose standard input we hold, so it ends with us however we end.
"""

import asyncio
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

_log = logging.getLogger(__name__)

RESTART_SECONDS = 1.0
STOP_SECONDS = 15.0
READY = "ready"
"""The line that a command with `says_ready` writes to its output once it can be used."""


class Command(NamedTuple):
    """A command to run: how it is called in our log, its arguments, open files and environment."""

    name: str
    arguments: Sequence[str]
    files: Sequence[int] = ()
    environ: Mapping[str, str] = {}
    says_ready: bool = False


def _unheard(_pid: int) -> None:
    """Stand in where nobody asks which process it is."""


async def keep(
    command: Command,
    stop: asyncio.Event,
    started: Callable[[int], None] = _unheard,
    ready: asyncio.Event | None = None,
) -> None:
    """Run a command, again if it ends, until `stop` is set.

    `started` hears of each of its processes; `ready` is set once one of them has said so.
    """
    while not stop.is_set():
        process = await _start(command)
        started(process.pid)
        waiting = [asyncio.create_task(process.wait()), asyncio.create_task(stop.wait())]
        saying = asyncio.create_task(_said(process, ready))
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in (*waiting, saying):
            task.cancel()
        if stop.is_set():
            await _end(process)
            return
        _log.error(
            "%s has ended with status %s; starting it again", command.name, process.returncode
        )
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), RESTART_SECONDS)


async def _start(command: Command) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api.cli.main", *command.arguments),
        stdin=PIPE,
        stdout=PIPE if command.says_ready else None,
        pass_fds=command.files,
        env={**os.environ, **command.environ},
        start_new_session=True,
    )


async def _said(process: Process, ready: asyncio.Event | None) -> None:
    if process.stdout is not None and await process.stdout.readline() and ready is not None:
        ready.set()


async def _end(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
