"""What the trade knows of facts that left for files: a STOP, a receipt, a repeat, a subscription.

Every story is told with the application served while `obole archive` takes its facts away.
"""

import asyncio
from collections.abc import Generator
from datetime import timedelta
from io import StringIO
from itertools import count
from pathlib import Path

import psycopg
import pytest
from httpx2 import Response

from ledger.commands.pasts import Pasts
from ledger.facts.base import Fact
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured
from ledger.facts.consent import OptedOut
from ledger.facts.subscriptions import SubscriptionStarted, SubscriptionStopped
from ledger.facts.traffic import ConflictingDuplicateReceived, MoReceived
from ledger.log.errors import FactsMissing
from ledger.log.postgres import PostgresLog
from ledger.log.rows import StoredRow
from ledger.log.session import connect, connect_async
from ledger.words import local_day
from projections.shown import Viewer, shown_at, shown_range
from tests.support.api import BOOK, GATEWAY, MERCHANT, ORANGE, Api, serving
from tests.support.cli import Obole, obole_at
from tests.support.database import TestDatabase
from tests.support.importing import Importing, at, message, ndjson, receipt
from tests.support.projected import NAMES
from tests.support.subscribed_api import SubscribedApi, serving_subscriptions

BITS = 6
SIZE = 1 << BITS
MINUTE = timedelta(minutes=1)
WEEK = timedelta(weeks=1)
STRANGER = "+33612349999"
QUESTION = {"gateway": GATEWAY, "smsc": ORANGE, "short_code": "81014", "service": "quiz"}
_numbers = count(1)


@pytest.fixture(autouse=True)
def folder(database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of archives, and the book partitions of 64 positions."""
    found = tmp_path / "old"
    found.mkdir()
    monkeypatch.setenv("OBOLE_ARCHIVE", str(found))
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("INSERT INTO heads (book, partition_bits) VALUES (%s, %s)", (BOOK, BITS))
    return found


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path, folder: Path) -> Obole:
    return obole_at(database, tmp_path, OBOLE_ARCHIVE=str(folder))


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


@pytest.fixture
def subscribed(database: TestDatabase) -> Generator[SubscribedApi]:
    with serving_subscriptions(database) as served:
        yield served


def rows(database: TestDatabase) -> list[StoredRow]:
    with connect(database.app_url) as connection:
        return PostgresLog(connection, BOOK).follow(0, 10_000)


def in_database(database: TestDatabase) -> int:
    """Give the first position that is in the database itself."""
    with psycopg.connect(database.app_url) as connection:
        found = connection.execute("SELECT min(position) FROM facts WHERE book = %s", (BOOK,))
        ((first,),) = found.fetchall()
    return first


def head(api: Api) -> int:
    """Give the last position, without reading any fact."""
    with connect(api.database.app_url) as connection:
        return PostgresLog(connection, BOOK).head()[0]


def fill(api: Api) -> None:
    """Let others write until what was there is in partitions that are full."""
    until = (api.facts()[-1].position // SIZE + 1) * SIZE
    while api.facts()[-1].position <= until:
        if isinstance(api, SubscribedApi):
            api.write("CONTACT", sender=f"3247000{next(_numbers):04}")
        else:
            api.mo("JEU", id=f"other-{next(_numbers)}", **{"from": f"+3361200{next(_numbers):04}"})


def leave(api: Api, obole: Obole, *kinds: type[Fact]) -> None:
    """Archive all that may be, and make sure that the facts of some kinds are not here any more."""
    wanted = [one.position for one in api.facts(*kinds)]
    fill(api)
    api.project()
    done = obole("archive", "--keep", "0", "--yes")
    assert done.status == 0, done.err
    assert wanted, done.out
    assert max(wanted) < in_database(api.database), done.out


def bought(api: Api, **fields: str) -> Response:
    """Let a consumer have bought something, paid a minute ago."""
    answer = api.mo(**fields)
    assert api.receipt(answer, 1).status_code == 200
    api.now += MINUTE
    return answer


def added(api: Api, before: int) -> list[type[Fact]]:
    return [type(one.fact) for one in api.facts() if one.position > before]


class TestStop:
    """A STOP that is in a file."""

    def test_still_forbids_a_solicitation(self, api: Api, obole: Obole) -> None:
        bought(api)
        bought(api, id="mo-2", **{"from": STRANGER})
        api.mo("STOP", id="mo-3")
        leave(api, obole, OptedOut)
        asked = {**QUESTION, "id": "s-1", "sender": "+33612345678"}
        told = api.post("/solicitations", asked).json()
        assert (told["allowed"], told["rule"]) == (False, "opted_out")
        # Control: one who bought in the same range, and did not stop it, may be solicited.
        other = api.post("/solicitations", {**asked, "id": "s-2", "sender": STRANGER}).json()
        assert (other["allowed"], other["rule"]) == (True, None)

    def test_still_silences(self, api: Api, obole: Obole) -> None:
        bought(api)
        api.mo("STOP", id="mo-2")
        leave(api, obole, OptedOut)
        before = head(api)
        answer = api.mo("CONTACT", id="mo-3")
        assert answer.status_code == 200
        assert answer.content == b""
        assert added(api, before) == [MoReceived]

    def test_of_somebody_with_a_long_past_is_known_without_its_file(
        self, api: Api, obole: Obole, folder: Path
    ) -> None:
        desk = api.books.by_name[BOOK].desk
        desk.pasts = Pasts(long=0, kept=0)
        bought(api)
        api.mo("STOP", id="mo-2")
        for _ in range(3):
            api.mo(
                "CONTACT", id="mo-3"
            )  # Repeats record nothing, so that nothing is left to learn.
        leave(api, obole, OptedOut)
        (file,) = folder.glob("*.parquet")
        file.rename(folder / "away")
        before = head(api)
        answer = api.mo("CONTACT", id="mo-4")
        assert (answer.status_code, answer.content) == (200, b"")
        assert head(api) == before + 1
        # Control: another process knows nothing of it yet, and answers nobody of whom it may know.
        desk.pasts = Pasts(long=0, kept=0)
        assert api.mo("CONTACT", id="mo-5").status_code == 503

    def test_still_ends_what_was_subscribed(self, subscribed: SubscribedApi, obole: Obole) -> None:
        api = subscribed
        stopped = api.subscribe("HORO")
        api.write("STOP")
        lasting = api.subscribe("HORO", sender="32470000002")
        leave(api, obole, SubscriptionStarted, SubscriptionStopped)
        api.now += WEEK
        before = head(api)
        refused = api.post(f"/subscriptions/{stopped}/renewals", {"request": "r-1"}, "admin")
        assert (refused.status_code, refused.json()["type"]) == (
            409,
            "/problems/subscription-ended",
        )
        assert ChargeAuthorized not in added(api, before)
        # Control: one that began in the same range, and goes on, is charged.
        renewed = api.post(f"/subscriptions/{lasting}/renewals", {"request": "r-1"}, "admin")
        assert renewed.status_code == 200
        assert ChargeAuthorized in added(api, before)


class TestMessage:
    """A message that is in a file."""

    def test_is_joined_by_its_receipt(self, api: Api, obole: Obole) -> None:
        answer = api.mo()
        (authorized,) = api.facts(ChargeAuthorized)
        leave(api, obole, ChargeAuthorized)
        assert api.receipt(answer, 1).status_code == 200
        (captured,) = api.facts(ChargeCaptured)
        assert captured.fact.subject == authorized.fact.subject
        assert captured.position >= in_database(api.database)
        again = api.facts()[-1].position
        assert api.receipt(answer, 1).status_code == 200
        assert ChargeCaptured not in added(api, again)

    def test_that_comes_again_is_answered_as_the_first_time(self, api: Api, obole: Obole) -> None:
        first = api.mo()
        leave(api, obole, MoReceived)
        before = head(api)
        again = api.mo()
        assert again.content == first.content != b""
        assert again.headers["X-Kannel-DLR-Url"] == first.headers["X-Kannel-DLR-Url"]
        assert added(api, before) == []

    def test_with_other_words_is_a_conflict_still(self, api: Api, obole: Obole) -> None:
        api.mo()
        leave(api, obole, MoReceived)
        before = head(api)
        assert api.mo("JEU other").content == b""
        assert added(api, before) == [ConflictingDuplicateReceived]


class TestDerived:
    """What is worked out from facts in files."""

    @pytest.mark.parametrize("name", NAMES)
    def test_is_rebuilt_as_it_stood(self, name: str, api: Api, obole: Obole) -> None:
        api.receipt(api.mo(), 1)
        api.mo("STOP", id="mo-2")
        leave(api, obole)
        checked = obole("rebuild", name, "--check", "--json")
        assert checked.status == 0, checked.err
        assert checked.json["differences"] == []
        assert checked.json["position"] == api.facts()[-1].position

    def test_is_exported_whole(self, api: Api, obole: Obole, tmp_path: Path) -> None:
        bought(api)
        fill(api)
        stored = rows(api.database)
        first, last = (str(local_day(stored[n].recorded_at, "Europe/Paris")) for n in (0, -1))
        period = ("--from", first, "--to", last, "--through", str(stored[-1].position))
        before, after = tmp_path / "before", tmp_path / "after"
        assert obole("audit", "export", *period, "--out", str(before)).status == 0
        leave(api, obole)
        done = obole("audit", "export", *period, "--out", str(after), "--json")
        assert done.status == 0, done.err
        assert done.json["facts"] == len(stored)
        for name in ("facts.jsonl", "facts.csv"):
            assert (after / name).read_bytes() == (before / name).read_bytes()
        verified = obole("audit", "verify", str(after), "--json")
        assert verified.status == 0, verified.err
        assert (verified.json["facts"], verified.json["problems"]) == (len(stored), [])


class TestUnreadable:
    """A file that is away or damaged stops what rests on it, and nothing else."""

    @pytest.mark.parametrize("path", ["/facts", "/exchanges/{mo}", "/consumers/{consumer}/trail"])
    def test_is_told_as_a_problem_of_its_own_and_logged(
        self,
        path: str,
        api: Api,
        obole: Obole,
        folder: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        api.mo()
        received = api.only(MoReceived)
        leave(api, obole, MoReceived)
        named = path.format(mo=received.subject, consumer=received.consumer)
        (file,) = folder.glob("*.parquet")
        away = file.rename(folder / "away")
        answer = api.get(named, "regulator")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/archive-unreadable")
        assert str(folder) not in answer.text
        logged = [one for one in caplog.records if one.levelname == "ERROR"]
        assert any(file.name in one.getMessage() for one in logged)
        away.rename(file)
        assert api.get(named, "regulator").status_code == 200

    def test_charges_nobody_who_may_have_stopped(
        self, api: Api, obole: Obole, folder: Path
    ) -> None:
        bought(api)
        api.mo("STOP", id="mo-2")
        leave(api, obole, OptedOut)
        (file,) = folder.glob("*.parquet")
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        before = head(api)
        assert api.mo("JEU", id="mo-3").status_code == 503
        assert head(api) == before
        stranger = api.mo("JEU", id="mo-4", **{"from": STRANGER})
        assert stranger.status_code == 200
        assert stranger.content != b""

    def test_ends_an_import_which_goes_on_once_it_is_back(
        self, database: TestDatabase, obole: Obole, folder: Path, tmp_path: Path
    ) -> None:
        importing = Importing(database, tmp_path)
        bought = importing.file(ndjson(message(n) for n in range(SIZE)))
        assert obole("import", str(bought)).status == 0
        assert obole("work", "--once", "--now", at(SIZE)).status == 0
        assert obole("archive", "--keep", "0", "--yes").status == 0
        old, new = receipt(0), message(SIZE + 1)
        path = importing.file(ndjson([message(SIZE), old, new]), "later.ndjson")
        files = [file.rename(file.with_suffix(".away")) for file in folder.glob("*.parquet")]
        done = obole("import", str(path))
        assert (done.status, "cannot be opened" in done.err) == (1, True), done
        assert "Traceback" not in done.err
        assert importing.rejected(path) == {}  # it says nothing of the line
        for file in files:
            file.rename(file.with_suffix(".parquet"))
        assert obole("import", str(path)).status == 0
        assert importing.count("charge_captured.v1") == 1
        assert importing.count("mo_received.v1") == SIZE + 2


class TestCommand:
    """`obole archive` says what has to be known."""

    def test_writes_into_no_other_folder_than_is_read(
        self, api: Api, obole: Obole, tmp_path: Path
    ) -> None:
        fill(api)
        api.project()
        (tmp_path / "elsewhere").mkdir()
        done = obole("archive", "--keep", "0", "--yes", "--to", str(tmp_path / "elsewhere"))
        assert done.status == 2
        assert "OBOLE_ARCHIVE is " in done.err
        assert in_database(api.database) == 1

    def test_says_who_has_to_be_told_of_the_folder(
        self, api: Api, obole: Obole, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(api)
        api.project()
        monkeypatch.setattr("sys.stdin", StringIO())
        untold = Obole({n: v for n, v in obole.environ.items() if n != "OBOLE_ARCHIVE"})
        asked = untold("archive", "--keep", "0", "--to", str(folder))
        # Nobody answers, so nothing is done; and it was said before.
        assert asked.status == 1
        assert f"every process of Obole needs OBOLE_ARCHIVE={folder}" in asked.err
        assert in_database(api.database) == 1
        done = untold("archive", "--keep", "0", "--yes", "--to", str(folder))
        assert done.status == 0, done.err
        assert f"every process of Obole needs OBOLE_ARCHIVE={folder}" in done.err
        again = obole("archive", "--keep", "0", "--yes")
        assert "OBOLE_ARCHIVE" not in again.err
        assert "no partition to archive: none is full beside those that stay" in again.out

    def test_leaves_what_is_not_projected(self, api: Api, obole: Obole) -> None:
        fill(api)
        done = obole("archive", "--keep", "0", "--yes")
        assert done.status == 1
        assert "`obole work` first" in done.err
        assert in_database(api.database) == 1


VIEWERS = [
    Viewer(BOOK, "merchant", MERCHANT),
    Viewer(BOOK, "merchant", "astrolys"),
    Viewer(BOOK, "merchant", "nobody"),
    Viewer(BOOK, "merchant"),
    Viewer(BOOK, "gateway", "", GATEWAY),
    *(Viewer(BOOK, role) for role in ("finance", "regulator", "admin", "", "Admin")),
    Viewer("other", "regulator"),
]


def shown(database: TestDatabase, viewer: Viewer, last: int) -> tuple[list[StoredRow], ...]:
    """Read what a viewer is shown of a range, and of each position in it."""

    async def read() -> tuple[list[StoredRow], ...]:
        async with await connect_async(database.app_url) as connection:
            return (
                await shown_range(connection, viewer, 0, last),
                await shown_range(connection, viewer, SIZE - 3, last),
                await shown_at(connection, viewer, list(range(1, last + 1))),
            )

    return asyncio.run(read())


class TestViewer:
    """Whoever reads with its own rights sees of a file what it saw of the database."""

    def test_sees_what_it_saw(self, api: Api, obole: Obole) -> None:
        bought(api)
        api.mo("HOROSCOPE", id="mo-2", to="72100")
        fill(api)
        last = api.facts()[-1].position
        before = {viewer: shown(api.database, viewer, last) for viewer in VIEWERS}
        leave(api, obole, MoReceived)
        assert {viewer: shown(api.database, viewer, last) for viewer in VIEWERS} == before
        counts = {viewer: len(found) for viewer, (found, *_) in before.items()}
        assert counts[Viewer(BOOK, "regulator")] == last
        assert 0 < counts[Viewer(BOOK, "merchant", MERCHANT)] < last
        for nobody in (Viewer(BOOK, "merchant", "nobody"), Viewer(BOOK, "gateway", "", GATEWAY)):
            assert counts[nobody] == 0

    @pytest.mark.parametrize("positions", [None, [1, 2]])
    def test_in_a_snapshot_from_before_is_not_told_that_there_is_nothing(
        self, positions: list[int] | None, api: Api, obole: Obole
    ) -> None:
        async def read() -> list[StoredRow]:
            connection = await connect_async(api.database.app_url)
            async with connection, connection.transaction():
                await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                await connection.execute("SELECT position FROM heads")
                leave(api, obole)
                if positions is None:
                    return await shown_range(connection, Viewer(BOOK, "regulator"), 0, 5)
                return await shown_at(connection, Viewer(BOOK, "regulator"), positions)

        with pytest.raises(FactsMissing):
            asyncio.run(read())

    @pytest.mark.parametrize("role", ["finance", "regulator", "admin"])
    def test_is_fed_alike(self, api: Api, obole: Obole, role: str) -> None:
        bought(api)
        fill(api)
        before = api.get("/facts", role, limit=50).json()["facts"]
        leave(api, obole)
        assert api.get("/facts", role, limit=50).json()["facts"] == before
        assert len(before) == 50

    def test_that_is_a_merchant_reads_its_statement_alike(self, api: Api, obole: Obole) -> None:
        bought(api)
        fill(api)
        api.project()
        path = f"/merchants/{MERCHANT}/statements/2026-07.csv"
        before = api.get(path, "merchant")
        assert (before.status_code, b"ludotel" in before.content.lower()) == (200, True)
        leave_exactly(api, obole)
        assert api.get(path, "merchant").content == before.content


def leave_exactly(api: Api, obole: Obole) -> None:
    """Archive without anything being added first."""
    done = obole("archive", "--keep", "0", "--yes")
    assert done.status == 0, done.err
    assert in_database(api.database) > SIZE
