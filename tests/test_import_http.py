"""Imports over HTTP: many lines in one body, each answered, by whoever may say it."""

import asyncio
import gzip
import json
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from httpx2 import Response

from api.imports import MAX_REASON, TOGETHER
from api.limits import MAX_BODY_BYTES, MAX_IMPORT_BYTES, MAX_IMPORT_LINES
from ledger.decisions.story import mo_id, mt_id
from ledger.facts.charges import ChargeCaptured
from ledger.facts.imported import ExchangeImported
from ledger.facts.traffic import MoReceived
from tests.support.api import BOOK, GATEWAY, START, Api, below_book, serving
from tests.support.database import TestDatabase
from tests.support.importing import ndjson

PAID = {"price": {"amount": "3.00", "currency": "EUR"}, "state": "captured"}
NOW = START.isoformat().replace("+00:00", "Z")


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


def line(n: int = 1, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of every type
    defaults = {
        "kind": "mo",
        "gateway": GATEWAY,
        "smsc": "orange-fr",
        "id": f"i-{n}",
        "sender": f"330001{n:06d}",
        "short_code": "81014",
        "text": "JEU",
    }
    return {**defaults, **fields}


def receipt(n: int = 1) -> dict[str, Any]:
    mt = mt_id(BOOK, mo_id(BOOK, GATEWAY, f"i-{n}"))
    return {"kind": "receipt", "gateway": GATEWAY, "mt": mt, "outcome": "delivered"}


def post(
    api: Api, content: bytes, role: str = "gateway", kind: str = "application/x-ndjson"
) -> Response:
    headers = api.bearer(role) | {"Content-Type": kind}
    return api.client.post(below_book("/imports"), content=content, headers=headers)


def results(answer: Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(one) for one in answer.text.splitlines()]


class TestImport:
    """A body of lines."""

    def test_answers_each_line_in_order(self, api: Api) -> None:
        told = results(post(api, ndjson([line(1), receipt(1)]) + b"{\n" + ndjson([line(2)])))
        assert [(one["line"], one["status"]) for one in told] == [
            (1, "recorded"), (2, "recorded"), (3, "rejected"), (4, "recorded"),
        ]  # fmt: skip
        assert "no JSON" in told[2]["reason"]
        assert len(api.facts(ChargeCaptured)) == 1

    def test_gives_the_position_up_to_which_it_is_there(self, api: Api) -> None:
        (told,) = results(post(api, ndjson([line(1)])))
        assert told["position"] == api.facts()[-1].position

    def test_again_is_answered_as_repeated(self, api: Api) -> None:
        body = ndjson([line(1), receipt(1)])
        post(api, body)
        before = len(api.facts())
        assert {one["status"] for one in results(post(api, body))} == {"repeated"}
        assert len(api.facts()) == before

    def test_tells_a_conflict(self, api: Api) -> None:
        told = results(post(api, ndjson([line(1), line(1, text="VOTE 1")])))
        assert [one["status"] for one in told] == ["recorded", "conflict"]

    def test_may_be_larger_than_other_bodies(self, api: Api) -> None:
        body = ndjson([{"kind": "nothing", "x": "y" * 1_000}] * 400)
        assert len(body) > MAX_BODY_BYTES
        assert len(results(post(api, body))) == 400

    def test_has_a_limit_all_the_same(self, api: Api) -> None:
        assert post(api, b" " * (MAX_IMPORT_BYTES + 1)).status_code == 413

    def test_may_be_packed(self, api: Api) -> None:
        assert len(results(post(api, gzip.compress(ndjson([line(1)]))))) == 1

    def test_of_nothing_is_answered_with_nothing(self, api: Api) -> None:
        assert results(post(api, b"")) == []

    def test_takes_what_was_decided_elsewhere(self, api: Api) -> None:
        exchange = line(kind="exchange", sent_at=NOW, unmatched="no_words")
        (told,) = results(post(api, ndjson([exchange])))
        assert told["status"] == "recorded"
        assert api.only(ExchangeImported).unmatched == "no_words"


class TestLarge:
    """A body that costs more than it is long."""

    @pytest.mark.parametrize(
        "bomb",
        [
            b" " * (MAX_IMPORT_BYTES + 1),
            b"\n" * (MAX_IMPORT_LINES + 1),
            b"x\n" * (MAX_IMPORT_LINES + 1),
        ],
        ids=["of one line", "of empty lines", "of short lines"],
    )
    def test_that_was_packed_has_the_limit_of_one_that_was_not(self, api: Api, bomb: bytes) -> None:
        packed = gzip.compress(bomb)
        assert len(packed) < MAX_BODY_BYTES
        assert post(api, packed).status_code == 413

    def test_of_as_many_lines_as_may_be_lets_others_have_their_turn(self, api: Api) -> None:
        body = gzip.compress(b"x\n" * MAX_IMPORT_LINES)
        turns, told = turns_while(api, lambda: post(api, body))
        assert turns > MAX_IMPORT_LINES // TOGETHER
        assert len(results(told)) == MAX_IMPORT_LINES

    def test_is_answered_in_few_words_a_line(self, api: Api) -> None:
        wrong = line(gateway="nobody", smsc="s" * 64, more="x" * 500)
        for told in results(post(api, ndjson([wrong, {**wrong, "gateway": "x" * 500}]))):
            assert 0 < len(told["reason"]) <= MAX_REASON

    def test_that_is_too_large_keeps_what_came_before(self, api: Api) -> None:
        body = ndjson([line(1)]) + b"\n" * MAX_IMPORT_LINES + ndjson([line(2)])
        assert post(api, body).status_code == 413
        assert len(api.facts(MoReceived)) == 1


def turns_while(api: Api, work: Callable[[], Response]) -> tuple[int, Response]:
    """Count how often others have their turn in the process while something is asked of it."""
    turns, over = 0, False

    async def count() -> None:
        nonlocal turns
        while not over:
            turns += 1
            await asyncio.sleep(0)

    counting = api.portal.start_task_soon(count)
    try:
        answer = work()
    finally:
        over = True
        counting.result()
    return turns, answer


class TestRefused:
    """What is not taken, and nothing of it left."""

    @pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
    def test_of_another_type(self, api: Api, kind: str) -> None:
        assert post(api, ndjson([line()]), kind=kind).status_code == 422
        assert api.facts(MoReceived) == []

    def test_in_another_encoding(self, api: Api) -> None:
        answer = post(api, ndjson([line()]).decode().encode("utf-16"))
        assert answer.status_code == 422
        assert "UTF-16" in answer.json()["errors"][0]["message"]

    def test_time_does_not_pass_by_it(self, api: Api) -> None:
        (told,) = results(post(api, ndjson([{"kind": "turn", "at": NOW}]), "admin"))
        assert told["status"] == "rejected"


class TestGateway:
    """A gateway's key speaks for itself, and of now alone."""

    @pytest.mark.parametrize(
        "wrong",
        [
            line(gateway="another"),
            line(arrived_at=NOW),
            {"kind": "turn", "at": NOW},
            line(kind="exchange", sent_at=NOW, gateway="another"),
        ],
    )
    def test_says_nothing_else(self, api: Api, wrong: dict[str, Any]) -> None:
        told = results(post(api, ndjson([wrong, line(2)])))
        assert [one["status"] for one in told] == ["rejected", "recorded"]

    def test_an_admin_says_when_a_message_arrived(self, api: Api) -> None:
        at = "2026-07-14T08:00:00Z"
        results(post(api, ndjson([line(arrived_at=at)]), "admin"))
        assert api.only(MoReceived).occurred_at.isoformat() == "2026-07-14T08:00:00+00:00"


def exchange(n: int = 1, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of every type
    return line(n, **{"kind": "exchange", "sent_at": NOW, "unmatched": "no_words", **fields})


def at(seconds: int) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


class TestTimes:
    """What is told of another time than now."""

    @pytest.mark.parametrize(
        ("field", "told"),
        [
            ("sent_at", exchange(sent_at=at(-301))),
            ("mt.sent_at", exchange(mt={"sent_at": at(-301)})),
            ("charges[].ended_at", exchange(charges=[{**PAID, "ended_at": at(-301)}])),
            (
                "receipts[].occurred_at",
                exchange(mt={}, receipts=[{"outcome": "delivered", "occurred_at": at(-301)}]),
            ),
        ],
    )
    def test_is_for_an_admin_alone_where_it_was_decided_elsewhere(
        self, api: Api, field: str, told: dict[str, Any]
    ) -> None:
        (became,) = results(post(api, ndjson([told])))
        assert became["status"] == "rejected"
        assert became["reason"] == f"{field}: only an admin tells of what was not now"
        assert api.facts(MoReceived) == []
        assert results(post(api, ndjson([told]), "admin"))[0]["status"] == "recorded"

    @pytest.mark.parametrize(("own", "seconds"), [(None, 900), (60, 60), (0, 0)])
    def test_is_now_within_the_gateways_tolerance_or_the_books(
        self, api: Api, own: int | None, seconds: int
    ) -> None:
        known = api.books.by_name[BOOK].desk.catalogue.gateway(GATEWAY, START)
        assert known is not None
        since = START - timedelta(hours=1)
        api.record(
            [msgspec.structs.replace(known, clock_tolerance_seconds=own, effective_from=since)]
        )
        lines = [exchange(1, sent_at=at(-seconds - 1)), exchange(2, sent_at=at(-seconds))]
        told = results(post(api, ndjson(lines)))
        assert [one["status"] for one in told] == ["rejected", "recorded"]

    @pytest.mark.parametrize("role", ["gateway", "admin"])
    @pytest.mark.parametrize("when", [at(61), "2099-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
    def test_is_never_the_future(self, api: Api, role: str, when: str) -> None:
        told = results(post(api, ndjson([line(1), exchange(2, sent_at=when), line(3)]), role))
        assert [one["status"] for one in told] == ["recorded", "rejected", "recorded"]
        assert told[1]["reason"] == "sent_at: this lies in the future"
        assert api.facts(ExchangeImported) == []

    @pytest.mark.parametrize(
        "told",
        [
            line(arrived_at=at(61)),
            line(sent_at=at(61)),
            {**receipt(), "arrived_at": at(61)},
            {**receipt(), "occurred_at": at(61)},
        ],
    )
    def test_is_never_the_future_of_an_admin_either(self, api: Api, told: dict[str, Any]) -> None:
        (became,) = results(post(api, ndjson([told]), "admin"))
        assert "this lies in the future" in became["reason"]

    def test_of_a_gateway_whose_clock_is_ahead_is_taken_as_now(self, api: Api) -> None:
        (told,) = results(post(api, ndjson([line(sent_at=at(86_400))])))
        assert told["status"] == "recorded"
        assert api.only(MoReceived).occurred_at == START

    @pytest.mark.parametrize("when", ["0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59-02:00"])
    def test_beyond_the_calendar_is_told_by_its_field(self, api: Api, when: str) -> None:
        lines = [line(1, sent_at=when), exchange(2, sent_at=when), line(3)]
        told = results(post(api, ndjson(lines)))
        assert [one["status"] for one in told] == ["rejected", "rejected", "recorded"]
        assert all(
            "sent_at: this is no instant of our calendar" in one["reason"] for one in told[:2]
        )
