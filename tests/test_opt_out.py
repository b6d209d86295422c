"""STOP and CONTACT: what a consumer stops, what a later message lifts, and silence in between."""

from datetime import timedelta

import msgspec
import pytest

from ledger.decisions.opt_out import Scope, lifted_by, silenced, stopped
from ledger.facts.catalogue import KeywordWithdrawn, ShortCodeClosed
from ledger.facts.charges import ChargeAuthorized
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.notices import NoticeDue
from ledger.facts.traffic import (
    KeywordMatched,
    KeywordUnmatched,
    MoReceived,
    MtEmitted,
)
from tests.support.book import FRENCH, ChangedRules, in_memory, overtaken, together
from tests.support.builders import (
    DONATION,
    NOON,
    ON_ACCEPTED,
    ON_DELIVERED,
    ORANGE,
    UNKNOWN_CODE,
    code,
    mo,
)
from tests.support.given import Some, given, some

STOP, STOP_GAME, STOP_VOTE = mo("STOP"), mo("STOP JEU"), mo("STOP VOTE")
CONFIRMED = some(MtEmitted, kind="opt_out_confirmation", billing_code="FREE", ref__charge=None)
SOLD = (KeywordMatched, ChargeAuthorized, some(MtEmitted, kind="content"))
NAMED = some(MtEmitted, kind="service_word", billing_code="FREE", ref__charge=None)


def out(service: str | None = None) -> Some:
    """Describe an opt-out."""
    return some(OptedOut, short_code=ON_DELIVERED, service=service)


def lifted(service: str | None = None) -> Some:
    """Describe the lifting of an opt-out."""
    return some(OptOutLifted, short_code=ON_DELIVERED, service=service)


class TestStop:
    """STOP, alone or with a keyword."""

    def test_is_recorded_and_confirmed_free(self) -> None:
        happened = given().when(STOP).then(MoReceived, out(), CONFIRMED)
        assert (happened.answer.text, happened.answer.billing_code) == ("Arret sur 81014", "FREE")
        assert happened.fact(OptedOut).word == "STOP"

    def test_with_a_keyword_stops_its_service(self) -> None:
        happened = given().when(STOP_GAME).then(MoReceived, out("quiz"), CONFIRMED)
        assert happened.fact(OptedOut).merchant == "ludotel"

    @pytest.mark.parametrize(
        "text", ["stop", "Stop.", "ARRET", "STOP81014", "\uff33\uff34\uff2f\uff30"]
    )
    def test_is_recognised_however_it_is_written(self, text: str) -> None:
        given().when(mo(text)).then(MoReceived, out(), CONFIRMED)

    def test_with_words_that_are_no_keyword_stops_the_code(self) -> None:
        given().when(mo("STOP TOUT DE SUITE")).then(MoReceived, out(), CONFIRMED)

    def test_with_the_keyword_of_a_service_not_there_yet_stops_the_code(self) -> None:
        given().when(mo("STOP FUTUR")).then(MoReceived, out(), CONFIRMED)

    def test_with_a_keyword_that_was_withdrawn_stops_what_the_rest_of_it_names(self) -> None:
        gone = [
            KeywordWithdrawn(short_code=ON_DELIVERED, keyword=words, effective_from=NOON)
            for words in ("JEU PLUS", "VOTE")
        ]
        book = in_memory(*gone)
        longer = mo("STOP JEU PLUS")
        given(book=book).when(longer).then(MoReceived, out("quiz"), CONFIRMED)
        given(book=book).when(STOP_VOTE).then(MoReceived, out(), CONFIRMED)

    def test_after_all_was_stopped_is_met_with_silence(self) -> None:
        happened = given(STOP).when(STOP).then(MoReceived)
        assert (happened.answer.mt, happened.answer.text) == (None, "")

    @pytest.mark.parametrize(("second", "service"), [(STOP_GAME, "quiz"), (STOP_VOTE, "vote")])
    def test_of_one_service_after_all_is_kept_in_silence(
        self, second: object, service: str
    ) -> None:
        """The code may be opened again by another service's message; this one stays stopped."""
        happened = given(STOP).when(second).then(MoReceived, out(service))
        assert happened.answer.mt is None

    def test_of_one_service_twice_is_met_with_silence(self) -> None:
        given(STOP_GAME).when(STOP_GAME).then(MoReceived)

    def test_of_another_service_is_confirmed(self) -> None:
        given(STOP_GAME).when(STOP_VOTE).then(MoReceived, out("vote"), CONFIRMED)

    def test_of_all_after_one_service_is_confirmed(self) -> None:
        given(STOP_GAME).when(STOP).then(MoReceived, out(), CONFIRMED)

    def test_on_one_code_leaves_the_others_alone(self) -> None:
        elsewhere = mo("STOP", short_code=ON_ACCEPTED)
        given(STOP).when(elsewhere).then(MoReceived, OptedOut, CONFIRMED)

    def test_of_one_consumer_leaves_the_others_alone(self) -> None:
        given(STOP).when(mo("STOP", sender="alias-2")).then(MoReceived, out(), CONFIRMED)

    def test_counts_on_a_code_that_nobody_opened_and_has_no_text_there(self) -> None:
        stop = mo("STOP", short_code=UNKNOWN_CODE)
        given().when(stop).then(MoReceived, some(OptedOut, short_code=UNKNOWN_CODE, service=None))

    def test_of_one_service_stops_the_code_where_the_pack_says_so(self) -> None:
        stop = msgspec.structs.replace(FRENCH.at(NOON).stop, with_keyword="code")
        book = in_memory(rules=ChangedRules(stop=stop))
        given(book=book).when(STOP_GAME).then(MoReceived, some(OptedOut, service=None), MtEmitted)

    def test_is_met_with_silence_where_the_pack_wants_no_confirmation(self) -> None:
        rules = ChangedRules(stop=msgspec.structs.replace(FRENCH.at(NOON).stop, confirmations=0))
        given(book=in_memory(rules=rules)).when(STOP).then(MoReceived, out())

    def test_again_under_its_id_is_confirmed_by_the_first_answer(self) -> None:
        message = mo("STOP", gateway_message_id="m-7")
        again = given(message).when(message).then()
        assert again.answer.text == "Arret sur 81014"

    def test_wins_over_a_keyword_of_the_same_message(self) -> None:
        assert not given().when(STOP_GAME).book.facts(ChargeAuthorized)

    def test_raced_by_another_is_confirmed_once(self) -> None:
        book = in_memory()
        one, other = (mo("STOP", gateway_message_id=f"m-{n}") for n in (7, 8))
        answers = together(book, lambda: book.take_in(one), lambda: book.take_in(other))
        assert [answer.text for answer in answers] == ["Arret sur 81014", ""]
        assert len(book.facts(OptedOut)) == 1

    def test_overtaken_by_another_is_met_with_silence(self) -> None:
        book = in_memory()
        one, other = (mo("STOP", gateway_message_id=f"m-{n}") for n in (7, 8))
        answer = overtaken(book, lambda: book.receive(one), by=lambda: book.receive(other))
        assert answer.text == ""
        assert len(book.facts(OptedOut)) == 1

    def test_raced_by_a_purchase_is_lifted_by_what_came_second(self) -> None:
        book = in_memory()
        stop, buy = mo("STOP", gateway_message_id="m-7"), mo("JEU", gateway_message_id="m-8")
        answer = overtaken(book, lambda: book.receive(buy), by=lambda: book.receive(stop))
        assert answer.text == "Merci pour , 3.00 EUR"
        assert [fact.service for fact in book.facts(OptOutLifted)] == [None]


class TestSilence:
    """What a consumer who stopped is sent."""

    def test_covers_contact_after_all_was_stopped(self) -> None:
        given(STOP).when(mo("CONTACT")).then(MoReceived)

    def test_covers_contact_about_a_service_that_was_stopped(self) -> None:
        given(STOP_GAME).when(mo("CONTACT JEU")).then(MoReceived)

    def test_does_not_cover_contact_about_another_service(self) -> None:
        given(STOP_GAME).when(mo("CONTACT VOTE")).then(MoReceived, NAMED)


class TestLift:
    """A message that is no service word, from a consumer who had stopped."""

    def test_lifts_what_was_stopped_on_the_code_and_is_answered(self) -> None:
        given(STOP).when(mo("JEU")).then(MoReceived, lifted(), *SOLD)

    def test_lifts_the_service_that_it_asks_for(self) -> None:
        given(STOP_GAME).when(mo("JEU")).then(MoReceived, lifted("quiz"), *SOLD)

    def test_lifts_both_where_both_were_stopped(self) -> None:
        step = given(STOP_GAME, STOP).when(mo("JEU"))
        step.then(MoReceived, lifted(), lifted("quiz"), *SOLD)
        ids = [one.id for one in step.appended]
        assert len(set(ids)) == len(ids)

    def test_leaves_another_service_stopped(self) -> None:
        given(STOP_GAME).when(mo("VOTE 1")).then(MoReceived, *SOLD)
        given(STOP_GAME, mo("VOTE 1")).when(mo("CONTACT JEU")).then(MoReceived)

    def test_leaves_a_service_stopped_when_the_code_is_lifted(self) -> None:
        given(STOP_VOTE, STOP).when(mo("JEU")).then(MoReceived, lifted(), *SOLD)
        given(STOP_VOTE, STOP, mo("JEU")).when(STOP_VOTE).then(MoReceived)

    def test_of_the_code_needs_no_keyword(self) -> None:
        error = some(MtEmitted, kind="error")
        given(STOP).when(mo("PARDON")).then(MoReceived, lifted(), KeywordUnmatched, error)

    def test_stands_beside_the_chain_of_causes(self) -> None:
        received, lifting, matched, *_ = given(STOP).when(mo("JEU")).appended
        assert lifting.caused_by == matched.caused_by == received.id

    def test_lasts_until_the_next_stop(self) -> None:
        # The second 3.00 takes the consumer over 5.00, so the tariff is told again.
        given(STOP, mo("JEU")).when(mo("JEU")).then(MoReceived, *SOLD, NoticeDue)
        given(STOP, mo("JEU")).when(STOP).then(MoReceived, out(), CONFIRMED)

    def test_does_not_happen_by_a_service_word(self) -> None:
        given(STOP, mo("CONTACT")).when(STOP).then(MoReceived)

    def test_does_not_happen_by_another_consumer(self) -> None:
        given(STOP).when(mo("JEU", sender="alias-2")).then(MoReceived, *SOLD)


class TestContact:
    """CONTACT: who publishes this, and how they are reached."""

    LUDOTEL, VOXPOP, OBOLE = (
        "Edite par Ludotel, 0800 ludotel",
        "Edite par Voxpop, 0800 voxpop",
        "Edite par Obole, 0800 000 000",
    )

    def test_names_the_codes_publisher_where_nothing_was_bought(self) -> None:
        happened = given().when(mo("CONTACT")).then(MoReceived, NAMED)
        assert happened.answer.text == self.OBOLE

    def test_names_whom_the_consumer_last_bought_from(self) -> None:
        assert given(mo("JEU"), mo("VOTE 1")).when(mo("CONTACT")).answer.text == self.VOXPOP
        assert given(mo("VOTE 1"), mo("JEU")).when(mo("CONTACT")).answer.text == self.LUDOTEL

    def test_names_the_service_that_it_asks_about(self) -> None:
        assert given(mo("VOTE 1")).when(mo("CONTACT JEU")).answer.text == self.LUDOTEL

    def test_does_not_look_at_other_codes(self) -> None:
        bought = mo("JEU", short_code=ON_ACCEPTED)
        assert given(bought).when(mo("CONTACT")).answer.text == self.OBOLE

    def test_does_not_look_at_other_consumers(self) -> None:
        bought = mo("JEU", sender="alias-2")
        assert given(bought).when(mo("CONTACT")).answer.text == self.OBOLE

    def test_charges_nothing(self) -> None:
        assert not given().when(mo("CONTACT JEU")).book.facts(ChargeAuthorized, KeywordMatched)

    def test_again_is_answered_again(self) -> None:
        given(mo("CONTACT")).when(mo("CONTACT")).then(MoReceived, NAMED)

    def test_overtaken_by_a_purchase_names_who_sold_it(self) -> None:
        book = in_memory()
        ask, buy = (mo(text, gateway_message_id=text) for text in ("CONTACT", "VOTE 1"))
        answer = overtaken(book, lambda: book.receive(ask), by=lambda: book.receive(buy))
        assert answer.text == self.VOXPOP

    def test_on_another_code_names_its_own_seller(self) -> None:
        bought = mo("DON", short_code=DONATION)
        answer = given(bought).when(mo("CONTACT", short_code=DONATION)).answer
        assert answer.text == "Edite par Croix, 0800 croix"


class TestOrder:
    """Messages that reach us in another order than they were sent."""

    STOPPED = mo("STOP", stated_at=NOON)

    @pytest.mark.parametrize("text", ["JEU", "NIMPORTEQUOI"])
    def test_what_was_sent_before_stop_lifts_nothing_and_is_met_with_silence(
        self, text: str
    ) -> None:
        book = in_memory()
        book.clock.now = NOON + timedelta(minutes=2)
        early = mo(text, stated_at=NOON - timedelta(minutes=3), gateway_message_id="m-early")
        happened = given(self.STOPPED, book=book).when(early)
        happened.then(MoReceived, some(KeywordUnmatched, reason="stopped_since"))
        assert happened.answer.mt is None

    def test_what_was_sent_in_the_same_second_goes_by_arrival(self) -> None:
        book = in_memory()
        back = mo("JEU", stated_at=NOON, gateway_message_id="m-back")
        assert given(self.STOPPED, book=book).when(back).book.facts(ChargeAuthorized)

    def test_a_service_stopped_in_silence_stays_stopped_when_the_code_is_opened(self) -> None:
        book = in_memory()
        given(STOP, STOP_GAME, mo("VOTE"), book=book).when(mo("STOP JEU")).then(MoReceived)

    def test_stop_after_a_keyword_stops_its_service(self) -> None:
        given().when(mo("JEU STOP")).then(MoReceived, out("quiz"), CONFIRMED)

    def test_stop_on_a_closed_code_counts_once_it_is_open_again(self) -> None:
        closed = ShortCodeClosed(short_code=ON_DELIVERED, operator=ORANGE, effective_from=NOON)
        book = in_memory(closed)
        given(book=book).when(STOP).then(MoReceived, out())
        open_again = code(ON_DELIVERED, effective_from=NOON + timedelta(hours=1))
        book.add(open_again)
        book.clock.now = NOON + timedelta(hours=2)
        given(book=book).when(mo("CONTACT")).then(MoReceived)


class TestScopes:
    """What is stopped, and what that covers."""

    CODE, GAME, ELSEWHERE = Scope("81014", None), Scope("81014", "quiz"), Scope("82014", None)

    @pytest.mark.parametrize(
        ("scopes", "service", "silent"),
        [
            ((), None, False),
            ((CODE,), None, True),
            ((CODE,), "quiz", True),
            ((GAME,), "quiz", True),
            ((GAME,), "vote", False),
            ((GAME,), None, False),
            ((ELSEWHERE,), "quiz", False),
        ],
    )
    def test_cover_what_lies_within(
        self, scopes: tuple[Scope, ...], service: str | None, *, silent: bool
    ) -> None:
        assert silenced(dict.fromkeys(scopes, NOON), "81014", service) is silent

    def test_are_lifted_widest_first(self) -> None:
        scopes = dict.fromkeys((self.GAME, self.CODE, self.ELSEWHERE), NOON)
        assert lifted_by(scopes, "81014", "quiz") == (self.CODE, self.GAME)
        assert lifted_by(scopes, "81014", None) == (self.CODE,)
        assert lifted_by(scopes, "83014", "quiz") == ()

    def test_are_none_of_nothing(self) -> None:
        assert stopped(()) == {}
