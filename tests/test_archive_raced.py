"""Whoever reads while old facts leave sees them where they were, or where they are."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import Connection

from ledger.log import archiving, scripts
from ledger.log.archiving import alone, archive, full_parts
from ledger.log.errors import ArchiveUnreadable, LogError
from ledger.log.postgres import PostgresLog, run
from ledger.log.session import SNAPSHOT, connect
from tests.support.database import TestDatabase
from tests.support.log import BOOK, about, noting, open_small, opened

SIZE = 1 << 6
COUNT = 2 * SIZE + 5
EARLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
"""The control: what it sees is chosen before it waits for the table."""
_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'facts'::regclass"


@pytest.fixture
def log(
    database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[PostgresLog]:
    monkeypatch.setenv("OBOLE_ARCHIVE", str(tmp_path))
    open_small(database.owner_url, 6)
    with opened(database.app_url) as found:
        for n in range(COUNT):
            found.submit([noting(f"a:{n}", "b:1")])
        yield found


class Reader(threading.Thread):
    """Reads a tag in one snapshot, which begins while the table is being changed."""

    def __init__(self, url: str, begin: str) -> None:
        super().__init__()
        self._url, self._begin = url, begin
        self.found: int | None = None

    def run(self) -> None:
        """Read; what cannot be told is none."""
        with connect(self._url) as connection, connection.transaction():
            connection.execute(self._begin.encode(), prepare=False)
            connection.execute("SELECT position FROM heads")
            try:
                read = run(connection, scripts.reading(BOOK, [about("b:1")]))
            except LogError:
                return
            self.found = len(read.histories[0])


@contextmanager
def dropping(reader: Reader) -> Generator[None]:
    """Let a reader begin while a partition is dropped, and wait for it, before that commits."""
    drop = archiving.drop

    def slowly(connection: Connection, *rest: object) -> None:
        with connection.transaction():
            drop(connection, *rest)  # pyright: ignore[reportArgumentType] - as it was called
            reader.start()
            while not _count(connection, _WAITING):
                pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archiving, "drop", slowly)
        yield


def _count(connection: Connection, statement: str) -> int:
    found = connection.execute(statement.encode()).fetchone()
    return found[0] if found else 0


def raced(database: TestDatabase, folder: Path, begin: str) -> int | None:
    reader = Reader(database.app_url, begin)
    with dropping(reader), connect(database.owner_url) as owner, alone(owner, BOOK):
        archive(owner, BOOK, full_parts(owner, BOOK)[0], folder, lambda _, __: None)
    reader.join()
    return reader.found


@pytest.mark.usefixtures("log")
class TestRaced:
    """A partition leaves while somebody begins to read."""

    def test_is_seen_whole(self, database: TestDatabase, tmp_path: Path) -> None:
        assert raced(database, tmp_path, SNAPSHOT) == COUNT

    def test_is_not_where_the_moment_was_chosen_first(
        self, database: TestDatabase, tmp_path: Path
    ) -> None:
        assert raced(database, tmp_path, EARLY) != COUNT


class TestWritten:
    """A file that was left by somebody who was killed."""

    @pytest.mark.usefixtures("log")
    def test_is_on_disk_before_its_facts_are_dropped(
        self, database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[str] = []
        drop, sync = archiving.drop, archiving.sync

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        def dropped(*rest: object) -> None:
            done.append("drop")
            drop(*rest)  # pyright: ignore[reportArgumentType] - as it was called

        def synced(path: Path) -> None:
            done.append(path.name)
            sync(path)

        with connect(database.owner_url) as owner, alone(owner, BOOK):
            part = full_parts(owner, BOOK)[0]
            monkeypatch.setattr(archiving, "sync", killed)
            with pytest.raises(KeyboardInterrupt):
                archive(owner, BOOK, part, tmp_path, lambda _, __: None)
            monkeypatch.setattr(archiving, "sync", synced)
            monkeypatch.setattr(archiving, "drop", dropped)
            one = archive(owner, BOOK, part, tmp_path, lambda _, __: None)
        assert done == [one.file, tmp_path.name, "drop"]

    def test_is_read_again_once_a_whole_one_is_in_the_place_of_a_damaged_one(
        self, database: TestDatabase, log: PostgresLog, tmp_path: Path
    ) -> None:
        with connect(database.owner_url) as owner, alone(owner, BOOK):
            one = archive(owner, BOOK, full_parts(owner, BOOK)[0], tmp_path, lambda _, __: None)
        path, kept = tmp_path / one.file, tmp_path / "kept"
        kept.write_bytes(whole := path.read_bytes())
        path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
        with pytest.raises(ArchiveUnreadable):
            log.follow(0, 5)
        kept.rename(path)
        assert len(log.follow(0, 5)) == 5
