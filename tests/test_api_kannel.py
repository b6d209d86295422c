"""Kannel's routes: a message in, its answer in the body, its receipts by the URL in our headers."""

from collections.abc import Generator
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from api.kannel import headers_of, raw_status
from ledger.commands.traffic import Answer
from ledger.facts.access import AccessGranted
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeReleased
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    DeliveryOrphaned,
    DeliveryReceived,
    KeywordMatched,
    KeywordUnmatched,
    MoReceived,
    MtEmitted,
    MtSubmitted,
)
from tests.support.api import GATEWAY, Api, Options, serving
from tests.support.database import TestDatabase

ACCEPTED, DELIVERED, FAILED, BUFFERED, REJECTED = 8, 1, 2, 4, 16


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


class TestAnswer:
    """What a message is answered."""

    def test_to_a_keyword_is_the_mt_at_the_services_price(self, api: Api) -> None:
        answer = api.mo("JEU abc")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.text.startswith('Quiz : réponse "abc" notée')
        assert answer.headers["X-Kannel-BInfo"] == "SMSPLUS300"
        assert answer.headers["X-Kannel-DLR-Mask"] == "31"
        # 3.00 with 20 % of tax is 2.50 net; Orange owes half of it, 1.25, of which 80 % is 1.00.
        assert api.only(ChargeAuthorized).amounts.merchant == 1_000_000

    def test_asks_for_receipts_with_our_id_and_the_gateways_own_key(self, api: Api) -> None:
        url = urlsplit(api.mo().headers["X-Kannel-DLR-Url"])
        asked = parse_qs(url.query)
        assert f"{url.scheme}://{url.netloc}" == "http://testserver"
        assert url.path == f"/v1/books/fr/kannel/{GATEWAY}/dlr"
        assert asked["mt"] == [api.only(MtEmitted).ref.mt]
        assert asked["key"] == [api.keys["gateway"]]
        escapes = {name: asked[name] for name in ("type", "at", "smsc", "fid", "sid", "answer")}
        assert {name: value[0] for name, value in escapes.items()} == {
            "type": "%d", "at": "%T", "smsc": "%i", "fid": "%F", "sid": "%I", "answer": "%A",
        }  # fmt: skip

    def test_names_the_public_address_where_one_is_set(self, database: TestDatabase) -> None:
        with serving(database, Options("https://obole.example/ledger/")) as api:
            url = api.mo().headers["X-Kannel-DLR-Url"]
        assert url.startswith("https://obole.example/ledger/v1/books/fr/kannel/")

    def test_to_an_unknown_word_is_free_and_nothing_is_charged(self, api: Api) -> None:
        answer = api.mo("NIMPORTE")
        assert answer.headers["X-Kannel-BInfo"] == "FREE"
        assert "gratuit" in answer.text
        assert api.facts(ChargeAuthorized) == []

    def test_to_an_unknown_code_is_nothing_at_all(self, api: Api) -> None:
        answer = api.mo(to="99999")
        assert (answer.status_code, answer.text) == (200, "")
        assert not [name for name in answer.headers if name.lower().startswith("x-kannel")]
        assert api.only(KeywordUnmatched).reason == "unknown_code"

    def test_to_a_second_stop_is_nothing_at_all(self, api: Api) -> None:
        assert api.mo("STOP").headers["X-Kannel-BInfo"] == "FREE"
        again = api.mo("STOP", id="mo-2")
        assert (again.status_code, again.text) == (200, "")
        assert "X-Kannel-DLR-Url" not in again.headers

    def test_does_not_follow_a_head_request(self, api: Api) -> None:
        url = f"/v1/books/fr/kannel/{GATEWAY}/mo"
        assert api.client.head(url, params={"key": api.keys["gateway"]}).status_code == 405
        assert api.facts(MoReceived) == []


class TestAlphabet:
    """In which alphabet Kannel is told to send an answer."""

    @pytest.mark.parametrize(("text", "coding"), [("Merci, à bientôt", "2"), ("Déjà vu !", None)])
    def test_follows_the_text(self, text: str, coding: str | None) -> None:
        answer = Answer("0" * 32, "1" * 32, text, "P300", repeated=False, position=4)
        assert headers_of(answer, "http://ledger/dlr").get("X-Kannel-Coding") == coding


class TestRepeat:
    """A message that comes again under its id."""

    def test_gets_the_first_answer_again_and_charges_nothing_more(self, api: Api) -> None:
        first, again = api.mo(), api.mo()
        assert again.text == first.text
        for name in ("X-Kannel-DLR-Url", "X-Kannel-DLR-Mask", "X-Kannel-BInfo"):
            assert again.headers[name] == first.headers[name]
        assert len(api.facts(MoReceived)) == len(api.facts(ChargeAuthorized)) == 1

    def test_with_other_content_is_a_fact_and_sends_nothing(self, api: Api) -> None:
        """Kannel would ask again for any other status, and again in vain."""
        api.mo("JEU abc")
        answer = api.mo("JEU xyz")
        assert (answer.status_code, answer.text) == (200, "")
        assert not [name for name in answer.headers if name.lower().startswith("x-kannel")]
        api.only(ConflictingDuplicateReceived)
        assert len(api.facts(ChargeAuthorized)) == 1


class TestReceipt:
    """What Kannel reports by the URL that we gave it."""

    def test_of_delivery_captures_the_charge(self, api: Api) -> None:
        answer = api.mo()
        for kind in (ACCEPTED, DELIVERED):
            taken = api.receipt(answer, kind)
            assert (taken.status_code, taken.text) == (200, "")
        assert api.only(MtSubmitted).operator_message_id == "f-1"
        assert api.only(DeliveryReceived).billed == "unknown"
        assert api.only(ChargeCaptured).amounts.price == 3_000_000

    def test_again_has_no_effect(self, api: Api) -> None:
        answer = api.mo()
        for kind in (DELIVERED, DELIVERED):
            assert api.receipt(answer, kind).status_code == 200
        assert len(api.facts(DeliveryReceived)) == len(api.facts(ChargeCaptured)) == 1

    @pytest.mark.parametrize("kind", [FAILED, REJECTED])
    def test_of_failure_releases_it(self, api: Api, kind: int) -> None:
        api.receipt(api.mo(), kind)
        assert api.only(ChargeReleased).ref.merchant == "ludotel"

    def test_that_contradicts_is_recorded_and_moves_no_money_back(self, api: Api) -> None:
        answer = api.mo()
        api.receipt(answer, DELIVERED)
        assert api.receipt(answer, FAILED).status_code == 200
        assert [one.fact.contradicts for one in api.facts(DeliveryReceived)] == [False, True]
        assert api.facts(ChargeReleased) == []

    def test_of_buffering_before_acceptance_changes_nothing_yet(self, api: Api) -> None:
        answer = api.mo()
        for kind in (BUFFERED, ACCEPTED):
            assert api.receipt(answer, kind).status_code == 200
        assert api.facts(ChargeCaptured, ChargeReleased) == []

    def test_of_an_unknown_message_is_kept(self, api: Api) -> None:
        known = api.mo().headers["X-Kannel-DLR-Url"]
        stranger = known.replace(parse_qs(known)["mt"][0], "0" * 32).replace("%d", "1")
        assert api.client.get(stranger).status_code == 200
        assert api.only(DeliveryOrphaned).mt == "0" * 32

    def test_keeps_of_the_smscs_words_only_state_and_error(self, api: Api) -> None:
        told = (
            "id:123 sub:001 dlvrd:001 submit date:2607151200 stat:DELIVRD err:000 text:JEU secret"
        )
        api.receipt(api.mo(), DELIVERED, told)
        assert api.only(DeliveryReceived).raw_status == "1 stat:DELIVRD err:000"

    @pytest.mark.parametrize("kind", ["3", "0", "", "x", "%d"])
    def test_of_an_unknown_kind_is_a_problem(self, api: Api, kind: str) -> None:
        url = api.mo().headers["X-Kannel-DLR-Url"].replace("type=%d", f"type={kind}")
        answer = api.client.get(url)
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == ["type"]

    def test_of_no_possible_message_is_a_problem(self, api: Api) -> None:
        url = api.mo().headers["X-Kannel-DLR-Url"]
        for mt in ("", "x", "A" * 32, "0" * 33):
            answer = api.client.get(url.replace(parse_qs(url)["mt"][0], mt).replace("%d", "1"))
            assert answer.status_code == 422, mt
            assert [one["field"] for one in answer.json()["errors"]] == ["mt"]


class TestRawStatus:
    """What is kept of the SMSC's words."""

    @pytest.mark.parametrize(
        ("told", "kept"),
        [
            ("", "2"),
            ("ACK/", "2"),
            ("stat:UNDELIV err:04f", "2 stat:UNDELIV err:04f"),
            ("Text:stat:SECRET", "2"),
            ("stat:0612345678901234567890", "2"),
            ("stat:A err:1 stat:B err:2", "2 stat:A err:1"),
        ],
    )
    def test_holds_tokens_and_nothing_personal(self, told: str, kept: str) -> None:
        assert raw_status("2", told) == kept


class TestText:
    """What consumers write, in whatever bytes."""

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "a" * 2_000,
            "🎉🎉",
            b"\xff\xfe\xfa",
            b"\xed\xa0\x80",
            "\x00",
            "JEU\x00abc",
            "%",
            "\r\nX-Kannel-BInfo: SMSPLUS300",
        ],
    )
    def test_of_any_kind_is_answered_by_rule(self, api: Api, text: str | bytes) -> None:
        answer = api.mo(text)
        assert answer.status_code == 200
        received = api.only(MoReceived)
        charged = api.facts(ChargeAuthorized)
        assert bool(charged) == (answer.headers["X-Kannel-BInfo"] == "SMSPLUS300")
        assert bool(charged) == bool(api.facts(KeywordMatched))
        assert received.text is not None

    @pytest.mark.parametrize(
        "text",
        ["JEU,abc", "jeu: abc", "\uff2a\uff25\uff35 abc", "Jeu!abc", "JEU\tabc"],
        ids=["comma", "colon", "full width", "exclamation", "tabulator"],
    )
    def test_with_its_keyword_glued_to_something_still_asks_for_it(
        self, api: Api, text: str
    ) -> None:
        assert api.mo(text).headers["X-Kannel-BInfo"] == "SMSPLUS300"

    @pytest.mark.parametrize(
        ("charset", "codec"),
        [
            ("UTF-16BE", "utf-16-be"),
            ("utf-16be", "utf-16-be"),
            ("WINDOWS-1252", "cp1252"),
            ("ISO-8859-1", "latin-1"),
            ("UTF-8", "utf-8"),
            ("", "utf-8"),
            ("8-BIT", "utf-8"),
            ("rot13", "utf-8"),
            ("\x00", "utf-8"),
        ],
    )
    def test_is_read_in_the_charset_that_kannel_names(
        self, api: Api, charset: str, codec: str
    ) -> None:
        answer = api.mo("JEU é".encode(codec), charset=charset)
        assert '"é"' in answer.text

    def test_cut_in_the_middle_of_a_utf16_unit_is_still_read(self, api: Api) -> None:
        answer = api.mo("JEU é".encode("utf-16-be")[:-1], charset="UTF-16BE")
        assert answer.headers["X-Kannel-BInfo"] == "SMSPLUS300"

    def test_longer_than_any_message_is_a_problem(self, api: Api) -> None:
        answer = api.mo("a" * 10_001)
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == ["text"]
        assert api.facts(MoReceived) == []


class TestQuery:
    """What Kannel's parameters may be."""

    @pytest.mark.parametrize("name", ["id", "smsc", "from", "to", "text"])
    def test_without_a_parameter_is_a_problem_that_names_it(self, api: Api, name: str) -> None:
        answer = api.mo(**{name: None})
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [name]

    @pytest.mark.parametrize(
        ("name", "value"),
        [("id", ""), ("id", "x" * 129), ("smsc", ""), ("from", ""), ("from", "9" * 129),
         ("to", "12"), ("to", "81 014"), ("to", "8101a"), ("to", "٨١٠١٤"), ("to", "\x00")],
    )  # fmt: skip
    def test_with_an_impossible_value_is_a_problem_that_names_it(
        self, api: Api, name: str, value: str
    ) -> None:
        answer = api.mo(**{name: value})
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [name]
        assert api.facts(MoReceived) == []

    @pytest.mark.parametrize("sender", [b"\xff\xfe", "\x00", "alias-é", "🎉"])
    def test_may_name_the_consumer_in_any_bytes(self, api: Api, sender: str | bytes) -> None:
        assert api.mo(**{"from": sender}).headers["X-Kannel-BInfo"] == "SMSPLUS300"

    def test_of_more_parameters_than_kannel_sends_is_a_problem(self, api: Api) -> None:
        url = f"/v1/books/fr/kannel/{GATEWAY}/mo?{'a=1&' * 200}"
        assert api.client.get(url).status_code == 422

    def test_with_a_name_twice_counts_the_first(self, api: Api) -> None:
        answer = api.client.get(f"{api.mo_url('JEU abc')}&text=STOP")
        assert answer.headers["X-Kannel-BInfo"] == "SMSPLUS300"

    def test_of_another_gateway_is_not_this_keys(self, api: Api) -> None:
        url = "/v1/books/fr/kannel/nobody/mo"
        query = {"key": api.keys["gateway"], "id": "1", "smsc": "x", "from": "1", "to": "81014"}
        answer = api.client.get(url, params=query | {"text": ""})
        assert answer.status_code == 403

    def test_names_an_undeclared_link(self, api: Api) -> None:
        answer = api.mo(smsc="nowhere")
        assert answer.status_code == 422
        assert answer.json()["smsc"] == "nowhere"


class TestRefusal:
    """Kannel gives up in the end, so whoever runs the ledger must hear of it."""

    def test_is_logged_without_anything_from_the_query(
        self, api: Api, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        asked = api.mo_url("JEU secret", to="8101a", id="secret-id")
        # The test's own client would log the URL too.
        caplog.set_level("WARNING", logger="httpx2")
        api.client.get(asked)
        told = caplog.text
        assert "/v1/books/fr/kannel/kannel-fr/mo" in told
        assert "invalid to" in told
        for personal in (api.keys["gateway"], "secret", "33612345678", "8101a"):
            assert personal not in told

    def test_of_a_key_is_logged_too(self, api: Api, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("WARNING")
        api.mo(key="x")
        assert "not-authenticated" in caplog.text

    def test_cannot_forge_a_line_of_the_log(
        self, api: Api, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("WARNING")
        api.client.get("/v1/books/fr/kannel/x%0AERROR%20forged/mo")
        assert "\nERROR forged" not in caplog.text
        assert "forged" in caplog.text


class TestTime:
    """Kannel's clock and ours."""

    def test_is_the_gateways_own(self, api: Api) -> None:
        at = datetime(2026, 7, 15, 9, 58, tzinfo=UTC)
        api.mo(ts=str(int(at.timestamp())))
        assert api.only(MoReceived).occurred_at == at

    @pytest.mark.parametrize(
        "stated", [None, "", "now", "-1", "1e9", "٣", "1" * 30, "1784109600.5"]
    )
    def test_that_cannot_be_read_is_ours(self, api: Api, stated: str | None) -> None:
        assert api.mo(ts=stated).status_code == 200
        received = api.only(MoReceived)
        assert (received.occurred_at, received.stated_at) == (api.now, None)

    def test_that_is_far_from_ours_is_kept_beside_ours(self, api: Api) -> None:
        api.mo(ts="99999999999")
        received = api.only(MoReceived)
        assert received.occurred_at == api.now
        assert received.stated_at == "5138-11-16T09:46:39+00:00"


class TestFacts:
    """What the log says of where a message came from."""

    def test_name_the_key_and_the_request_that_they_came_by(self, api: Api) -> None:
        api.mo()
        received = api.facts(MoReceived, KeywordMatched, MtEmitted)
        (gateway,) = [one for one in api.facts(AccessGranted) if one.fact.role == "gateway"]
        assert {one.actor for one in received} == {f"key:{gateway.fact.key}"}
        assert len({one.request for one in received}) == 1
