"""Brings a database to the schema of this code: `migrate` applies what is missing, `status` tells.

MigrationError
├── ChainBroken         the files are not 1, 2, 3 …
├── MigrationEdited     a file differs from what was applied under its number
└── DatabaseTooNew      the database has been migrated by a newer version of the code
"""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import LiteralString, NamedTuple

import psycopg
from psycopg.rows import class_row

from migrations.roles import ensure_roles

FOLDER = Path(__file__).parent

_LOCK = 0x0B01E  # any number that nothing else in the database locks

_CREATE_TABLE: LiteralString = """
    CREATE TABLE IF NOT EXISTS migrations (
        number int NOT NULL,
        name text NOT NULL,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT a_migration_is_applied_once PRIMARY KEY (number),
        CONSTRAINT numbers_count_from_one CHECK (number >= 1)
    )
"""
_DESCRIBE_TABLE: LiteralString = """
    COMMENT ON TABLE migrations IS 'What has been applied to this database; checksum is SHA-256.'
"""
_SELECT_APPLIED: LiteralString = (
    "SELECT number, name, checksum, applied_at FROM migrations ORDER BY number"
)
_INSERT_APPLIED: LiteralString = (
    "INSERT INTO migrations (number, name, checksum) VALUES (%s, %s, %s)"
)


class MigrationError(Exception):
    """The chain of migrations and the database do not fit together; nothing was changed."""


class ChainBroken(MigrationError):
    """A number is missing, doubled, or not readable from a file's name."""


class MigrationEdited(MigrationError):
    """A released migration was changed, which would leave databases that differ for ever."""


class DatabaseTooNew(MigrationError):
    """The database knows migrations that this code does not have."""


class Migration(NamedTuple):
    """One file: `0002_keys.sql` is number 2, name `keys`; `script` is all of it, byte for byte."""

    number: int
    name: str
    script: bytes

    @property
    def file(self) -> str:
        """Give the file's name."""
        return f"{self.number:04}_{self.name}.sql"

    @property
    def checksum(self) -> str:
        """Give the SHA-256 of the file, in hexadecimal."""
        return sha256(self.script).hexdigest()


class Applied(NamedTuple):
    """One row of the table `migrations`."""

    number: int
    name: str
    checksum: str
    applied_at: datetime


class Status(NamedTuple):
    """What the database has, and what it still lacks."""

    applied: list[Applied]
    pending: list[Migration]


def chain(folder: Path = FOLDER) -> list[Migration]:
    """Read the migrations in their order.

    Raises: ChainBroken when the numbers are not 1, 2, 3 ….
    """
    migrations: list[Migration] = []
    for path in sorted(folder.glob("[0-9]*.sql")):
        number, _, name = path.stem.partition("_")
        expected = len(migrations) + 1
        if number != f"{expected:04}" or not name:
            raise ChainBroken(f"{path.name}: expected {expected:04}_<name>.sql at this place")
        migrations.append(Migration(expected, name, path.read_bytes()))
    return migrations


def migrate(owner_url: str, folder: Path = FOLDER) -> list[Migration]:
    """Apply the migrations that the database lacks, each in a transaction of its own; give them.

    One process migrates at a time; another waits, then finds nothing left to do. When a migration
    fails it leaves nothing behind, and those before it stay.

    Raises: MigrationError when files and database do not fit together.
    """
    migrations = chain(folder)
    with psycopg.connect(owner_url, autocommit=True) as connection, _alone(connection):
        ensure_roles(connection)
        with _as_owner(connection):
            connection.execute(_CREATE_TABLE)
            connection.execute(_DESCRIBE_TABLE)
            connection.execute("GRANT SELECT ON migrations TO obole_app")
        pending = _compare(migrations, _applied(connection)).pending
        for migration in pending:
            with _as_owner(connection):
                connection.execute(migration.script)
                connection.execute(
                    _INSERT_APPLIED, (migration.number, migration.name, migration.checksum)
                )
    return pending


def status(url: str, folder: Path = FOLDER) -> Status:
    """Tell what is applied and what is pending, changing nothing; `url` may be the application's.

    Raises: MigrationError as `migrate` does.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        return _compare(chain(folder), _applied(connection))


@contextmanager
def _alone(connection: psycopg.Connection) -> Generator[None]:
    connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


@contextmanager
def _as_owner(connection: psycopg.Connection) -> Generator[None]:
    with connection.transaction():
        connection.execute("SET LOCAL ROLE obole_owner")
        # A change of a table queues behind its readers, and all others queue behind the change.
        connection.execute("SET LOCAL lock_timeout = '10s'")
        yield


def _applied(connection: psycopg.Connection) -> list[Applied]:
    known = connection.execute("SELECT to_regclass('migrations') IS NOT NULL").fetchone()
    if known != (True,):
        return []
    with connection.cursor(row_factory=class_row(Applied)) as cursor:
        return cursor.execute(_SELECT_APPLIED).fetchall()


def _compare(migrations: list[Migration], applied: list[Applied]) -> Status:
    for migration, row in zip(migrations, applied, strict=False):
        if (row.number, row.checksum) != (migration.number, migration.checksum):
            raise MigrationEdited(
                f"{migration.file} differs from what was applied as number {row.number} "
                f"({row.name}) on {row.applied_at:%Y-%m-%d}; write a new migration instead"
            )
    if len(applied) > len(migrations):
        raise DatabaseTooNew(
            f"the database is at migration {applied[-1].number} ({applied[-1].name}), "
            f"this code at {len(migrations)}: run the newer code"
        )
    return Status(applied, migrations[len(applied) :])
