"""The library's own projection runner, over its default recorder and over the one for DCB.

One row a kind of fact is kept, an event and its tracking in one transaction, as the library's
documentation shows it.

Source: the library's documentation, "Projection module" and "DCB".
"""

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.dcb.application import DCBApplication
from eventsourcing.dcb.domain import Tagged
from eventsourcing.dcb.msgpack import Decision, MessagePackMapper
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.utils import get_topic
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL

from api.bench.measure import Figure, rate
from api.bench.peers.driven import Exchange

_PATIENCE = 60.0


class Traded(Aggregate):
    """An exchange as one of the library's aggregates."""

    @event("Began")
    def __init__(self, kind: str, data: str) -> None:
        self.facts = [(kind, data)]

    @event("Went")
    def goes_on(self, kind: str, data: str) -> None:
        """Record the next fact of it."""
        self.facts.append((kind, data))


class Trade(Application[UUID]):
    """The application that saves exchanges."""

    name = "peertrade"


class FactRecorded(Decision):
    """One fact, as the library's DCB part stores it."""

    kind: str
    data: bytes


class DcbTrade(DCBApplication):
    """The same over the recorder for DCB."""

    name = "peerdcb"


class Kinds(PostgresTrackingRecorder):
    """A table of how many facts of each kind there are."""

    def __init__(self, datastore: PostgresDatastore, **kwargs: Any) -> None:  # noqa: ANN401 - as its base class has it
        super().__init__(datastore, **kwargs)
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS peer_kinds (kind text PRIMARY KEY, number bigint)"
            ).format()
        )

    def count(self, kind: str, tracking: Tracking) -> None:
        """Count one fact, and move the tracking along."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                "INSERT INTO peer_kinds VALUES (%s, 1)"
                " ON CONFLICT (kind) DO UPDATE SET number = peer_kinds.number + 1",
                (kind,),
            )


class CountKinds(Projection[Kinds]):
    """Counts every fact."""

    name = "peerkinds"

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:  # noqa: ANN401 - the same
        """Count one."""
        self.view.count(domain_event.kind, tracking)

    @process_event.register(Tagged)
    def _(self, domain_event: Tagged[FactRecorded], tracking: Tracking) -> None:
        self.view.count(domain_event.decision.kind, tracking)


class CountDcbKinds(CountKinds):
    """The same over the recorder for DCB, which reads by types or tags alone."""

    name = "peerdcbkinds"
    topics = (get_topic(FactRecorded),)


def projected(url: str, exchanges: Sequence[Exchange]) -> list[Figure]:
    """Save exchanges by the library, then time its runner over them."""
    return [_default(_environ(url), exchanges), _dcb(_environ(url), exchanges)]


def _default(environ: Mapping[str, str], exchanges: Sequence[Exchange]) -> Figure:
    environ = {**environ, "PERSISTENCE_MODULE": "eventsourcing.postgres"}
    application = Trade(environ)
    for exchange in exchanges:
        first, *others = exchange
        traded = Traded(kind=first.type, data=first.data.decode())
        for row in others:
            traded.goes_on(kind=row.type, data=row.data.decode())
        application.save(traded)
    last = application.recorder.max_notification_id() or 0
    application.close()
    return _run("eventsourcing's runner, default", Trade, CountKinds, environ, last)


def _dcb(environ: Mapping[str, str], exchanges: Sequence[Exchange]) -> Figure:
    environ = {
        **environ,
        "PERSISTENCE_MODULE": "eventsourcing.dcb.postgres_tt",
        "MAPPER_TOPIC": get_topic(MessagePackMapper),
    }
    with DcbTrade(environ) as application:
        last = 0
        for exchange in exchanges:
            last = application.events.append(
                [Tagged(list(row.tags), FactRecorded(row.type, row.data)) for row in exchange]
            )
    return _run("eventsourcing's runner, DCB", DcbTrade, CountDcbKinds, environ, last)


def _run(
    name: str,
    application: type[Any],
    counting: type[CountKinds],
    environ: Mapping[str, str],
    last: int,
) -> Figure:
    # The view has a store of its own, which only the default module's factory makes.
    view_of = f"{counting.name.upper()}_PERSISTENCE_MODULE"
    environ = {**environ, view_of: "eventsourcing.postgres"}
    start = perf_counter()
    with ProjectionRunner(
        application_class=application,
        projection_class=counting,
        view_class=Kinds,
        env=environ,
    ) as runner:
        runner.wait(last, timeout=_PATIENCE)
        seconds = perf_counter() - start
    return rate(name, "facts", last, seconds, "one simple table")


def _environ(url: str) -> dict[str, str]:
    parts = conninfo_to_dict(url)
    return {
        "POSTGRES_DBNAME": str(parts["dbname"]),
        "POSTGRES_HOST": str(parts["host"]),
        "POSTGRES_PORT": str(parts.get("port", 5432)),
        "POSTGRES_USER": str(parts["user"]),
        "POSTGRES_PASSWORD": str(parts.get("password", "")) or "none",
    }
