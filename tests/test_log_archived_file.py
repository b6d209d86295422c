"""A file of old facts by itself: laid out for others, read in any piece, every byte compared."""

import os
import sys
import threading
from collections.abc import Generator
from hashlib import sha256
from io import SEEK_CUR, SEEK_END, SEEK_SET, BytesIO, UnsupportedOperation
from pathlib import Path
from random import Random
from typing import NamedTuple

import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from ledger.log import archive as files
from ledger.log import archiving
from ledger.log.archive import Archive, ArchiveFile, Checked, Fetch, Span
from ledger.log.archiving import alone, archive, check, full_parts, kept, measured
from ledger.log.batch import Proposal
from ledger.log.errors import ArchiveMissing, ArchiveRefused, ArchiveUnreadable
from ledger.log.merkle import Tree
from ledger.log.rows import Interest, Row, StoredRow, entry_bytes
from ledger.log.session import connect
from tests.support.database import TestDatabase
from tests.support.log import BOOK, noting, open_small, opened, row

BITS = 7
SIZE = 1 << BITS
GROUP = 32
"""Rows of a group, of which a file then has four."""
CHUNK = 1 << 18
"""With 6,000 bytes a row that do not compress, a file has several of them."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Let groups be small, and forget what files were opened like that."""
    for module in (files, archiving):
        monkeypatch.setattr(module, "GROUP_ROWS", GROUP)
    yield
    files._opened.cache_clear()  # noqa: SLF001 - no other test may be given them


def test_sums_are_of_pieces_that_stay_as_large() -> None:
    """Old files are compared by the sums that the database has of them."""
    assert files.CHUNK_BYTES == CHUNK


def data(n: int) -> bytes:
    """Give bytes that are as good as random."""
    return Random(n).randbytes(6_000)  # noqa: S311 - no secret


class Left(NamedTuple):
    """A book whose first partition is in a file, and what it held before."""

    database: TestDatabase
    folder: Path
    rows: list[StoredRow]
    one: Archive
    chunks: bytes
    shown: list[tuple[int, int]]

    @property
    def path(self) -> Path:
        """Give the path of the file."""
        return self.folder / self.one.file


@pytest.fixture
def left(database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Left:
    """Let a partition of four groups leave."""
    monkeypatch.setenv("OBOLE_ARCHIVE", str(tmp_path))
    open_small(database.owner_url, BITS)
    shown: list[tuple[int, int]] = []
    with opened(database.app_url) as log, connect(database.owner_url) as owner:
        log.submit([Proposal((), lambda _: [_row(n) for n in range(SIZE + 20)])])
        rows = log.follow(0, 2 * SIZE)
        (tmp_path / "fr_1-128.unfinished").write_bytes(b"of one that was killed" * 9_999)
        with alone(owner, BOOK):
            (part,) = full_parts(owner, BOOK)
            one = archive(owner, BOOK, part, tmp_path, lambda *of: shown.append(of))
        ((found, chunks),) = kept(owner, BOOK)
        assert found == one
    return Left(database, tmp_path, rows, one, chunks, shown)


def _row(n: int) -> Row:
    return row(f"n:{n}", f"of:{n % 7}", type=f"kind{n % 3}.v1", data=data(n))


class TestTheFile:
    """What anybody may rely on who opens it with something else."""

    def test_is_known_by_its_positions_size_sums_and_root(self, left: Left) -> None:
        content = left.path.read_bytes()
        root = Tree(map(entry_bytes, left.rows[:SIZE])).root()
        named = "fr_1-128.parquet"
        assert left.one == Archive(1, SIZE, named, len(content), sha256(content).hexdigest(), root)
        pieces = [content[at : at + (CHUNK)] for at in range(0, len(content), CHUNK)]
        assert len(pieces) >= 3
        assert left.chunks == b"".join(sha256(piece).digest() for piece in pieces)
        assert [path.name for path in left.folder.iterdir()] == [named]

    def test_holds_a_column_for_each_field_in_groups(self, left: Left) -> None:
        file = pyarrow.parquet.ParquetFile(left.path)
        assert [(field.name, str(field.type)) for field in file.schema_arrow] == [
            ("position", "int64"),
            ("recorded_at", "timestamp[us, tz=UTC]"),
            ("type", "string"),
            ("tags", "list<element: string>"),
            ("data", "binary"),
        ]
        groups = [file.metadata.row_group(n) for n in range(file.num_row_groups)]
        assert [group.num_rows for group in groups] == [GROUP] * 4
        columns = [groups[0].column(n) for n in range(5)]
        assert {column.compression for column in columns} == {"ZSTD"}
        assert not any(column.is_stats_set for column in columns)
        by_word = [column.path_in_schema for column in columns if column.has_dictionary_page]
        assert by_word == ["type"]
        found = file.read().to_pylist()
        assert [(one["position"], tuple(one["tags"]), one["data"]) for one in found] == [
            (one.position, one.tags, one.data) for one in left.rows[:SIZE]
        ]

    def test_is_shown_as_it_is_written(self, left: Left) -> None:
        assert left.shown == [(32, SIZE), (64, SIZE), (96, SIZE), (SIZE, SIZE)]


class TestReading:
    """In any piece, and without what was not asked for."""

    @pytest.mark.parametrize(
        ("after", "count"),
        [
            (0, 1),
            (GROUP - 3, 6),
            (GROUP - 1, 1),
            (GROUP, 1),
            (GROUP - 1, GROUP + 1),
            (SIZE - 2, 2),
            (SIZE - 2, 9),
            (0, 2 * SIZE),
        ],
    )
    def test_gives_a_range_across_groups_and_the_end(
        self, left: Left, after: int, count: int
    ) -> None:
        with opened(left.database.app_url) as log:
            assert log.follow(after, count) == left.rows[after : after + count]

    def test_gives_positions_and_tags_as_they_were(self, left: Left) -> None:
        picked = [1, GROUP, GROUP + 1, SIZE, SIZE + 1, SIZE + 20]
        queries = [
            (Interest(("of:3",)),),
            (Interest(("of:3",), frozenset({"kind1.v1"}), GROUP - 9),),
            (Interest(("n:7",)), Interest(("n:130",)), Interest(("n:31",))),
            (Interest(("of:3", "n:10")),),
            (Interest(("of:3", "n:11")),),
            (Interest((), frozenset({"kind2.v1"}), SIZE - 9),),
        ]
        with opened(left.database.app_url) as log:
            assert log.rows_at(picked) == [left.rows[n - 1] for n in picked]
            for query in queries:
                meant = [one for one in left.rows if _is_meant(query, one)]
                assert list(log.read(query)[0]) == meant

    @pytest.mark.parametrize("tagged", [True, False])
    def test_of_spans_gives_each_its_own(self, left: Left, tagged: bool) -> None:  # noqa: FBT001 - a column
        spans = [
            Span(3, 5),
            Span(GROUP, GROUP + 1, types=frozenset({"kind0.v1"})),
            Span(SIZE - 1, SIZE + 7),
            Span(SIZE + 1, SIZE + 7),
        ]
        files.know([left.one], {left.one.file: left.chunks})
        found = Fetch(BOOK, [left.one], spans, tagged).rows()
        wanted = [
            left.rows[2:5],
            [one for one in left.rows[GROUP - 1 : GROUP + 1] if one.type == "kind0.v1"],
            left.rows[SIZE - 2 : SIZE],
            [],
        ]
        bare = [[one if tagged else one._replace(tags=()) for one in rows] for rows in wanted]
        assert found == bare

    def test_of_a_tag_gives_only_what_has_it(self, left: Left) -> None:
        files.know([left.one], {left.one.file: left.chunks})
        (found,) = Fetch(BOOK, [left.one], [Span(1, 99, "of:3", frozenset({"kind0.v1"}))]).rows()
        assert [one.position for one in found] == [
            n for n in range(1, 100) if (n - 1) % 7 == 3 and (n - 1) % 3 == 0
        ]

    def test_may_be_done_by_many_at_once(self, left: Left) -> None:
        file = ArchiveFile(left.path, left.one, left.chunks)
        found: list[list[StoredRow]] = []
        threads = [
            threading.Thread(target=lambda n=n: found.append(file.rows(BOOK, n, SIZE, tagged=True)))
            for n in range(1, 9)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == sorted(left.rows[n - 1 : SIZE] for n in range(1, 9))


def _is_meant(query: tuple[Interest, ...], one: StoredRow) -> bool:
    return any(
        one.position > interest.after
        and set(interest.tags) <= set(one.tags)
        and (not interest.types or one.type in interest.types)
        for interest in query
    )


class TestDamaged:
    """What is not as it was written is not given out, and the rest is."""

    def test_in_one_chunk_spares_the_others(self, left: Left) -> None:
        _flip(left.path, 100)
        with opened(left.database.app_url) as log:
            with pytest.raises(ArchiveUnreadable, match=r"128\.parquet is not .*, in chunk 0$"):
                log.follow(0, 1)
            assert log.follow(SIZE - 3, 3) == left.rows[SIZE - 3 : SIZE]

    def test_in_the_middle_names_its_chunk(self, left: Left) -> None:
        _flip(left.path, CHUNK + 5)
        with pytest.raises(ArchiveUnreadable, match=r"in chunk 1$"):
            check(left.path, BOOK, left.one, left.chunks)

    def test_by_being_cut_short_names_its_end(self, left: Left) -> None:
        os.truncate(left.path, left.one.size - 1)
        last = (left.one.size - 1) // CHUNK
        with pytest.raises(ArchiveUnreadable, match=rf"in chunk {last}$"):
            check(left.path, BOOK, left.one, left.chunks)

    def test_by_no_parquet_says_that_it_cannot_be_read(self, tmp_path: Path) -> None:
        path = tmp_path / "x.parquet"
        path.write_bytes(b"PAR1 of somebody else PAR1")
        found = measured(path)
        one = Archive(1, 2, path.name, found.size, found.sha256, b"")
        with pytest.raises(ArchiveUnreadable, match=r"x\.parquet cannot be read: .+"):
            ArchiveFile(path, one, found.chunks)

    def test_by_being_away_says_so(self, left: Left) -> None:
        left.path.unlink()
        with pytest.raises(ArchiveMissing, match=r"128\.parquet cannot be opened: No such file"):
            check(left.path, BOOK, left.one, left.chunks)


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


class TestChecked:
    """A whole file, compared with what is known of it."""

    def test_is_found_whole(self, left: Left) -> None:
        check(left.path, BOOK, left.one, left.chunks)

    @pytest.mark.parametrize(
        ("changed", "why"),
        [
            ({"last": SIZE + 1}, "does not hold positions 1 to 129"),
            ({"last": SIZE - 1}, "does not hold positions 1 to 127"),
            ({"first": 2, "last": SIZE + 1}, "lacks positions of 2 to 33"),
            ({"root": bytes(32)}, "holds other facts than were archived"),
        ],
    )
    def test_is_refused_where_it_holds_anything_else(
        self, left: Left, changed: dict[str, object], why: str
    ) -> None:
        with pytest.raises(ArchiveUnreadable, match=rf"128\.parquet {why}$"):
            check(left.path, BOOK, left.one._replace(**changed), left.chunks)

    def test_is_refused_as_another_books(self, left: Left) -> None:
        with pytest.raises(ArchiveUnreadable, match="other facts"):
            check(left.path, "be", left.one, left.chunks)


class TestLeaving:
    """Which partitions may leave, and who lets them."""

    @pytest.mark.parametrize("count", [0, SIZE - 1, SIZE, SIZE + 1, 2 * SIZE])
    def test_is_for_what_is_full_and_has_a_fact_after_it(
        self, database: TestDatabase, count: int
    ) -> None:
        open_small(database.owner_url, BITS)
        with opened(database.app_url) as log, connect(database.owner_url) as owner:
            log.submit([noting("a:1")] * count)
            assert full_parts(owner, BOOK) == ([(0, 1, SIZE)] if count > SIZE else [])

    def test_goes_on_after_what_has_left(self, database: TestDatabase, tmp_path: Path) -> None:
        open_small(database.owner_url, BITS)
        with opened(database.app_url) as log, connect(database.owner_url) as owner:
            log.submit([noting("a:1")] * (3 * SIZE + 1))
            assert full_parts(owner, BOOK) == [(0, 1, 128), (1, 129, 256), (2, 257, 384)]
            with alone(owner, BOOK):
                for part in full_parts(owner, BOOK)[:2]:
                    archive(owner, BOOK, part, tmp_path, lambda _, __: None)
            assert full_parts(owner, BOOK) == [(2, 257, 384)]
            assert [one[:3] for one, _ in kept(owner, BOOK)] == [
                (1, 128, "fr_1-128.parquet"),
                (129, 256, "fr_129-256.parquet"),
            ]
            assert kept(owner, "be") == []

    def test_is_done_by_one_at_a_time_for_each_book(self, database: TestDatabase) -> None:
        with connect(database.owner_url) as one, connect(database.owner_url) as other:
            with alone(one, BOOK):
                with (
                    pytest.raises(ArchiveRefused, match=r"^fr: somebody else is archiving it$"),
                    alone(other, BOOK),
                ):
                    pass
                with alone(other, "be"):
                    pass
            with alone(other, BOOK):
                pass

    def test_that_failed_lets_the_next_begin(self, database: TestDatabase) -> None:
        with connect(database.owner_url) as one, connect(database.owner_url) as other:
            with pytest.raises(ZeroDivisionError), alone(one, BOOK):
                raise ZeroDivisionError
            with alone(other, BOOK):
                pass
            with alone(other, BOOK):
                other.close()

    def test_waits_for_a_gap_between_readers(
        self, database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        open_small(database.owner_url, BITS)
        with (
            opened(database.app_url) as log,
            connect(database.owner_url) as owner,
            connect(database.app_url) as reader,
        ):
            log.submit([noting("a:1")] * (SIZE + 1))
            reader.execute("BEGIN")
            reader.execute("SELECT 1 FROM facts")
            pauses: list[float] = []

            def paused(seconds: float) -> None:
                pauses.append(seconds)
                if len(pauses) == 2:
                    reader.execute("ROLLBACK")

            monkeypatch.setattr(archiving, "sleep", paused)
            monkeypatch.setenv("OBOLE_ARCHIVE", str(tmp_path))
            _leave(owner, tmp_path)
            assert pauses == [0.2, 0.2]
            assert [one.file for one, _ in kept(owner, BOOK)] == ["fr_1-128.parquet"]
            assert len(log.follow(0, 999)) == SIZE + 1

    def test_is_refused_where_there_is_no_gap(
        self, database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        open_small(database.owner_url, BITS)
        pauses: list[float] = []
        monkeypatch.setattr(archiving, "sleep", pauses.append)
        monkeypatch.setattr(archiving, "TRIES", 3)
        with (
            opened(database.app_url) as log,
            connect(database.owner_url) as owner,
            connect(database.app_url) as reader,
        ):
            log.submit([noting("a:1")] * (SIZE + 1))
            reader.execute("BEGIN")
            reader.execute("SELECT 1 FROM facts")
            told = (
                r"^fr: fr_1-128\.parquet is written, but somebody reads the table; try again later$"
            )
            with pytest.raises(ArchiveRefused, match=told):
                _leave(owner, tmp_path)
            assert len(pauses) == 2
            assert kept(owner, BOOK) == []


def _leave(owner: Connection, folder: Path) -> None:
    with alone(owner, BOOK):
        (part,) = full_parts(owner, BOOK)
        archive(owner, BOOK, part, folder, lambda _, __: None)


class TestTheFolder:
    """Where a process looks, and with what."""

    @pytest.mark.parametrize("named", [None, ""])
    def test_has_to_be_told(self, monkeypatch: pytest.MonkeyPatch, named: str | None) -> None:
        monkeypatch.delenv("OBOLE_ARCHIVE", raising=False)
        if named is not None:
            monkeypatch.setenv("OBOLE_ARCHIVE", named)
        told = "^old facts are in files, and OBOLE_ARCHIVE does not say where$"
        with pytest.raises(ArchiveMissing, match=told):
            files.folder()

    def test_has_to_be_there(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("OBOLE_ARCHIVE", str(tmp_path / "no"))
        with pytest.raises(
            ArchiveMissing, match=r"^OBOLE_ARCHIVE is .*/no, where there is no fold"
        ):
            files.folder()
        (tmp_path / "no").mkdir()
        assert files.folder() == tmp_path / "no"

    @pytest.mark.parametrize("missing", ["pyarrow", "pyarrow.parquet"])
    def test_is_read_with_an_extra(self, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
        monkeypatch.setitem(sys.modules, missing, None)
        told = "^archives need pyarrow: install obole with its extra `archive`$"
        with pytest.raises(ArchiveMissing, match=told):
            files.parquet()


def _open() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


CONTENT = bytes(range(41))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.one_of(st.none(), st.integers(-1, 60)), st.just(0)),
        st.tuples(st.just("seek"), st.integers(0, 60), st.sampled_from([SEEK_SET, SEEK_CUR])),
        st.tuples(st.just("seek"), st.integers(-41, 9), st.just(SEEK_END)),
    ),
    max_size=12,
)


class TestAnyPiece:
    """A file whose chunks are compared is read as any other is."""

    @pytest.fixture(autouse=True)
    def of_eight_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let a chunk be eight bytes."""
        for module in (files, archiving):
            monkeypatch.setattr(module, "CHUNK_BYTES", 8)

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """Give a file of six chunks, the last of them short."""
        path = tmp_path / "file"
        path.write_bytes(CONTENT)
        return path

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=STEPS)
    @example(steps=[("seek", 60, SEEK_SET), ("read", None, 0), ("read", 3, 0)])
    def test_is_read_as_any_other_file(
        self, path: Path, steps: list[tuple[str, int | None, int]]
    ) -> None:
        plain = BytesIO(CONTENT)
        with Checked(path, len(CONTENT), measured(path).chunks) as checked:
            assert checked.readable()
            assert checked.seekable()
            for step, size, whence in steps:
                if step == "read":
                    assert checked.read(size) == plain.read(size)
                else:
                    assert checked.seek(size or 0, whence) == plain.seek(size or 0, whence)
                assert checked.tell() == plain.tell()

    def test_ends_where_it_is_known_to_end(self, path: Path) -> None:
        sums = measured(path).chunks
        path.write_bytes(CONTENT + b"more")
        with Checked(path, len(CONTENT), sums) as checked:
            assert checked.read() == CONTENT
            assert checked.read(1) == b""

    @pytest.mark.parametrize("at", [0, 7, 8, 39, 40])
    def test_is_not_given_out_where_a_byte_was_changed(self, path: Path, at: int) -> None:
        sums = measured(path).chunks
        _flip(path, at)
        with Checked(path, len(CONTENT), sums) as checked:
            for number in range(6):
                checked.seek(8 * number)
                if number == at // 8:
                    with pytest.raises(ArchiveUnreadable, match=rf"written, in chunk {number}$"):
                        checked.read(1)
                else:
                    assert checked.read(1) == CONTENT[8 * number : 8 * number + 1]

    def test_cannot_be_written(self, path: Path) -> None:
        with Checked(path, 41, b"") as checked, pytest.raises(UnsupportedOperation, match="write"):
            checked.write(b"x")

    def test_is_let_go(self, path: Path) -> None:
        before = _open()
        with Checked(path, 41, b"") as checked:
            assert _open() == before + 1
        assert checked.closed
        assert _open() == before

    def test_is_measured_chunk_by_chunk(self, path: Path) -> None:
        found = measured(path)
        assert (found.size, found.sha256) == (41, sha256(CONTENT).hexdigest())
        assert found.chunks == b"".join(
            sha256(CONTENT[at : at + 8]).digest() for at in range(0, 41, 8)
        )


def test_sums_are_asked_for_once(tmp_path: Path) -> None:
    one = Archive(1, 2, "a.parquet", 3, f"sum of {tmp_path}", b"")
    other = one._replace(file="b.parquet", sha256=f"other of {tmp_path}")
    assert files.unknown([one, other]) == ["a.parquet", "b.parquet"]
    files.know([one, other], {"b.parquet": b"x"})
    assert files.unknown([one, other]) == ["a.parquet"]
    files.know([one], {"a.parquet": b"y"})
    assert files.unknown([one, other]) == []
