"""`obole import`: a file of any kind, taken in line by line, told clearly, and never twice."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.importing.bytes import Splitter
from api.importing.places import Counts, Places, Saved, source_name
from ledger.log.session import connect_async
from tests.support.cli import ROOT
from tests.support.database import TestDatabase
from tests.support.importing import Importing, at, message, ndjson, receipt


@pytest.fixture
def importing(database: TestDatabase, tmp_path: Path) -> Importing:
    return Importing(database, tmp_path)


class TestImport:
    """A file as it should be."""

    def test_takes_each_line_as_if_it_had_come_by_itself(self, importing: Importing) -> None:
        path = importing.file(ndjson([message(1), receipt(1), message(2)]))
        done = importing.obole("import", str(path))
        assert (done.status, done.err) == (0, "")
        assert "3 recorded, 0 already there, 0 rejected" in done.out
        assert [kind for kind, _ in importing.told()].count("charge_captured.v1") == 1

    def test_again_adds_nothing_and_says_so(self, importing: Importing) -> None:
        path = importing.file(ndjson([message(1), receipt(1)]))
        importing.obole("import", str(path))
        before = importing.told()
        done = importing.obole("import", str(path))
        assert "0 recorded, 2 already there, 0 rejected" in done.out
        assert importing.told() == before

    def test_may_be_packed(self, importing: Importing) -> None:
        path = importing.file(ndjson([message(1)]), "lines.ndjson.gz")
        assert "1 recorded" in importing.obole("import", str(path)).out

    def test_may_come_by_a_pipe(self, importing: Importing) -> None:
        done = piped(importing, ndjson([message(1), message(2)]))
        assert done.returncode == 0
        assert "2 recorded" in done.stdout

    def test_is_told_to_programs(self, importing: Importing) -> None:
        path = importing.file(ndjson([message(1), message(1, text="VOTE 1"), {"kind": "x"}]))
        told = importing.obole("import", str(path), "--json").json
        assert (told["recorded"], told["rejected"], told["lines"]) == (1, 2, 3)
        assert sum(told["reasons"].values()) == 2

    def test_in_any_chunks_gives_the_same_facts(
        self, importing: Importing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines = [message(n, sender=f"33000{n % 7}") for n in range(40)]
        lines += [receipt(n) for n in range(0, 40, 3)]
        lines += [message(41, sender="330000", text="STOP"), message(42, sender="330000")]
        path = importing.file(ndjson(lines))
        monkeypatch.setattr("api.cli.importing.CHUNK_BYTES", 100)
        importing.obole("import", str(path))
        small = importing.told()
        whole = importing.obole("import", str(path), "--json").json
        assert (whole["recorded"], whole["repeated"]) == (0, len(lines))
        assert importing.told() == small

    def test_lets_time_pass_where_the_file_says_so(self, importing: Importing) -> None:
        lines = [message(1), {"kind": "turn", "at": at(80 * 3600)}]
        done = importing.obole("import", str(importing.file(ndjson(lines))), "--json")
        assert done.json["recorded"] == 2
        assert importing.count("charge_unresolved.v1") == 1

    def test_keeps_the_order_of_the_file(self, importing: Importing) -> None:
        lines = [
            message(1, sender="33000"),
            message(2, sender="33000", text="STOP"),
            message(3, sender="33000"),
        ]
        importing.obole("import", str(importing.file(ndjson(lines))))
        kinds = [kind for kind, _ in importing.told()]
        places = [kinds.index("opted_out.v1"), kinds.index("opt_out_lifted.v1")]
        assert kinds.index("charge_authorized.v1") < places[0] < places[1]


class TestProcesses:
    """Several that share one file."""

    def test_give_the_facts_of_one(
        self, importing: Importing, durable_database: TestDatabase, tmp_path: Path
    ) -> None:
        (tmp_path / "other").mkdir()
        one = Importing(durable_database, tmp_path / "other")
        raw = ndjson(mixed(400))
        several = importing.obole.run("import", str(importing.file(raw)), "--processes", "2")
        alone = one.obole.run("import", str(one.file(raw)))
        assert (several.status, alone.status) == (1, 1)
        assert several.out.splitlines()[0] == alone.out.splitlines()[0]
        assert comparable(importing.told()) == comparable(one.told())

    def test_keep_the_order_of_each_consumer(self, importing: Importing) -> None:
        path = importing.file(ndjson(mixed(400)))
        importing.obole.run("import", str(path), "--processes", "3")
        before = importing.told()
        done = importing.obole.run("import", str(path))
        assert ("0 recorded" in done.out, importing.told()) == (True, before)


def comparable(told: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out the ids that name a consumer, for each book names them by a key of its own."""
    return sorted((kind, "" if kind.startswith("notice") else one) for kind, one in told)


def mixed(count: int) -> list[dict[str, Any]]:
    """Write messages of few consumers, STOPs and receipts among them, and a line that is none."""
    lines = [{"kind": "nothing"}]
    for n in range(count):
        word = "STOP" if n % 11 == 0 else "JEU"
        lines.append(message(n, sender=f"33000{n % 13}", text=word))
        if n % 2:
            lines.append(receipt(n - n % 3, outcome="delivered" if n % 5 else "failed"))
        if n % 50 == 0:
            lines.append(receipt(100_000 + n))
    return lines


class TestBadLine:
    """One line that is wrong, the others taken."""

    BAD = (
        (b"{", "no JSON"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"kind":"mo"}', "missing required field `gateway`"),
        (b'{"kind":"nothing"}', "Invalid value 'nothing' - at `$.kind`"),
        (ndjson([message(9, short_code=81014)]).strip(), "got `int` - at `$.short_code`"),
        (ndjson([message(9, sent_at=1_754_000_000)]).strip(), "at `$.sent_at`"),
        (ndjson([message(9, sent_at="2026-08-03T08:00:00")]).strip(), "timezone"),
        (ndjson([message(9, more="x")]).strip(), "unknown field `more`"),
        (ndjson([message(9)]).strip().replace(b"{", b'{"id":"a",', 1), "the field id stands"),
        (b'{"kind":"mo","text":' + b"[" * 50_000, "Expected `str`, got `array`"),
        (ndjson([message(9, text="\xe9")]).decode("unicode_escape").encode("latin-1").strip(),
         "not UTF-8"),
        (ndjson([message(9)]).strip().replace(b"JEU", b"J\x00U"), "no JSON"),
        (b'{"kind":"mo","text":"' + b"x" * 70_000, "longer than 65,536 bytes"),
        (ndjson([message(9, gateway="nobody")]).strip(), "No such gateway is declared"),
        (ndjson([message(9, smsc="nobody")]).strip(), "The gateway has no such link"),
    )  # fmt: skip

    def test_among_ten_thousand_is_refused_with_its_number_and_reason(
        self, importing: Importing
    ) -> None:
        good = [ndjson([receipt(n)]) for n in range(10_000)]
        good[6_789:6_789] = [b"{broken\n"]
        path = importing.file(b"".join(good))
        told = importing.obole("import", str(path), "--json").json
        assert (told["recorded"], told["rejected"]) == (10_000, 1)
        assert list(importing.rejected(path)) == [6_790]

    def test_of_each_kind_is_told_by_its_field(self, importing: Importing) -> None:
        raw = b"\n".join([*(bad for bad, _ in self.BAD), ndjson([message(1)])])
        path = importing.file(raw)
        done = importing.obole("import", str(path))
        assert done.status == 1
        assert f"1 recorded, 0 already there, {len(self.BAD)} rejected" in done.out
        reasons = importing.rejected(path)
        assert list(reasons) == list(range(1, len(self.BAD) + 1))
        for (_, wanted), reason in zip(self.BAD, reasons.values(), strict=True):
            assert wanted in reason

    def test_is_summed_up_by_its_reason(self, importing: Importing) -> None:
        path = importing.file(b"{\n{\n[]\n")
        out = importing.obole("import", str(path)).out
        rows = [line.split() for line in out.splitlines()]
        assert [row[-1] for row in rows if row[:2] == ["this", "is"]] == ["2"]

    def test_tells_nothing_of_what_stood_in_it(self, importing: Importing) -> None:
        path = importing.file(ndjson([{"kind": "mo", "33612345678": "x"}]))
        done = importing.obole("import", str(path))
        written = done.out + done.err + str(importing.rejected(path))
        assert "33612345678" not in written

    def test_in_conflict_is_kept_and_told(self, importing: Importing) -> None:
        path = importing.file(ndjson([message(1), message(1, text="VOTE 1")]))
        assert importing.obole("import", str(path)).status == 1
        assert list(importing.rejected(path)) == [2]
        assert importing.count("conflicting_duplicate_received.v1") == 1

    def test_that_was_mended_leaves_nothing_beside_the_file(self, importing: Importing) -> None:
        path = importing.file(b"{\n")
        importing.obole("import", str(path))
        path.write_bytes(ndjson([message(1)]))
        assert importing.obole("import", str(path)).status == 0
        assert importing.rejected(path) == {}


class TestBadFile:
    """A file that is something else."""

    def test_that_is_not_there(self, importing: Importing) -> None:
        done = importing.obole("import", str(importing.folder / "none"))
        assert (done.status, "there is no file" in done.err) == (1, True)

    def test_that_is_a_folder(self, importing: Importing) -> None:
        done = importing.obole("import", str(importing.folder))
        assert (done.status, "is a folder" in done.err) == (1, True)

    def test_that_is_empty(self, importing: Importing) -> None:
        done = importing.obole("import", str(importing.file(b"")))
        assert (done.status, "there is nothing in it" in done.out) == (0, True)

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_in_another_encoding(self, importing: Importing, encoding: str) -> None:
        path = importing.file(ndjson([message(1)]).decode().encode(encoding))
        done = importing.obole("import", str(path))
        assert done.status == 1
        assert "UTF-16 or UTF-32" in done.err
        assert importing.told() == []

    def test_with_a_byte_order_mark_is_fine(self, importing: Importing) -> None:
        path = importing.file(b"\xef\xbb\xbf" + ndjson([message(1)]))
        assert importing.obole("import", str(path)).status == 0

    def test_with_carriage_returns_and_empty_lines_is_fine(self, importing: Importing) -> None:
        path = importing.file(b"\r\n \n" + ndjson([message(1)]).replace(b"\n", b"\r\n"))
        assert "1 recorded, 0 already there, 0 rejected" in importing.obole("import", str(path)).out

    def test_that_is_cut_off_keeps_what_is_whole(self, importing: Importing) -> None:
        path = importing.file(ndjson([message(1), message(2)])[:-20])
        done = importing.obole("import", str(path))
        assert "1 recorded, 0 already there, 1 rejected" in done.out
        assert "truncated" in importing.rejected(path)[2]

    def test_that_is_packed_and_cut_off_keeps_what_is_whole(self, importing: Importing) -> None:
        path = importing.file(ndjson([message(n) for n in range(50)]), "lines.ndjson.gz")
        path.write_bytes(path.read_bytes()[:-30])
        done = importing.obole("import", str(path))
        assert (done.status, "cut off" in done.err) == (1, True)
        assert importing.count("mo_received.v1") > 0

    def test_that_only_looks_packed(self, importing: Importing) -> None:
        done = importing.obole("import", str(importing.file(b"\x1f\x8b" + b"x" * 100)))
        assert (done.status, "broken" in done.err) == (1, True)

    def test_into_a_book_that_is_not_open(self, importing: Importing) -> None:
        path = importing.file(ndjson([message(1)]))
        done = importing.obole("import", str(path), "--book", "gb")
        assert (done.status, done.out) == (1, "")


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


class TestLarge:
    """Memory does not grow with what is read."""

    def test_memory_stays_flat(self, importing: Importing) -> None:
        assert grown(importing, megabytes=40) < 24 * 1024 * 1024

    def test_memory_grows_where_all_is_held(self) -> None:
        # The control: the same measure sees what holding a file costs.
        held = "import resource; x = b'x' * (64 << 20); "
        held += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        peak = int(subprocess.check_output([sys.executable, "-c", held])) * 1024
        assert peak > 64 << 20

    @pytest.mark.skipif("OBOLE_LONG" not in os.environ, reason="a file of 2 GB: OBOLE_LONG=1")
    @pytest.mark.timeout(3_600)
    def test_memory_stays_flat_for_two_gigabytes(self, importing: Importing) -> None:
        assert grown(importing, megabytes=2_048) < 24 * 1024 * 1024


def grown(importing: Importing, megabytes: int) -> int:
    """Import so much through a pipe, and then little; gives by how much the peaks differ."""
    long_line = b'{"kind":"mo","text":"' + b"x" * ((1 << 20) - 22) + b"\n"
    small, large = peak(importing, [long_line] * 2), peak(importing, [long_line] * megabytes)
    return large - small


def peak(importing: Importing, chunks: list[bytes]) -> int:
    """Give the most memory that a process held while it imported, in bytes."""
    code = (
        "import resource, sys; sys.argv[1:] = ['import', '-', '--json']\n"
        "from api.cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=importing.obole.environ,
    )
    assert started.stdin is not None
    for chunk in chunks:
        started.stdin.write(chunk)
    out, err = started.communicate(timeout=3_000)
    assert json.loads(out)["rejected"] == len(chunks)
    return int(err.split()[-1]) * 1024


def piped(importing: Importing, content: bytes) -> subprocess.CompletedProcess[str]:
    """Import what comes by a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "api.cli.main", "import", "-"],
        input=content.decode(),
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=importing.obole.environ,
        timeout=60,
    )


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
