"""Tells how far the books are, asked of the database whenever somebody wants to know.

accepted = projected + parked + pending, of every projection, shows that nothing is dropped.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import LiteralString

import psycopg
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg import Connection

from ledger.log.errors import LogError
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from projections import positions
from projections.positions import Status

_log = logging.getLogger(__name__)

_LAG: LiteralString = """
SELECT extract(epoch FROM clock_timestamp() - %s)::float8
"""
_WAITING: LiteralString = """
SELECT state, age, count(*), sum(price_micros)::bigint
FROM (
    SELECT
        state,
        price_micros,
        CASE
            WHEN authorized_at > now() - interval '1 day' THEN 'day'
            WHEN authorized_at > now() - interval '7 days' THEN 'week'
            WHEN authorized_at > now() - interval '31 days' THEN 'month'
            ELSE 'older'
        END AS age
    FROM charges
    WHERE book = %s AND state IN ('authorized', 'unresolved')
) AS waiting
GROUP BY state, age
"""
_FINDINGS: LiteralString = """
SELECT kind, count(*) FROM findings WHERE book = %s AND closed_at IS NULL GROUP BY kind
"""
STATES = ("authorized", "unresolved")
AGES = ("day", "week", "month", "older")


class Standing(Collector):
    """Every book's standing, from one connection that is made for each time it is asked."""

    def __init__(self, url: str, books: Sequence[str]) -> None:
        self._url = url
        self._books = books

    def collect(self) -> Iterable[Metric]:
        """Ask; while the database is away there is only the figure that says so."""
        up = GaugeMetricFamily("obole_database_up", "Whether the database answers.")
        try:
            with connect(self._url) as connection:
                found = list(self._found(connection))
        except (psycopg.Error, LogError) as away:
            _log.warning("no figures while the database is away: %s", type(away).__name__)
            found = []
        up.add_metric([], 1 if found else 0)
        return [up, *found]

    def _found(self, connection: Connection) -> Iterator[Metric]:
        statuses = [one for book in self._books for one in positions.status(connection, book)]
        yield from _counts(statuses)
        yield _lag(connection, statuses)
        yield from _waiting(connection, self._books)
        yield _findings(connection, self._books)


def _counts(statuses: Sequence[Status]) -> Iterator[Metric]:
    for name, meaning in (
        ("accepted", "Facts in the log"),
        ("projected", "Facts that a projection holds"),
        ("parked", "Facts that a projection could not take"),
        ("pending", "Facts that a projection has still to take"),
    ):
        text = f"{meaning}; accepted = projected + parked + pending."
        gauge = GaugeMetricFamily(f"obole_facts_{name}", text, labels=["book", "projection"])
        for one in statuses:
            gauge.add_metric([one.book, one.projection], getattr(one, name))
        yield gauge


def _lag(connection: Connection, statuses: Sequence[Status]) -> Metric:
    gauge = GaugeMetricFamily(
        "obole_projection_lag_seconds",
        "Age of the oldest fact that a projection has still to take.",
        labels=["book", "projection"],
    )
    for one in statuses:
        rows = PostgresLog(connection, one.book).rows_at([one.projected + 1])
        asked = [connection.execute(_LAG, (next_.recorded_at,)).fetchone() for next_ in rows]
        row = asked[0] if asked else None
        gauge.add_metric([one.book, one.projection], row[0] if row else 0.0)
    return gauge


def _waiting(connection: Connection, books: Sequence[str]) -> Iterator[Metric]:
    labels = ["book", "state", "age"]
    number = GaugeMetricFamily(
        "obole_charges_waiting",
        "Charges that nobody has answered for, by the age of their authorization.",
        labels=labels,
    )
    micros = GaugeMetricFamily(
        "obole_charges_waiting_micros", "What they come to, tax included.", labels=labels
    )
    for book in books:
        rows = connection.execute(_WAITING, (book,)).fetchall()
        found = {(state, age): (count, price) for state, age, count, price in rows}
        for state in STATES:
            for age in AGES:
                count, price = found.get((state, age), (0, 0))
                number.add_metric([book, state, age], count)
                micros.add_metric([book, state, age], price)
    yield number
    yield micros


def _findings(connection: Connection, books: Sequence[str]) -> Metric:
    gauge = GaugeMetricFamily(
        "obole_findings_open", "What a person has to look at.", labels=["book", "kind"]
    )
    for book in books:
        for kind, number in connection.execute(_FINDINGS, (book,)):
            gauge.add_metric([book, kind], number)
    return gauge
