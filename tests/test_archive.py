"""Old facts in files: found, checked and read as though they had never left."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import Connection

from ledger.log import archiving, scripts
from ledger.log.archiving import alone, archive, full_parts
from ledger.log.batch import AnyRow, Outcome, Proposal
from ledger.log.errors import (
    ArchiveMissing,
    ArchiveRefused,
    ArchiveUnreadable,
    FactsMissing,
)
from ledger.log.merkle import Tree
from ledger.log.postgres import PostgresLog, run
from ledger.log.rows import Interest, Row, entry_bytes
from ledger.log.session import connect
from ledger.log.steps import Script
from ledger.log.writer import BookWriter
from projections.source import lines
from tests.support.database import TestDatabase
from tests.support.log import BOOK, about, noting, once, open_small, opened

SIZE = 1 << 7


@pytest.fixture
def log(
    database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[PostgresLog]:
    """Give a book of small partitions, three of them full, and a folder for archives."""
    monkeypatch.setenv("OBOLE_ARCHIVE", str(tmp_path))
    open_small(database.owner_url, 7)
    with opened(database.app_url) as found:
        found.submit([noting(f"a:{n}", f"b:{n % 5}", "c:1") for n in range(3 * SIZE + 5)])
        yield found


def leave(database: TestDatabase, folder: Path, parts: int = 1) -> None:
    with connect(database.owner_url) as owner, alone(owner, BOOK):
        for part in full_parts(owner, BOOK)[:parts]:
            archive(owner, BOOK, part, folder, lambda _, __: None)


def partitions(database: TestDatabase) -> list[str]:
    with psycopg.connect(database.owner_url) as owner:
        found = owner.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^facts_' ORDER BY 1"
        )
        return [name for (name,) in found]


def nothing(_: Sequence[AnyRow]) -> Sequence[Row]:
    return []


class TestReading:
    """Whoever reads sees no difference."""

    def test_gives_ranges_and_positions_as_before(
        self, database: TestDatabase, log: PostgresLog, tmp_path: Path
    ) -> None:
        wanted = log.follow(0, 1_000)
        picked = [1, SIZE, SIZE + 1, 2 * SIZE + 1, 3 * SIZE + 1]
        at = log.rows_at(picked)
        with connect(database.app_url) as connection:
            plain = lines(connection, BOOK, 0, 1_000)
        leave(database, tmp_path, 2)
        assert partitions(database)[0] == "facts_fr_2"
        assert log.follow(0, 1_000) == wanted
        assert log.follow(SIZE - 3, 6) == wanted[SIZE - 3 : SIZE + 3]
        assert log.follow(5, 10) == wanted[5:15]
        assert log.rows_at(picked) == at
        with connect(database.app_url) as connection:
            assert lines(connection, BOOK, 0, 1_000) == plain

    def test_finds_every_tag_as_before(
        self, database: TestDatabase, log: PostgresLog, tmp_path: Path
    ) -> None:
        queries = [
            about("a:3"),
            about("b:2"),
            about("a:3", "b:1"),
            (Interest(("b:2", "c:1"), frozenset({"noted.v1"}), 40),),
            (Interest(("c:1",), frozenset({"other.v1"})),),
            (Interest((), frozenset(), SIZE - 5),),
        ]
        wanted = [log.read(query) for query in queries]
        leave(database, tmp_path, 2)
        assert [log.read(query) for query in queries] == wanted

    def test_finds_them_for_the_writer_too(
        self, database: TestDatabase, log: PostgresLog, tmp_path: Path
    ) -> None:
        wanted = log.read(about("b:2"))

        async def read() -> object:
            async with BookWriter(database.app_url, BOOK) as writer:
                return await writer.read(about("b:2"))

        leave(database, tmp_path, 2)
        assert asyncio.run(read()) == wanted

    def test_lets_a_decision_rest_on_what_is_archived(
        self, database: TestDatabase, log: PostgresLog, tmp_path: Path
    ) -> None:
        leave(database, tmp_path, 2)
        before, _ = log.head()
        (outcome,) = log.submit([once("a:3")])
        assert isinstance(outcome, Outcome)
        assert outcome.appended == ()
        assert log.head()[0] == before

    def test_goes_on_where_room_was_made(
        self, database: TestDatabase, log: PostgresLog, tmp_path: Path
    ) -> None:
        leave(database, tmp_path, 3)
        log.submit([noting(f"d:{n}") for n in range(2 * SIZE)])
        assert [row.position for row in log.follow(0, 2_000)] == list(range(1, 5 * SIZE + 6))


class TestRefused:
    """A missing or damaged file is never an empty answer."""

    def test_without_the_folder(
        self,
        database: TestDatabase,
        log: PostgresLog,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        leave(database, tmp_path)
        monkeypatch.delenv("OBOLE_ARCHIVE")
        with pytest.raises(ArchiveMissing, match="OBOLE_ARCHIVE"):
            log.follow(0, 5)
        with pytest.raises(ArchiveMissing):
            log.read(about("a:3"))
        assert len(log.follow(SIZE, 5)) == 5

    def test_without_the_file(
        self, database: TestDatabase, log: PostgresLog, tmp_path: Path
    ) -> None:
        leave(database, tmp_path)
        for path in tmp_path.glob("*.parquet"):
            path.unlink()
        with pytest.raises(ArchiveMissing, match=r"fr_1-128\.parquet"):
            log.follow(0, 5)

    def test_with_one_byte_changed(
        self, database: TestDatabase, log: PostgresLog, tmp_path: Path
    ) -> None:
        leave(database, tmp_path)
        (path,) = tmp_path.glob("*.parquet")
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        with pytest.raises(ArchiveUnreadable, match="not as it was written"):
            log.follow(0, 5)

    @pytest.mark.usefixtures("log")
    def test_alone_in_its_batch(
        self,
        database: TestDatabase,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        async def submit() -> list[object]:
            async with BookWriter(database.app_url, BOOK) as writer:
                proposals = [once("a:3"), once("e:1"), Proposal(about("a:5"), nothing)]
                return list(await writer.submit_all(proposals))

        leave(database, tmp_path)
        monkeypatch.delenv("OBOLE_ARCHIVE")
        first, second, third = asyncio.run(submit())
        assert isinstance(first, ArchiveMissing)
        assert isinstance(third, ArchiveMissing)
        assert isinstance(second, Outcome)
        assert len(second.appended) == 1


SCRIPTS: dict[str, Callable[[], Script[object]]] = {
    "from the first": lambda: scripts.ranging(BOOK, 0, 5),
    "all": lambda: scripts.ranging(BOOK, 0, 1_000),
    "across what was dropped": lambda: scripts.ranging(BOOK, SIZE - 3, SIZE + 3),
    "one": lambda: scripts.picking(BOOK, [3]),
    "one of several": lambda: scripts.picking(BOOK, [3, 3 * SIZE]),
    "any": lambda: scripts.reading(BOOK, [(Interest(()),)]),
}


def run_alone(database: TestDatabase, asked: str) -> object:
    with connect(database.app_url) as connection:
        return run(connection, SCRIPTS[asked]())


@contextmanager
def earlier(database: TestDatabase) -> Generator[Connection]:
    """Give a connection that sees everything as it was when this began."""
    with connect(database.app_url) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT position FROM heads")
        yield connection


class TestSnapshot:
    """A moment that was chosen before facts left, and is looked at only after it."""

    @pytest.mark.parametrize("asked", SCRIPTS)
    def test_never_finds_nothing_where_there_was_something(
        self, database: TestDatabase, log: PostgresLog, tmp_path: Path, asked: str
    ) -> None:
        wanted = run_alone(database, asked)
        with earlier(database) as connection:
            leave(database, tmp_path)
            with pytest.raises(FactsMissing, match="of positions 1 to 389"):
                run(connection, SCRIPTS[asked]())
        assert run_alone(database, asked) == wanted
        assert log.head()[0] == 3 * SIZE + 5

    @pytest.mark.usefixtures("log")
    def test_keeps_facts_here_once_it_has_looked_at_them(
        self, database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archiving, "TRIES", 2)
        with earlier(database) as connection:
            wanted = run(connection, scripts.ranging(BOOK, 3 * SIZE, 3 * SIZE + 1))
            assert len(wanted) == 1
            with pytest.raises(ArchiveRefused, match="somebody reads the table"):
                leave(database, tmp_path)
            assert len(run(connection, scripts.ranging(BOOK, 0, 1_000))) == 3 * SIZE + 5

    def test_that_ends_where_the_log_ends_finds_nothing_after_it(
        self, database: TestDatabase, log: PostgresLog, tmp_path: Path
    ) -> None:
        with earlier(database) as connection:
            head = log.head()[0]
            log.submit([noting("d:1")])
            assert run(connection, scripts.ranging(BOOK, head, head + 9)) == []
            assert run(connection, scripts.picking(BOOK, [head + 1])) == []
        leave(database, tmp_path, 3)
        assert len(log.follow(head, 9)) == 1
        assert log.follow(head + 1, 9) == []


class TestArchiving:
    """A partition leaves whole or not at all."""

    def test_keeps_the_root_of_its_entries(
        self, database: TestDatabase, log: PostgresLog, tmp_path: Path
    ) -> None:
        wanted = Tree(map(entry_bytes, log.follow(0, SIZE))).root()
        leave(database, tmp_path)
        with psycopg.connect(database.owner_url) as owner:
            ((root,),) = owner.execute("SELECT root FROM archives").fetchall()
        assert bytes(root) == wanted

    @pytest.mark.parametrize("step", ["measured", "check", "drop"])
    def test_killed_between_steps_is_done_again(
        self,
        database: TestDatabase,
        log: PostgresLog,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        step: str,
    ) -> None:
        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        wanted = log.follow(0, 1_000)
        with monkeypatch.context() as patched:
            patched.setattr(archiving, step, killed)
            with pytest.raises(KeyboardInterrupt):
                leave(database, tmp_path)
        assert partitions(database)[0] == "facts_fr_0"
        assert log.follow(0, 1_000) == wanted
        leave(database, tmp_path)
        assert log.follow(0, 1_000) == wanted

    @pytest.mark.usefixtures("log")
    def test_does_not_take_another_file_for_its_own(
        self, database: TestDatabase, tmp_path: Path
    ) -> None:
        (tmp_path / "fr_1-128.parquet").write_bytes(b"PAR1 of somebody else PAR1")
        with pytest.raises(ArchiveRefused, match="nothing was dropped"):
            leave(database, tmp_path)
        assert partitions(database)[0] == "facts_fr_0"

    @pytest.mark.usefixtures("log")
    def test_is_not_for_the_application(self, database: TestDatabase) -> None:
        with (
            psycopg.connect(database.app_url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("SELECT archive_partition('fr', 0, 'x', 1, '', '', '')")

    @pytest.mark.parametrize(("number", "rule"), [(1, "is not the next"), (0, "is not full")])
    def test_is_only_of_the_oldest_that_is_full(
        self, database: TestDatabase, number: int, rule: str
    ) -> None:
        with psycopg.connect(database.owner_url) as owner:
            owner.execute("INSERT INTO heads (book, partition_bits) VALUES (%s, 7)", (BOOK,))
        with opened(database.app_url) as log, psycopg.connect(database.owner_url) as owner:
            log.submit([noting("a:1")])
            with pytest.raises(psycopg.IntegrityError, match=rule):
                owner.execute("SELECT archive_partition('fr', %s, 'x', 1, '', '', '')", (number,))
