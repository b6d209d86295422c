"""Traces on request: a span for each request, sent to a collector over OTLP.

It needs the extra `tracing`. A span names route, book and status: a URL would tell Kannel's key, a
number and a text.

Source: OpenTelemetry specification, "Semantic conventions for HTTP spans".
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.telemetry.routes import route_of

REFUSED = 400
"""From this status on."""


class TracingMissing(RuntimeError):
    """Traces are asked for, and what makes them is not installed."""


@contextmanager
def tracing(endpoint: str) -> Generator[Callable[[ASGIApp], ASGIApp]]:
    """Give what wraps an application so that its requests are traced while the block runs.

    `endpoint` is where a collector takes traces, such as `http://127.0.0.1:4318/v1/traces`.

    Raises:
        TracingMissing: the extra `tracing` is not installed.
    """
    provider = _provider(endpoint)
    tracer = provider.get_tracer("obole")
    try:
        yield lambda app: Traced(app, tracer)
    finally:
        provider.shutdown()


def _provider(endpoint: str) -> Any:  # noqa: ANN401 - a class of the extra
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - the same
    except ImportError as missing:
        raise TracingMissing(
            "OBOLE_TRACES asks for traces: install obole with its extra `tracing`"
        ) from missing
    provider = TracerProvider(resource=Resource.create({"service.name": "obole"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    return provider


class Traced:
    """An application whose requests are traced."""

    def __init__(self, app: ASGIApp, tracer: Any) -> None:  # noqa: ANN401 - a class of the extra
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and tell how."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = str(scope["method"])
        # What an exception says may quote what somebody sent.
        with self._tracer.start_as_current_span(
            method, record_exception=False, set_status_on_exception=False
        ) as span:

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = int(message["status"])
                    span.set_attribute("http.response.status_code", status)
                    # Of a request that was refused the book is whatever its caller wrote.
                    if status < REFUSED and (book := scope.get("path_params", {}).get("book")):
                        span.set_attribute("obole.book", str(book))
                await send(message)

            try:
                await self._app(scope, receive, sending)
            finally:
                route = route_of(scope)
                span.update_name(f"{method} {route}")
                span.set_attributes({"http.request.method": method, "http.route": route})
