"""Counts what is appended and answered, for Prometheus.

Source: Prometheus documentation, "Metric and label naming".
"""

from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.telemetry.routes import route_of
from ledger.log.writer import Batch

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Counted:
    """The counters of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sizes = Histogram(
            "obole_batch_decisions",
            "Decisions that were appended in one transaction.",
            ["book"],
            registry=registry,
            buckets=SIZES,
        )
        self._facts = Counter(
            "obole_facts_appended",
            "Facts that this process appended; delivery_orphaned are receipts of unknown messages, "
            "conflicting_duplicate_received are other messages under a known id.",
            ["book", "type"],
            registry=registry,
        )
        self._refused = Counter(
            "obole_decisions_refused",
            "Decisions that left no fact: refused, or failed.",
            ["book"],
            registry=registry,
        )
        self._overtaken = Counter(
            "obole_batches_overtaken",
            "Batches that another process was faster than, and that were decided again.",
            ["book"],
            registry=registry,
        )
        self._answered = Histogram(
            "obole_http_request_seconds",
            "Requests, by route and status, and how long they took.",
            ["route", "status"],
            registry=registry,
            buckets=SECONDS,
        )

    def batch(self, batch: Batch) -> None:
        """Count one batch of decisions."""
        self._sizes.labels(batch.book).observe(batch.decisions)
        for kind, number in batch.facts.items():
            self._facts.labels(batch.book, kind).inc(number)
        self._refused.labels(batch.book).inc(batch.refused)
        self._overtaken.labels(batch.book).inc(batch.overtaken)

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Count the requests that an application answers."""

        async def counting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            status = "none"

            async def sending(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = str(message["status"])
                await send(message)

            start = perf_counter()
            try:
                await app(scope, receive, sending)
            finally:
                seconds = perf_counter() - start
                self._answered.labels(route_of(scope), status).observe(seconds)

        return counting
