"""Stories and the feed: facts as they are stored, texts only on the record."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from api.facts import StoredFact
from api.feed import Feed
from api.trail import Exchange, Trail
from ledger.facts.access import AccessGranted, EvidenceDisclosed
from ledger.facts.traffic import MoReceived
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from tests.support.api import Api, serving
from tests.support.database import TestDatabase

EXCHANGE = [
    "mo_received.v1",
    "keyword_matched.v1",
    "charge_authorized.v1",
    "mt_emitted.v1",
    "mt_submitted.v1",
    "delivery_received.v1",
    "charge_captured.v1",
]


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


def exchanged(api: Api) -> str:
    """Play one exchange to its end; gives its path."""
    answer = api.mo("JEU secret")
    for kind in (8, 1):
        api.receipt(answer, kind)
    return f"/exchanges/{api.only(MoReceived).mo}"


def trail_of(api: Api) -> str:
    return f"/consumers/{api.facts(MoReceived)[0].fact.consumer}/trail"


class TestExchange:
    """One message and all that followed."""

    def test_is_the_whole_story_in_order(self, api: Api) -> None:
        answer = api.get(exchanged(api), "finance")
        told = Exchange.model_validate_json(answer.content)
        assert [one.type for one in told.facts] == EXCHANGE
        positions = [one.position for one in told.facts]
        assert positions == sorted(positions)

    def test_is_sealed_unless_its_texts_are_asked_for(self, api: Api) -> None:
        answer = api.get(exchanged(api), "admin")
        assert "secret" not in answer.text
        states = [one["content_state"] for one in answer.json()["facts"]]
        assert states == ["sealed", "sealed", "none", "sealed", "none", "none", "none"]
        assert api.facts(EvidenceDisclosed) == []

    @pytest.mark.parametrize("role", ["regulator", "admin"])
    def test_with_its_texts_is_recorded_before(self, api: Api, role: str) -> None:
        path = exchanged(api)
        told = api.get(path, role, content="true").json()
        texts = [one["content"] for one in told["facts"]]
        assert texts[:3] == ["JEU secret", "secret", None]
        shown = api.only(EvidenceDisclosed)
        (key,) = [one.fact.key for one in api.facts(AccessGranted) if one.fact.role == role]
        received = api.only(MoReceived)
        assert (shown.key, shown.mo, shown.consumer) == (key, received.mo, received.consumer)
        assert shown.through_position == told["facts"][-1]["position"]

    def test_is_recorded_each_time_that_it_is_read(self, api: Api) -> None:
        path = exchanged(api)
        for _ in range(2):
            api.get(path, "admin", content="true")
        ids = {one.id for one in api.facts(EvidenceDisclosed)}
        assert len(ids) == 2
        assert [one["type"] for one in api.get(path, "admin").json()["facts"]][7:] == [
            "evidence_disclosed.v1",
            "evidence_disclosed.v1",
        ]

    def test_shows_no_text_to_finance_and_records_nothing(self, api: Api) -> None:
        answer = api.get(exchanged(api), "finance", content="true")
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-allowed")
        assert api.facts(EvidenceDisclosed) == []

    def test_records_everyone_whose_words_are_shown(self, api: Api) -> None:
        path = exchanged(api)
        api.mo("JEU other", **{"from": "+33687654321"})
        api.get(path, "admin", content="true")
        assert len({one.fact.consumer for one in api.facts(EvidenceDisclosed)}) == 2

    @pytest.mark.parametrize("writes_again", [False, True], ids=["gone", "replaced"])
    def test_whose_key_was_destroyed_says_so(self, api: Api, *, writes_again: bool) -> None:
        path = exchanged(api)
        with psycopg.connect(api.database.owner_url) as connection:
            connection.execute("DELETE FROM data_keys")
        api.books.by_name["fr"].desk.keys._known.clear()  # noqa: SLF001 - as in another process
        if writes_again:
            assert api.mo("JEU anew", id="mo-2").status_code == 200
        told = api.get(path, "admin", content="true").json()
        states = [one["content_state"] for one in told["facts"]]
        assert states == ["erased", "erased", "none", "erased", "none", "none", "none"]
        assert {one["content"] for one in told["facts"]} == {None}

    def test_includes_a_receipt_that_came_before_its_message(self, api: Api) -> None:
        path = exchanged(api)
        url = api.mo("JEU secret").headers["X-Kannel-DLR-Url"].replace("%d", "1")
        assert api.client.get(url).status_code == 200
        assert [one["type"] for one in api.get(path, "admin").json()["facts"]] == EXCHANGE

    def test_that_was_not_received_is_not_found(self, api: Api) -> None:
        answer = api.get(f"/exchanges/{'0' * 32}", "admin")
        assert (answer.status_code, answer.json()["mo"]) == (404, "0" * 32)

    def test_of_an_impossible_id_is_a_problem(self, api: Api) -> None:
        for mo in ("x", "A" * 32, "%00"):
            answer = api.get(f"/exchanges/{mo}", "admin")
            assert [one["field"] for one in answer.json()["errors"]] == ["mo"]


class TestTrail:
    """All that was recorded of a consumer."""

    def test_tells_of_every_exchange_page_by_page(self, api: Api) -> None:
        exchanged(api)
        api.mo("NIMPORTE", id="mo-2")
        found, cursor, pages = [], 0, 0
        while cursor is not None:
            answer = api.get(trail_of(api), "regulator", limit=4, cursor=cursor)
            page = Trail.model_validate_json(answer.content)
            found += [one.type for one in page.facts]
            cursor, pages = page.next, pages + 1
        assert found == [*EXCHANGE, "mo_received.v1", "keyword_unmatched.v1", "mt_emitted.v1"]
        assert pages == 3

    def test_with_texts_is_recorded_up_to_the_last_fact_shown(self, api: Api) -> None:
        exchanged(api)
        told = api.get(trail_of(api), "admin", limit=2, content="true").json()
        assert [one["content"] for one in told["facts"]] == ["JEU secret", "secret"]
        shown = api.only(EvidenceDisclosed)
        assert (shown.mo, shown.through_position) == (None, told["facts"][-1]["position"])

    def test_shows_no_text_to_finance(self, api: Api) -> None:
        exchanged(api)
        assert api.get(trail_of(api), "finance").status_code == 200
        assert api.get(trail_of(api), "finance", content="true").status_code == 403

    def test_of_somebody_unheard_of_is_not_found(self, api: Api) -> None:
        answer = api.get(f"/consumers/1_{'0' * 32}/trail", "admin")
        assert answer.json()["type"] == "/problems/unknown-consumer"

    def test_of_a_number_is_a_problem(self, api: Api) -> None:
        answer = api.get("/consumers/+33612345678/trail", "admin")
        assert [one["field"] for one in answer.json()["errors"]] == ["consumer"]


class TestFeed:
    """Every fact, as it is stored."""

    def test_has_every_position_once(self, api: Api) -> None:
        exchanged(api)
        seen: list[StoredFact] = []
        more = True
        while more:
            answer = api.get("/facts", "regulator", after=len(seen), limit=7)
            page = Feed.model_validate_json(answer.content)
            seen += page.facts
            more = page.more
        assert [one.position for one in seen] == [one.position for one in api.facts()]
        assert [one.position for one in seen] == list(range(1, len(seen) + 1))

    def test_gives_the_stored_bytes_as_they_are(self, api: Api) -> None:
        exchanged(api)
        with connect(api.database.app_url) as connection:
            rows = PostgresLog(connection, "fr").follow(0, 1_000)
        content = api.get("/facts", "admin", limit=1_000).content
        assert [row.position for row in rows if row.data not in content] == []

    def test_waits_for_what_comes(self, api: Api) -> None:
        head = len(api.facts())
        url = f"/v1/books/fr/facts?after={head}&wait=30"

        def ask() -> list[str]:
            answer = api.client.get(url, headers=api.bearer("admin"))
            return [one["type"] for one in answer.json()["facts"]]

        def play() -> None:
            api.mo("NIMPORTE")

        with ThreadPoolExecutor() as pool:
            asked = pool.submit(ask)
            pool.submit(play).result()
            assert asked.result() == ["mo_received.v1", "keyword_unmatched.v1", "mt_emitted.v1"]

    @pytest.mark.parametrize("wait", [0, 1])
    def test_at_its_end_is_empty_and_says_so(self, api: Api, wait: int) -> None:
        head = len(api.facts())
        told = api.get("/facts", "admin", after=head, wait=wait).json()
        assert told == {"facts": [], "after": head, "more": False}

    def test_beyond_its_end_is_refused(self, api: Api) -> None:
        head = len(api.facts())
        answer = api.get("/facts", "admin", after=head + 1)
        assert answer.status_code == 503
        assert (answer.json()["position"], answer.json()["at_least"]) == (head, head + 1)

    @pytest.mark.parametrize(
        ("query", "field"),
        [({"after": -1}, "after"), ({"after": 1 << 63}, "after"), ({"after": "x"}, "after"),
         ({"limit": 0}, "limit"), ({"limit": 1_001}, "limit"), ({"wait": 31}, "wait")],
    )  # fmt: skip
    def test_asked_for_wrongly_is_a_problem(
        self, api: Api, query: dict[str, int], field: str
    ) -> None:
        answer = api.get("/facts", "admin", **query)
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [field]
