"""What a running command tells of itself, as it is asked to: figures, traces, logs for machines."""

import os
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from api.cli.refused import CommandRefused
from api.telemetry.counted import Counted
from api.telemetry.exposing import AddressInvalid, exposed, registry
from api.telemetry.shared import FOLDER, Pids, counts_for_another, shared_registry
from api.telemetry.standing import Standing
from api.telemetry.traced import TracingMissing, tracing
from ledger.log.writer import Batch

Wrap = Callable[[ASGIApp], ASGIApp]


class Telling(NamedTuple):
    """What has to be told on: batches that are appended, requests that are answered."""

    batch: Callable[[Batch], None] | None
    wraps: tuple[Wrap, ...]

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Give the application with everything around it that watches it."""
        for wrap in self.wraps:
            app = wrap(app)
        return app


@contextmanager
def telling(metrics: str | None, url: str, books: Iterable[str]) -> Generator[Telling]:
    """Tell figures at `metrics`, if given, and traces where OBOLE_TRACES wants them.

    One process of several counts for the one that started it.

    Raises:
        CommandRefused: the address cannot be had, or what makes traces is not installed.
    """
    batch, counted, wraps = None, None, list[Wrap]()
    with ExitStack() as stack:
        try:
            if metrics is not None:
                figures = registry()
                counted = Counted(figures)
                figures.register(Standing(url, tuple(books)))
                stack.enter_context(exposed(metrics, figures))
            elif counts_for_another():
                counted = Counted(CollectorRegistry())
            if counted is not None:
                batch = counted.batch
                wraps.append(counted.wrap)
            if endpoint := os.environ.get("OBOLE_TRACES"):
                wraps.append(stack.enter_context(tracing(endpoint)))
        except (AddressInvalid, TracingMissing) as refused:
            raise CommandRefused(str(refused)) from refused
        yield Telling(batch, tuple(wraps))


@contextmanager
def telling_of_several(
    metrics: str | None, url: str, books: Iterable[str], pids: Pids
) -> Generator[Mapping[str, str]]:
    """Tell the figures of the processes that `pids` gives; gives what they are to be told by.

    Raises:
        CommandRefused: the address cannot be had.
    """
    if metrics is None:
        yield {}
        return
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="obole-figures-"))
        figures = shared_registry(folder, pids)
        figures.register(Standing(url, tuple(books)))
        try:
            stack.enter_context(exposed(metrics, figures))
        except AddressInvalid as refused:
            raise CommandRefused(str(refused)) from refused
        yield {FOLDER: folder}
