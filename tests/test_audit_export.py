"""Exports for an audit: verbatim, whole, checked, and never handed out unrecorded."""

import csv
import io
import json
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from httpx2 import Response

from api.documents import verify as checking
from api.documents.columns import leaf_hash
from ledger.decisions.exported import Export, Recipient, Scope, check, exported
from ledger.decisions.refusals import PeriodRefused
from ledger.facts.access import AuditExported
from ledger.facts.base import Draft
from ledger.facts.book import RulesAdopted
from ledger.facts.charges import ChargeCaptured
from ledger.facts.registry import REGISTRY, Origin
from ledger.facts.traffic import MoReceived
from ledger.log.postgres import PostgresLog
from ledger.log.rows import StoredRow
from ledger.log.session import connect
from ledger.words import local_day
from tests.support.api import BOOK, OTHER_BOOK, Api, serving
from tests.support.cli import Obole, Sms, obole_at
from tests.support.database import TestDatabase

ZONE = "Europe/Paris"
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
NOBODY = "1_" + "0" * 32


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    return obole_at(database, tmp_path)


def log_of(database: TestDatabase, book: str = "fr") -> list[StoredRow]:
    """Read every row of the log."""
    with connect(database.app_url) as connection:
        return PostgresLog(connection, book).follow(0, 10_000)


def days(rows: list[StoredRow]) -> tuple[str, str]:
    """Give the local days on which rows were recorded, the first and the last."""
    return tuple(str(local_day(row.recorded_at, ZONE)) for row in (rows[0], rows[-1]))


def whole(api: Api, **narrower: object) -> dict[str, Any]:
    """Want everything up to now, the moment of the real clock under which rows are recorded."""
    first, last = days(log_of(api.database))
    return {"first_day": first, "last_day": last, **narrower}


def unzipped(answer: Response, folder: Path) -> Path:
    """Lay an answered archive out as a folder."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(folder)
    return folder


def lines(folder: Path) -> list[StoredRow | None]:
    with (folder / "facts.jsonl").open("rb") as opened:
        return [checking.stored(line) for line in opened]


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "facts.csv").open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_bytes())


class TestExport:
    """What an export holds."""

    def test_holds_every_fact_as_it_is_stored(self, api: Api, tmp_path: Path) -> None:
        api.receipt(api.mo("JEU secret"), 1)
        before = log_of(api.database)
        folder = unzipped(api.post("/audit-exports", whole(api), "regulator"), tmp_path)
        assert lines(folder) == before

    def test_cuts_the_stored_bytes_out_as_its_manifest_says(self, api: Api, tmp_path: Path) -> None:
        api.mo()
        rows = log_of(api.database)
        folder = unzipped(api.post("/audit-exports", whole(api), "admin"), tmp_path)
        told = manifest(folder)["notes"]["facts.jsonl"]
        assert '`,"data":`' in told
        for line, row in zip((folder / "facts.jsonl").read_bytes().splitlines(), rows, strict=True):
            head, data = line.split(b',"data":', 1)
            assert data[:-1] == row.data
            # The entry by hand: the parts that the note names, a line feed between.
            one = json.loads(head + b"}")
            text = "\n".join(
                [
                    "obole/v1",
                    one["book"],
                    str(one["position"]),
                    one["recorded_at"],
                    one["type"],
                    " ".join(one["tags"]),
                ]
            )
            entry = text.encode() + b"\n" + data[:-1]
            assert sha256(b"\x00" + entry).hexdigest() == leaf_hash(row)

    def test_has_a_table_of_the_same_facts_without_a_text(self, api: Api, tmp_path: Path) -> None:
        api.receipt(api.mo("JEU secret"), 1)
        folder = unzipped(api.post("/audit-exports", whole(api), "regulator"), tmp_path)
        rows = table(folder)
        assert [row["position"] for row in rows] == [str(row.position) for row in lines(folder)]
        (captured,) = (row for row in rows if row["type"] == "charge_captured.v1")
        ref = api.only(ChargeCaptured).ref
        assert captured["charge"] == ref.charge
        assert captured["mo"] == ref.mo
        assert captured["consumer"] == ref.consumer
        # 3.00 EUR is what the consumer paid, tax included.
        assert (captured["amount"], captured["currency"]) == ("3.00", "EUR")
        assert (captured["merchant"], captured["service"]) == ("ludotel", "quiz")
        assert (captured["short_code"], captured["operator"]) == ("81014", "20801")
        (receipt,) = (row for row in rows if row["type"] == "delivery_received.v1")
        assert receipt["outcome"] == "delivered"

    def test_holds_no_number_no_text_and_no_key(self, api: Api, tmp_path: Path) -> None:
        api.mo("JEU secret", **{"from": "+33612345678"})
        answer = api.post("/audit-exports", whole(api), "regulator")
        folder = unzipped(answer, tmp_path)
        for file in folder.rglob("*"):
            content = file.read_bytes() if file.is_file() else b""
            assert b"secret" not in content.replace(b"secret_sha256", b"")
            assert b"33612345678" not in content

    def test_holds_the_rules_in_force_from_the_log_itself(self, api: Api, tmp_path: Path) -> None:
        adopted = api.only(RulesAdopted)
        folder = unzipped(api.post("/audit-exports", whole(api), "regulator"), tmp_path)
        pack = folder / f"rules/{adopted.pack_sha256}.toml"
        assert sha256(pack.read_bytes()).hexdigest() == adopted.pack_sha256
        settings = folder / f"settings/{adopted.settings_sha256}.json"
        assert json.loads(settings.read_bytes()) == adopted.settings
        (told,) = manifest(folder)["rules"]
        assert (told["adopted_at_position"], told["pack_missing"]) == (2, None)
        assert told["pack_file"] == f"rules/{adopted.pack_sha256}.toml"

    def test_says_where_an_early_book_does_not_hold_its_pack(
        self, api: Api, tmp_path: Path
    ) -> None:
        early = {"pack_sha256": "ab" * 32, "settings_sha256": "cd" * 32, "pack": "fr"}
        api.record([RulesAdopted(**early, settings={}, occurred_at=api.now)])
        folder = unzipped(api.post("/audit-exports", whole(api), "regulator"), tmp_path)
        told = manifest(folder)["rules"][1]
        assert told["pack_file"] is None
        assert "by its hash alone" in told["pack_missing"]
        assert not (folder / f"rules/{'ab' * 32}.toml").exists()

    def test_takes_no_text_for_a_pack_that_has_another_hash(self, api: Api, tmp_path: Path) -> None:
        other = {"pack_sha256": "ab" * 32, "settings_sha256": "cd" * 32, "pack": "fr"}
        fact = RulesAdopted(**other, settings={}, pack_toml="x = 1", occurred_at=api.now)
        api.record([fact])
        folder = unzipped(api.post("/audit-exports", whole(api), "regulator"), tmp_path)
        assert manifest(folder)["rules"][1]["pack_file"] is None

    def test_counts_and_sums_what_it_holds(self, api: Api, tmp_path: Path) -> None:
        api.mo()
        rows = log_of(api.database)
        answer = api.post("/audit-exports", whole(api), "regulator")
        folder = unzipped(answer, tmp_path)
        told = manifest(folder)
        assert told["facts"] == {
            "count": len(rows),
            "by_type": dict(sorted(Counter(row.type for row in rows).items())),
        }
        assert told["complete"]["through_position"] == rows[-1].position
        assert told["book"]["name"] == BOOK
        for name, file in told["files"].items():
            content = (folder / name).read_bytes()
            assert file == {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
        assert set(told["files"]) | {"manifest.json"} == {
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
        }

    def test_tells_what_is_sealed_and_how_consumers_are_named(
        self, api: Api, tmp_path: Path
    ) -> None:
        folder = unzipped(api.post("/audit-exports", whole(api), "regulator"), tmp_path)
        notes = manifest(folder)["notes"]
        assert "AES-256-GCM" in notes["sealed"]
        assert "ported number" in notes["consumers"]

    def test_is_marked_with_the_position_that_it_is_complete_up_to(self, api: Api) -> None:
        head = log_of(api.database)[-1].position
        answer = api.post("/audit-exports", whole(api), "regulator")
        assert answer.headers["Obole-Position"] == str(head)

    def test_twice_at_one_position_is_the_same_byte_for_byte(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        head = log_of(api.database)[-1].position
        first = api.post("/audit-exports", whole(api), "regulator")
        again = api.post("/audit-exports", whole(api, through_position=head), "regulator")
        later = api.post("/audit-exports", whole(api), "regulator")
        assert first.content == again.content
        assert first.content != later.content  # The first export is itself a fact by then.


class TestPeriod:
    """Local days by the time of recording, both included."""

    def test_takes_what_was_recorded_between_two_midnights(
        self, obole: Obole, database: TestDatabase, tmp_path: Path
    ) -> None:
        # Summer in Paris is two hours ahead: its 2 July is from 22:00 UTC on the 1st to 22:00.
        edges = {
            2: datetime(2026, 7, 1, 21, 59, 59, 999_999, tzinfo=UTC),
            3: datetime(2026, 7, 1, 22, tzinfo=UTC),
            5: datetime(2026, 7, 2, 21, 59, 59, 999_999, tzinfo=UTC),
            6: datetime(2026, 7, 2, 22, tzinfo=UTC),
        }
        recorded_on(obole, database, edges)
        out = tmp_path / "day"
        done = obole("audit", "export", "--from", "2026-07-02", "--to", "2026-07-02",
                     "--out", str(out), "--json")  # fmt: skip
        assert done.status == 0, done.err
        assert [row.position for row in lines(out)] == [3, 4, 5]
        told = manifest(out)["complete"]
        assert (told["after_position"], told["through_position"]) == (2, 5)

    def test_that_is_over_is_exported_alike_whatever_came_since(
        self, obole: Obole, database: TestDatabase, tmp_path: Path
    ) -> None:
        edges = {2: NOON, 5: NOON + timedelta(days=1), 6: NOON + timedelta(days=2)}
        recorded_on(obole, database, edges)
        sums = []
        for name in ("one", "two"):
            done = obole("audit", "export", "--from", "2026-07-01", "--to", "2026-07-02",
                         "--out", str(tmp_path / name), "--json")  # fmt: skip
            sums.append(done.json["manifest_sha256"])
        assert sums[0] == sums[1]
        for file in (tmp_path / "one").rglob("*.*"):
            other = tmp_path / "two" / file.relative_to(tmp_path / "one")
            assert file.read_bytes() == other.read_bytes()

    def test_takes_the_rules_adopted_before_it(
        self, obole: Obole, database: TestDatabase, tmp_path: Path
    ) -> None:
        edges = {2: NOON, 3: NOON + timedelta(days=3), 6: NOON + timedelta(days=4)}
        recorded_on(obole, database, edges)
        out = tmp_path / "day"
        obole("audit", "export", "--from", "2026-07-04", "--to", "2026-07-04", "--out", str(out))
        assert [one["adopted_at_position"] for one in manifest(out)["rules"]] == [2]


def recorded_on(obole: Obole, database: TestDatabase, edges: dict[int, datetime]) -> None:
    """Open the book, and let six first facts have been recorded at chosen times.

    `edges` gives when each position and those after it were recorded.
    """
    obole.trade(database)
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE facts DISABLE TRIGGER ALL")
        owner.execute("ALTER TABLE facts_fr_0 DISABLE TRIGGER ALL")
        owner.execute("ALTER TABLE heads DISABLE TRIGGER ALL")
        owner.execute("DELETE FROM facts WHERE position > 6")
        owner.execute("UPDATE facts SET recorded_at = '2026-06-30 12:00:00+00'")
        for position, at in sorted(edges.items()):
            owner.execute("UPDATE facts SET recorded_at = %s WHERE position >= %s", (at, position))
        owner.execute("UPDATE heads SET position = 6, recorded_at = %s", (max(edges.values()),))
        owner.execute("ALTER TABLE facts ENABLE ALWAYS TRIGGER facts_take_the_head_along")
        owner.execute("ALTER TABLE facts_fr_0 ENABLE ALWAYS TRIGGER facts_take_the_head_along")


class TestScope:
    """One code, or one consumer."""

    def two_consumers(self, api: Api) -> tuple[str, str]:
        api.receipt(api.mo(**{"from": "+33600000001"}), 1)
        api.receipt(api.mo(id="mo-2", **{"from": "+33600000002"}), 1)
        api.mo("LOGO", id="mo-3", to="72100", **{"from": "+33600000001"})
        one, two, _ = (found.fact.consumer for found in api.facts(MoReceived))
        return one, two

    def test_of_a_consumer_holds_all_of_theirs_and_nothing_of_another(
        self, api: Api, tmp_path: Path
    ) -> None:
        one, two = self.two_consumers(api)
        wish = whole(api, consumer=one)
        folder = unzipped(api.post("/audit-exports", wish, "regulator"), tmp_path)
        mine = [row for row in log_of(api.database) if f"consumer:{one}" in row.tags]
        # All but the last, the fact of this very export.
        assert lines(folder) == mine[:-1]
        # Received, matched, authorized, answered, delivered, captured; and this export.
        assert len(mine) == 7
        for file in folder.rglob("*.*"):
            assert two not in file.read_text()
        assert "proofs of completeness" in manifest(folder)["notes"]["scope"]

    def test_of_a_code_holds_what_names_it(self, api: Api, tmp_path: Path) -> None:
        self.two_consumers(api)
        wish = whole(api, short_code="72100")
        rows = log_of(api.database)
        folder = unzipped(api.post("/audit-exports", wish, "regulator"), tmp_path)
        assert lines(folder) == [row for row in rows if "code:72100" in row.tags]

    def test_of_both_holds_what_names_both(self, api: Api, tmp_path: Path) -> None:
        one, _ = self.two_consumers(api)
        wish = whole(api, short_code="81014", consumer=one)
        folder = unzipped(api.post("/audit-exports", wish, "regulator"), tmp_path)
        found = lines(folder)
        assert found
        assert all({"code:81014", f"consumer:{one}"} <= set(row.tags) for row in found)

    def test_stands_on_the_fact_of_the_export(self, api: Api) -> None:
        one, _ = self.two_consumers(api)
        api.post("/audit-exports", whole(api, consumer=one), "regulator")
        assert log_of(api.database)[-1].tags == (f"consumer:{one}",)


class TestRecorded:
    """That it was handed out is a fact, before it is."""

    def test_names_who_was_given_what(self, api: Api, tmp_path: Path) -> None:
        answer = api.post("/audit-exports", whole(api), "regulator")
        folder = unzipped(answer, tmp_path)
        (found,) = api.facts(AuditExported)
        fact = found.fact
        assert fact.key == api.keys["regulator"].split("_")[1]
        assert found.actor == f"key:{fact.key}"
        assert fact.facts == manifest(folder)["facts"]["count"]
        assert fact.manifest_sha256 == sha256((folder / "manifest.json").read_bytes()).hexdigest()
        assert answer.headers["Obole-Manifest-SHA256"] == fact.manifest_sha256
        assert answer.headers["Obole-Export"] == fact.export

    def test_each_time_anew(self, api: Api) -> None:
        for _ in range(2):
            api.post("/audit-exports", whole(api, through_position=3), "regulator")
        one, two = api.facts(AuditExported)
        assert one.fact.export != two.fact.export
        assert one.fact.manifest_sha256 == two.fact.manifest_sha256

    def test_is_decided_alike_for_the_same_request(self) -> None:
        scope = Scope(NOON.date(), NOON.date())
        export, to = Export(scope, 3, 9, "ab" * 32), Recipient(None, "r-1")
        once, again = (exported("fr", export, to, NOON) for _ in range(2))
        assert once == again
        other = exported("fr", export, to._replace(request="r-2"), NOON)
        assert other[0].fact.subject != once[0].fact.subject

    def test_leaves_no_files_where_it_cannot_be_recorded(
        self, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        answer = api.post("/audit-exports", whole(api, consumer=NOBODY), "regulator")
        assert answer.status_code == 404
        assert list(tmp_path.iterdir()) == []

    def test_leaves_no_files_behind_once_it_was_sent(
        self, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        assert api.post("/audit-exports", whole(api), "regulator").status_code == 200
        assert list(tmp_path.iterdir()) == []


class TestRefused:
    """What cannot be exported, and nothing recorded of it."""

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"first_day": "2026-13-01"}, "first_day"),
            ({"last_day": "x"}, "last_day"),
            ({"short_code": "12"}, "short_code"),
            ({"consumer": "33612345678"}, "consumer"),
            ({"through_position": 0}, "through_position"),
            ({"through_position": "3"}, "through_position"),
            ({"first_day": None}, "first_day"),
            ({"first_day": 0}, "first_day"),
            ({"first_day": "1784073600"}, "first_day"),
            ({"other": 1}, "other"),
        ],
    )
    def test_names_the_field_that_is_wrong(
        self, api: Api, changed: dict[str, object], field: str
    ) -> None:
        answer = api.post("/audit-exports", whole(api) | changed, "regulator")
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [field]

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"first_day": "2026-07-02", "last_day": "2026-07-01"}, "first_day"),
            ({"first_day": "2001-01-01", "last_day": "2001-12-31"}, "last_day"),
            ({"first_day": "2999-01-01", "last_day": "2999-12-31"}, "first_day"),
            ({"through_position": 10_000}, "through_position"),
        ],
    )
    def test_names_the_end_that_can_hold_no_fact(
        self, api: Api, changed: dict[str, object], field: str
    ) -> None:
        answer = api.post("/audit-exports", whole(api) | changed, "regulator")
        assert (answer.status_code, answer.json()["field"]) == (422, field)
        assert answer.json()["type"] == "/problems/period-refused"
        assert api.facts(AuditExported) == []

    def test_of_an_unknown_code_or_consumer_is_not_found(self, api: Api) -> None:
        for scope in ({"short_code": "89999"}, {"consumer": NOBODY}):
            answer = api.post("/audit-exports", whole(api, **scope), "admin")
            assert answer.status_code == 404
        assert api.facts(AuditExported) == []

    @pytest.mark.parametrize("role", ["merchant", "finance", "gateway"])
    def test_for_whom_it_is_not(self, api: Api, role: str) -> None:
        assert api.post("/audit-exports", whole(api), role).status_code == 403
        assert api.facts(AuditExported) == []

    def test_of_another_book(self, api: Api) -> None:
        path = f"/v1/books/{OTHER_BOOK}/audit-exports"
        assert api.post(path, whole(api), "regulator").status_code == 404

    def test_a_period_that_is_today_is_not(self) -> None:
        today = NOON.date()
        check(Scope(today, today), today, today)
        with pytest.raises(PeriodRefused):
            check(Scope(today + timedelta(days=1), today + timedelta(days=1)), today, today)


class TestCommand:
    """`obole audit export` and `obole audit verify`."""

    def export(self, obole: Obole, database: TestDatabase, out: Path, *more: str) -> Any:  # noqa: ANN401 - as `Obole`
        first, last = days(log_of(database))
        return obole(*("audit", "export", "--from", first, "--to", last, "--out", str(out), *more))

    def test_makes_a_folder_that_is_whole(
        self, obole: Obole, database: TestDatabase, tmp_path: Path
    ) -> None:
        obole.trade(database, Sms("one", NOON, delivered=True))
        before = log_of(database)
        done = self.export(obole, database, tmp_path / "out", "--json")
        assert done.json["facts"] == len(before)
        assert lines(tmp_path / "out") == before
        checked = obole("audit", "verify", str(tmp_path / "out"), "--json").json
        assert checked["problems"] == []
        assert checked["facts"] == len(before)
        assert checked["manifest_sha256"] == done.json["manifest_sha256"]

    def test_records_it_as_whoever_runs_the_ledger(
        self, obole: Obole, database: TestDatabase, tmp_path: Path
    ) -> None:
        obole.trade(database)
        done = self.export(obole, database, tmp_path / "out", "--json")
        recorded = REGISTRY.decode(log_of(database)[-1])
        assert isinstance(recorded.fact, AuditExported)
        assert (recorded.actor, recorded.fact.key) == ("cli", None)
        assert recorded.fact.export == done.json["export"]

    def test_tells_a_person_what_was_made(
        self, obole: Obole, database: TestDatabase, tmp_path: Path
    ) -> None:
        obole.trade(database)
        done = self.export(obole, database, tmp_path / "out")
        assert "complete up to position" in done.out
        told = obole("audit", "verify", str(tmp_path / "out"))
        assert told.status == 0
        assert "are whole" in told.out

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            (("--from", "2026-07-02", "--to", "2026-07-01"), "--from"),
            (("--from", "2026-13-01", "--to", "2026-07-01"), "--from"),
            (("--from", "2001-01-01", "--to", "2001-01-02"), "--to"),
            (("--from", "2999-01-01", "--to", "2999-01-02"), "--from"),
            (("--from", "2026-07-01", "--to", "2999-01-01", "--through", "99999"), "--through"),
            (("--from", "2026-07-01", "--to", "2999-01-01", "--short-code", "x"), "--short-code"),
            (("--from", "2026-07-01", "--to", "2999-01-01", "--consumer", "x"), "--consumer"),
        ],
    )
    def test_names_the_option_that_is_wrong_and_writes_nothing(
        self,
        obole: Obole,
        database: TestDatabase,
        tmp_path: Path,
        options: tuple[str, ...],
        named: str,
    ) -> None:
        obole.trade(database)
        before = log_of(database)
        (tmp_path / "place").mkdir()
        done = obole("audit", "export", "--out", str(tmp_path / "place/out"), *options)
        assert done.status == 2
        assert named in done.err
        assert list((tmp_path / "place").iterdir()) == []
        assert log_of(database) == before

    def test_refuses_an_unknown_code_and_writes_nothing(
        self, obole: Obole, database: TestDatabase, tmp_path: Path
    ) -> None:
        obole.trade(database)
        (tmp_path / "place").mkdir()
        out = tmp_path / "place/out"
        done = self.export(obole, database, out, "--short-code", "89999")
        assert done.status == 1
        assert "89999" in done.err
        assert list((tmp_path / "place").iterdir()) == []

    def test_never_overwrites(self, obole: Obole, database: TestDatabase, tmp_path: Path) -> None:
        obole.trade(database)
        (tmp_path / "out").mkdir()
        for out in (tmp_path / "out", tmp_path / "nowhere/out"):
            done = self.export(obole, database, out)
            assert (done.status, "--out" in done.err) == (2, True)

    def test_that_is_broken_off_leaves_nothing(
        self, obole: Obole, database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        obole.trade(database)
        (tmp_path / "place").mkdir()

        def broken(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("api.documents.bundle.Bundle.end_facts", broken)
        done = self.export(obole, database, tmp_path / "place/out")
        assert done.status != 0
        assert list((tmp_path / "place").iterdir()) == []


class TestVerify:
    """An export that somebody has touched."""

    @pytest.fixture
    def out(self, obole: Obole, database: TestDatabase, tmp_path: Path) -> Path:
        obole.trade(database, Sms("one", NOON, delivered=True))
        first, last = days(log_of(database))
        folder = tmp_path / "out"
        obole("audit", "export", "--from", first, "--to", last, "--out", str(folder))
        return folder

    def test_takes_the_zip_as_it_was_handed_out(self, api: Api, tmp_path: Path) -> None:
        answer = api.post("/audit-exports", whole(api), "regulator")
        handed = tmp_path / "export.zip"
        handed.write_bytes(answer.content)
        found = checking.verify(handed)
        assert found.problems == []
        assert found.facts == len(lines(unzipped(answer, tmp_path / "folder")))

    @pytest.mark.parametrize(
        "spoil", [lambda b: b[:-30], lambda b: b"no zip" + b[6:200]], ids=["cut off", "no zip"]
    )
    def test_finds_a_zip_that_is_not_whole(
        self, spoil: Callable[[bytes], bytes], api: Api, tmp_path: Path
    ) -> None:
        answer = api.post("/audit-exports", whole(api), "regulator")
        handed = tmp_path / "export.zip"
        handed.write_bytes(spoil(answer.content))
        assert checking.verify(handed).problems

    def test_finds_a_changed_byte_in_a_zip(self, api: Api, tmp_path: Path) -> None:
        folder = unzipped(api.post("/audit-exports", whole(api), "regulator"), tmp_path / "f")
        spoilt = folder / "facts.jsonl"
        spoilt.write_bytes(spoilt.read_bytes().replace(b"81014", b"81015", 1))
        with zipfile.ZipFile(tmp_path / "again.zip", "w") as archive:
            for file in folder.rglob("*"):
                archive.write(file, file.relative_to(folder))
        assert checking.verify(tmp_path / "again.zip").problems

    def test_of_what_is_no_export_says_so_and_not_that_it_was_changed(
        self, obole: Obole, tmp_path: Path
    ) -> None:
        (tmp_path / "empty").mkdir()
        (tmp_path / "notes.txt").write_text("nothing")
        with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
            archive.writestr("photo.txt", "nothing")
        for name, why in (
            ("none", "there is nothing of that name"),
            ("notes.txt", "it is neither a folder nor a zip"),
            ("empty", "it holds no manifest.json, no facts.jsonl and no facts.csv"),
            ("other.zip", "it holds no manifest.json, no facts.jsonl and no facts.csv"),
        ):
            done = obole("audit", "verify", str(tmp_path / name))
            told = f"obole: {tmp_path / name} is no export: {why}\n"
            assert (done.status, done.out, done.err) == (1, "", told)

    def test_without_its_manifest_is_an_export_that_was_changed(
        self, obole: Obole, out: Path
    ) -> None:
        (out / "manifest.json").unlink()
        done = obole("audit", "verify", str(out))
        assert (done.status, "is not as it was exported" in done.err) == (1, True)

    def resum(self, out: Path) -> None:
        """Make the manifest agree with the files again, as a careful forger would."""
        told = manifest(out)
        for name in told["files"]:
            content = (out / name).read_bytes()
            told["files"][name] = {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
        (out / "manifest.json").write_text(json.dumps(told))

    def test_untouched_is_whole(self, out: Path) -> None:
        assert checking.verify(out).problems == []

    @pytest.mark.parametrize("name", ["facts.jsonl", "facts.csv"])
    def test_with_a_byte_changed_is_not(self, out: Path, name: str) -> None:
        content = bytearray((out / name).read_bytes())
        content[len(content) // 2] ^= 1
        (out / name).write_bytes(content)
        assert any(name in problem for problem in checking.verify(out).problems)

    def test_with_a_fact_changed_names_the_file_and_the_line(self, out: Path) -> None:
        content = (out / "facts.jsonl").read_bytes()
        (out / "facts.jsonl").write_bytes(content.replace(b'"price":3000000', b'"price":3000001'))
        told = checking.verify(out).problems
        assert told[0].startswith("facts.jsonl: has ")
        assert "does not hash as position" in told[1]

    def test_with_a_table_that_is_none_is_not(self, out: Path) -> None:
        (out / "facts.csv").write_bytes(b"\xff\x00\n" + b"x" * 200_000)
        assert len(checking.verify(out).problems) >= 2

    def test_with_a_file_missing_or_added_is_not(self, out: Path) -> None:
        (out / "more.txt").write_text("x")
        (out / "facts.csv").unlink()
        told = checking.verify(out).problems
        assert [problem.split(":")[0] for problem in told] == ["more.txt", "facts.csv"]

    def test_with_a_fact_changed_and_the_sums_mended_is_not(self, out: Path) -> None:
        content = (out / "facts.jsonl").read_bytes()
        (out / "facts.jsonl").write_bytes(content.replace(b'"price":3000000', b'"price":3000001'))
        self.resum(out)
        assert any("does not hash" in problem for problem in checking.verify(out).problems)

    def test_with_a_fact_left_out_and_the_sums_mended_is_not(self, out: Path) -> None:
        content = (out / "facts.jsonl").read_bytes().splitlines(keepends=True)
        (out / "facts.jsonl").write_bytes(b"".join(content[:-1]))
        self.resum(out)
        assert checking.verify(out).problems

    def test_with_two_facts_exchanged_is_not(self, out: Path) -> None:
        for name in ("facts.jsonl", "facts.csv"):
            content = (out / name).read_bytes().splitlines(keepends=True)
            content[-1], content[-2] = content[-2], content[-1]
            (out / name).write_bytes(b"".join(content))
        self.resum(out)
        assert any("is not next" in problem for problem in checking.verify(out).problems)

    def test_counting_otherwise_is_not(self, out: Path) -> None:
        told = manifest(out)
        told["facts"]["count"] += 1
        (out / "manifest.json").write_text(json.dumps(told))
        assert any("counts" in problem for problem in checking.verify(out).problems)

    def test_never_leaves_its_folder(self, out: Path) -> None:
        told = manifest(out)
        told["files"]["../outside"] = {"sha256": "0" * 64, "bytes": 0}
        (out / "manifest.json").write_text(json.dumps(told))
        assert any("no file of an export" in problem for problem in checking.verify(out).problems)

    @pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 1}'])
    def test_without_a_manifest_is_not(self, out: Path, content: str) -> None:
        (out / "manifest.json").write_text(content)
        assert checking.verify(out).problems
        shutil.rmtree(out)
        assert checking.verify(out).problems

    @pytest.mark.parametrize("line", [b"", b"{}\n", b'{"position":1,"data":{}}\n', b"\xff\n"])
    def test_with_a_line_that_is_no_fact_is_not(self, out: Path, line: bytes) -> None:
        with (out / "facts.jsonl").open("ab") as lines:
            lines.write(line or b"x")
        self.resum(out)
        assert any("is not a fact" in problem for problem in checking.verify(out).problems)

    def test_by_command_ends_with_status_1(self, obole: Obole, out: Path) -> None:
        (out / "more.txt").write_text("x")
        done = obole("audit", "verify", str(out))
        assert (done.status, "more.txt" in done.out) == (1, True)


class TestManyPages:
    """More facts than one page."""

    def test_are_all_there_once(self, api: Api, tmp_path: Path) -> None:
        fact = api.only(RulesAdopted)
        desk = api.books.by_name[BOOK].desk

        async def more() -> None:
            drafts = [Draft(fact, n=n) for n in range(1, 2_500)]
            await desk.settle((), lambda _: drafts, Origin(BOOK, "test"))
            await desk.refresh()

        api.portal.call(more)
        folder = unzipped(api.post("/audit-exports", whole(api), "regulator"), tmp_path)
        positions = [row.position for row in lines(folder)]
        assert positions[-1] > 2_500
        assert all(later == earlier + 1 for earlier, later in pairwise(positions))
