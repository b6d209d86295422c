"""Connections to the log's database: what they are told, beside what the caller says."""

import asyncio

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from api.database import Database
from ledger.log.session import connect, connect_async, log_conninfo

SETTINGS = {
    "synchronous_commit": "on",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "TimeZone": "UTC",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
}
PREPARED = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 4711'"


class TestAConnectionString:
    """The caller's, and what the log's promises rest on."""

    def test_keeps_what_the_caller_says(self) -> None:
        given = conninfo_to_dict("host=/run user=obole_app dbname=obole port=5433")
        told = conninfo_to_dict(log_conninfo("host=/run user=obole_app dbname=obole port=5433"))
        assert given.items() <= told.items()

    def test_keeps_the_callers_options_before_the_logs(self) -> None:
        told = conninfo_to_dict(log_conninfo("options='-c statement_timeout=7s -c a.b=c'"))
        own = conninfo_to_dict(log_conninfo("dbname=obole"))["options"]
        assert told["options"] == f"-c statement_timeout=7s -c a.b=c {own}"
        assert str(own).startswith("-c ")

    def test_notices_within_seconds_that_the_other_end_has_vanished(self) -> None:
        told = conninfo_to_dict(log_conninfo("dbname=obole"))
        idle, interval, count = (
            int(told[f"keepalives_{name}"]) for name in ("idle", "interval", "count")
        )
        assert idle + interval * count <= 11
        assert int(told["tcp_user_timeout"]) == 10_000
        assert int(told["connect_timeout"]) == 5


class TestAConnection:
    """Opened for either shell."""

    def test_has_the_logs_settings_whatever_the_caller_says(self, database: Database) -> None:
        url = make_conninfo(database.app_url, options="-c statement_timeout=7s -c lock_timeout=1s")
        with connect(url) as connection:
            for name, value in {**SETTINGS, "statement_timeout": "7s"}.items():
                found = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
                assert found == (value,), name

    def test_prepares_a_statement_the_first_time_and_leaves_no_transaction_open(
        self, database: Database
    ) -> None:
        with connect(database.app_url) as connection:
            connection.execute("SELECT 4711")
            assert connection.info.transaction_status is TransactionStatus.IDLE
            assert connection.execute(PREPARED).fetchone() == (1,)

    def test_does_so_inside_an_event_loop(self, database: Database) -> None:
        async def story() -> None:
            async with await connect_async(database.app_url) as connection:
                await connection.execute("SELECT 4711")
                assert connection.info.transaction_status is TransactionStatus.IDLE
                assert await (await connection.execute(PREPARED)).fetchone() == (1,)
                assert await (await connection.execute("SHOW lock_timeout")).fetchone() == ("10s",)

        asyncio.run(story())
