"""What a running command tells of itself, as it is asked to: figures, traces, logs for machines."""

import os
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from starlette.types import ASGIApp

from api.cli.refused import CommandRefused
from api.telemetry.counted import Counted
from api.telemetry.exposing import AddressInvalid, exposed, registry
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

    Raises:
        CommandRefused: the address cannot be had, or what makes traces is not installed.
    """
    batch, wraps = None, list[Wrap]()
    with ExitStack() as stack:
        try:
            if metrics is not None:
                figures = registry()
                counted = Counted(figures)
                figures.register(Standing(url, tuple(books)))
                stack.enter_context(exposed(metrics, figures))
                batch = counted.batch
                wraps.append(counted.wrap)
            if endpoint := os.environ.get("OBOLE_TRACES"):
                wraps.append(stack.enter_context(tracing(endpoint)))
        except (AddressInvalid, TracingMissing) as refused:
            raise CommandRefused(str(refused)) from refused
        yield Telling(batch, tuple(wraps))
