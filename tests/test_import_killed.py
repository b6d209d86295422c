"""An import that was killed goes on where it was, and nothing is taken twice."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from api.importing.bytes import Splitter
from api.importing.places import Counts, Places, Saved, source_name
from ledger.log.session import connect_async
from tests.support.cli import ROOT
from tests.support.database import TestDatabase
from tests.support.importing import Importing, ndjson, receipt


@pytest.fixture
def importing(database: TestDatabase, tmp_path: Path) -> Importing:
    return Importing(database, tmp_path)


class TestKilled:
    """One that was killed in its middle, and started again."""

    LINES = 3_000

    def test_goes_on_and_takes_nothing_twice(self, importing: Importing) -> None:
        path = importing.file(ndjson([receipt(n) for n in range(self.LINES)]))
        reader = kill_in_its_middle(importing, path)
        os.close(reader)
        begun = importing.count("delivery_orphaned.v1")
        saved = importing.saved()
        assert all(lines <= begun for lines, _ in saved)
        told = importing.obole("import", str(path), "--json").json
        assert told["recorded"] + told["repeated"] == self.LINES
        assert importing.count("delivery_orphaned.v1") == self.LINES
        assert len({one for _, one in importing.told()}) == len(importing.told())
        assert importing.saved() == []

    def test_with_a_place_kept_reads_only_what_is_left(self, importing: Importing) -> None:
        path = importing.file(ndjson([receipt(n) for n in range(20)]))
        importing.obole("import", str(path))
        place(importing, path, lines=12)
        told = importing.obole("import", str(path), "--json").json
        assert (told["went_on_after"], told["recorded"], told["repeated"]) == (12, 12, 8)

    def test_and_changed_before_the_place_is_read_from_its_start(
        self, importing: Importing
    ) -> None:
        path = importing.file(ndjson([receipt(n) for n in range(1_000)]))
        importing.obole("import", str(path))
        place(importing, path, lines=900)
        raw = path.read_bytes().splitlines(keepends=True)
        raw[800] = ndjson([receipt(5_000)])
        path.write_bytes(b"".join(raw))
        told = importing.obole("import", str(path), "--json").json
        assert (told["went_on_after"], told["recorded"], told["repeated"]) == (0, 1, 999)

    def test_may_be_read_from_its_start_if_one_likes(self, importing: Importing) -> None:
        path = importing.file(ndjson([receipt(n) for n in range(20)]))
        importing.obole("import", str(path))
        place(importing, path, lines=12)
        told = importing.obole("import", str(path), "--from-start", "--json").json
        assert (told["went_on_after"], told["repeated"]) == (0, 20)

    def test_keeps_the_reasons_of_before_and_no_others(self, importing: Importing) -> None:
        path = importing.file(b"{\n" + ndjson([receipt(n) for n in range(20)]) + b"{\n")
        importing.obole("import", str(path))
        assert list(importing.rejected(path)) == [1, 22]
        place(importing, path, lines=12)
        importing.obole("import", str(path))
        assert list(importing.rejected(path)) == [1, 22]


def kill_in_its_middle(importing: Importing, path: Path) -> int:
    """Start an import and kill it once some lines are in the book; gives a pipe's end to close."""
    reader, writer = os.pipe()
    environ = dict(importing.obole.environ)
    started = subprocess.Popen(
        [sys.executable, "-m", "api.cli.main", "import", str(path)],
        stdout=writer, stderr=subprocess.DEVNULL, cwd=ROOT, env=environ,
    )  # fmt: skip
    os.close(writer)
    while importing.count("delivery_orphaned.v1") == 0:
        ended, _, _ = select.select([reader], [], [], 0.02)
        assert not ended or started.poll() is None, "it was over before it could be killed"
    started.send_signal(signal.SIGKILL)
    started.wait(30)
    return reader


def place(importing: Importing, path: Path, lines: int) -> None:
    """Keep a place as a run would have that was killed after so many lines."""
    raw = path.read_bytes()
    splitter = Splitter()
    splitter.feed(b"".join(raw.splitlines(keepends=True)[:lines]))
    begun = splitter.place
    assert begun is not None

    async def save() -> None:
        async with await connect_async(importing.database.app_url) as connection:
            places = Places(connection, "fr")
            await places.save(source_name(raw), Saved(begun, Counts(lines, 0, 0)))

    asyncio.run(save())
