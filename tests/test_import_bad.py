"""What `obole import` is given and cannot take: told by line and reason, in memory that is flat."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import ROOT
from tests.support.database import TestDatabase
from tests.support.importing import Importing, message, ndjson, receipt


@pytest.fixture
def importing(database: TestDatabase, tmp_path: Path) -> Importing:
    return Importing(database, tmp_path)


class TestBadLine:
    """One line that is wrong, the others taken."""

    BAD = (
        (b"{", "no JSON"),
        (b"[]", "the line: must be an object, in { }, but is a list"),
        (b'{"kind":"mo"}', "gateway: is missing"),
        (b'{"kind":"nothing"}', "kind: must be one of mo, receipt, exchange, turn, "),
        (ndjson([message(9, short_code=81014)]).strip(), "short_code: must be text in"),
        (ndjson([message(9, sent_at=1_754_000_000)]).strip(), "sent_at: must be an instant"),
        (ndjson([message(9, sent_at="2026-08-03T08:00:00")]).strip(), "sent_at: must be"),
        (ndjson([message(9, more="x")]).strip(), "more: is no field that belongs here"),
        (ndjson([message(9)]).strip().replace(b"{", b'{"id":"a",', 1), "id: stands there twice"),
        (b'{"kind":"mo","text":' + b"[" * 50_000, "text: must be text in quotes"),
        (ndjson([message(9, text="\xe9")]).decode("unicode_escape").encode("latin-1").strip(),
         "not UTF-8"),
        (ndjson([message(9)]).strip().replace(b"JEU", b"J\x00U"), "no JSON"),
        (b'{"kind":"mo","text":"' + b"x" * 70_000, "longer than 65,536 bytes"),
        (ndjson([message(9, sent_at="2999-01-01T00:00:00Z")]).strip(),
         "sent_at: this lies in the future"),
        (ndjson([message(9, kind="exchange", sent_at="9999-12-31T23:59:59Z")]).strip(),
         "sent_at: this lies in the future"),
        (b'{"kind":"turn","at":"2999-01-01T00:00:00Z"}', "at: this lies in the future"),
        (b'{"kind":"turn","at":"0001-01-01T00:00:00Z"}', "at: this lies before 1970"),
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
        told = "1 recorded, 0 already there, 2 brought nothing about, 0 rejected"
        assert told in importing.obole("import", str(path)).out

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
