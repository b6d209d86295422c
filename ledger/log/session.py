"""Connections to the log's database, with the settings that its promises and its speed rest on."""

from typing import Any, LiteralString

from psycopg import AsyncConnection, Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

_SETTINGS = {
    # An acknowledged fact is on disk.
    "synchronous_commit": "on",
    # A generic plan looks tags up in the index without planning anew; see `statements`.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "timezone": "UTC",
    # Nobody may hold a book's head, or the server's snapshot horizon, for long.
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
}

_CONNECTING: dict[str, Any] = {
    "connect_timeout": 5,
    # A connection whose other end has vanished is noticed within about ten seconds.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


SNAPSHOT: LiteralString = """
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
LOCK TABLE facts IN ACCESS SHARE MODE
"""
"""Begins a transaction that sees one moment; not to be prepared, for it is two statements.

A partition that is archived leaves the catalogue at once, and the row that says so is not in a
snapshot from before. Locking takes no snapshot, so the one that follows has both or neither.
"""


def log_conninfo(conninfo: str) -> str:
    """Add the log's settings to a connection string, for a pool or a connection of one's own."""
    options = [str(conninfo_to_dict(conninfo).get("options") or "")]
    options += [f"-c {name}={value}" for name, value in _SETTINGS.items()]
    return make_conninfo(conninfo, options=" ".join(options).strip(), **_CONNECTING)


def connect(conninfo: str) -> Connection:
    """Open a connection for the synchronous shell: autocommit, so transactions are explicit.

    Raises:
        psycopg.OperationalError: The database is away.
    """
    return Connection.connect(log_conninfo(conninfo), autocommit=True, prepare_threshold=0)


async def connect_async(conninfo: str) -> AsyncConnection:
    """Open a connection for the asynchronous shell; otherwise as `connect`."""
    return await AsyncConnection.connect(
        log_conninfo(conninfo), autocommit=True, prepare_threshold=0
    )
