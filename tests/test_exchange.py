"""An exchange: a message in, what it asked for, and the answer; refused, repeated, raced."""

import pytest

from ledger.decisions.refusals import RulesOutdated, UnknownGateway, UnknownLink
from ledger.facts.catalogue import KeywordWithdrawn
from ledger.facts.charges import ChargeAuthorized, ChargeRefused
from ledger.facts.registry import FactRefused
from ledger.facts.traffic import KeywordMatched, KeywordUnmatched, MoReceived, MtEmitted
from ledger.words import derived_id
from tests.support.book import in_memory, overtaken, rule_book, together
from tests.support.builders import (
    CHEAP,
    NOON,
    ON_DELIVERED,
    SETTINGS,
    UNKNOWN_CODE,
    code,
    gateway,
    keyword,
    mo,
    service,
    tariff,
)
from tests.support.given import given, some

SOLD = (MoReceived, KeywordMatched, ChargeAuthorized, some(MtEmitted, kind="content"))


def unmatched(reason: str) -> tuple[object, ...]:
    """Describe a message that asked for nothing on sale, answered free by an error."""
    error = some(MtEmitted, kind="error", billing_code="FREE", ref__charge=None, parts=1)
    return (MoReceived, some(KeywordUnmatched, reason=reason), error)


class TestReceive:
    """A message that asks for something on sale."""

    def test_is_matched_charged_and_answered(self) -> None:
        happened = given().when(mo("JEU 42")).then(*SOLD)
        assert happened.answer.text == "Merci pour 42, 3.00 EUR"
        assert (happened.answer.billing_code, happened.answer.repeated) == ("P3000000", False)
        assert happened.answer.position == happened.appended[-1].position

    def test_freezes_merchant_price_and_catalogue(self) -> None:
        book = in_memory()
        position = book.desk.catalogue.position
        given(book=book).when(mo("JEU 42")).then(
            MoReceived,
            some(
                KeywordMatched,
                keyword="JEU",
                merchant="ludotel",
                service="quiz",
                tariff=f"t-{ON_DELIVERED}",
                price=3_000_000,
                catalogue_position=position,
            ),
            ChargeAuthorized,
            MtEmitted,
        )

    def test_is_one_chain_in_which_each_fact_causes_the_next(self) -> None:
        chain = given().when(mo("JEU 42")).appended
        assert [one.caused_by for one in chain] == [None, *(one.id for one in chain[:-1])]
        assert {one.exchange for one in chain} == {chain[0].fact.subject}
        assert {(one.actor, one.request) for one in chain} == {("test", "request-1")}

    def test_gets_ids_that_follow_from_it_alone(self) -> None:
        one, other = (given().when(mo("JEU 42", gateway_message_id="m-9")) for _ in range(2))
        assert [recorded.id for recorded in one.appended] == [
            recorded.id for recorded in other.appended
        ]
        mo_id = derived_id("fr", "mo", "kannel", "m-9", "")
        assert one.answer.mo == mo_id
        assert one.answer.mt == derived_id("fr", "mt", mo_id, "answer", 0)
        assert one.fact(ChargeAuthorized).ref.charge == derived_id("fr", "charge", mo_id, "mt")

    def test_costs_what_its_own_tariff_says_before_that_of_the_code(self) -> None:
        extra = [
            *keyword("PROMO", "quiz", on=ON_DELIVERED),
            tariff(ON_DELIVERED, 1_000_000, "PROMO"),
        ]
        matched = given(book=in_memory(*extra)).when(mo("PROMO")).fact(KeywordMatched)
        assert (matched.price, matched.tariff) == (1_000_000, f"t-{ON_DELIVERED}-PROMO")

    def test_is_answered_without_a_charge_where_it_costs_nothing(self) -> None:
        happened = given().when(mo("GRATUIT"))
        free = some(MtEmitted, kind="content", billing_code="FREE", ref__charge=None)
        happened.then(MoReceived, KeywordMatched, free)
        assert happened.fact(MtEmitted).ref.service == "quiz"


class TestMatch:
    """What a text asks for."""

    @pytest.mark.parametrize(
        ("text", "wanted", "argument"),
        [
            pytest.param("JEU 42", "JEU", "42", id="a word and its argument"),
            pytest.param("jeu", "JEU", "", id="small letters"),
            pytest.param("  jéu!!! 42", "JEU", "42", id="accents and glued punctuation"),
            pytest.param("\uff2a\uff25\uff35 42", "JEU", "42", id="full-width letters"),
            pytest.param("JEU:42", "JEU", "42", id="a colon for a space"),
            pytest.param("\x00JEU\x00 4\x002", "JEU", "4\x002", id="NUL"),
            pytest.param("JEU \U0001f3b2", "JEU", "\U0001f3b2", id="emoji as argument"),
            pytest.param("jeu plus rouge", "JEU PLUS", "rouge", id="the longest keyword"),
            pytest.param("JEU\u00a0PLUS", "JEU PLUS", "", id="a space that does not break"),
            pytest.param("JEU PLUSIEURS", "JEU", "PLUSIEURS", id="not half a word"),
            pytest.param("JEU " + "x" * 1996, "JEU", "x" * 1996, id="2,000 characters"),
        ],
    )
    def test_finds_keyword_and_argument(self, text: str, wanted: str, argument: str) -> None:
        happened = given().when(mo(text)).then(*SOLD)
        assert happened.fact(KeywordMatched).keyword == wanted
        assert happened.fact(MtEmitted).parts == 1
        assert happened.book.text_of(happened.fact(KeywordMatched)) == argument
        assert happened.book.text_of(happened.fact(MoReceived)) == text

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            pytest.param("RIEN", "unknown_keyword", id="a word nobody sells"),
            pytest.param("JEUX", "unknown_keyword", id="a longer word"),
            pytest.param("x" * 2000, "unknown_keyword", id="2,000 characters"),
            pytest.param("\ufffd\ufffd", "no_words", id="what is left of broken UTF-8"),
            pytest.param("", "no_words", id="empty"),
            pytest.param(" \n\t", "no_words", id="blank"),
            pytest.param("\U0001f600\U0001f600", "no_words", id="emoji alone"),
            pytest.param("...!", "no_words", id="punctuation alone"),
            pytest.param("FUTUR", "not_on_sale", id="a service that is not there yet"),
        ],
    )
    def test_never_charges_a_text_that_asks_for_nothing(self, text: str, reason: str) -> None:
        happened = given().when(mo(text)).then(*unmatched(reason))
        assert happened.answer.text == "Inconnu sur 81014"
        assert happened.answer.billing_code == "FREE"

    def test_is_not_made_on_a_code_that_nobody_opened(self) -> None:
        happened = given().when(mo("JEU", short_code=UNKNOWN_CODE))
        happened.then(MoReceived, some(KeywordUnmatched, reason="unknown_code"))
        assert (happened.answer.mt, happened.answer.text) == (None, "")

    def test_is_not_made_on_a_code_that_another_operator_alone_opened(self) -> None:
        happened = given().when(mo("JEU", short_code=CHEAP, smsc="sfr"))
        happened.then(MoReceived, some(KeywordUnmatched, reason="unknown_code"))

    def test_is_not_made_where_the_keyword_has_no_price(self) -> None:
        extra = [code("85014"), *keyword("JEU", "quiz", on="85014")]
        step = given(book=in_memory(*extra)).when(mo("JEU", short_code="85014"))
        step.then(*unmatched("not_on_sale"))

    def test_passes_over_a_keyword_that_was_withdrawn(self) -> None:
        withdrawn = KeywordWithdrawn(
            short_code=ON_DELIVERED, keyword="JEU PLUS", effective_from=NOON
        )
        matched = given(book=in_memory(withdrawn)).when(mo("JEU PLUS")).fact(KeywordMatched)
        assert (matched.keyword, matched.service) == ("JEU", "quiz")

    @pytest.mark.parametrize(
        ("text", "choice"),
        [
            ("VOTE 1", "1"),
            ("VOTE 1.", "1"),
            ("VOTE \uff11", "1"),
            ("VOTE peut-être", "PEUT ETRE"),
            ("VOTE 3", None),
            ("VOTE 1 merci", None),
            ("VOTE", None),
        ],
    )
    def test_shows_an_argument_only_as_one_of_the_choices(
        self, text: str, choice: str | None
    ) -> None:
        assert given().when(mo(text)).fact(KeywordMatched).choice == choice

    def test_does_not_take_punctuation_for_no_choice_at_all(self) -> None:
        extra = [service("signe", choices=("+", "!")), *keyword("SIGNE", "signe", on=ON_DELIVERED)]
        assert given(book=in_memory(*extra)).when(mo("SIGNE")).fact(KeywordMatched).choice is None


class TestRefused:
    """A message that is not even taken in; nothing of it is left."""

    def test_from_a_gateway_that_nobody_declared(self) -> None:
        given().when(mo(gateway="stranger")).refused(UnknownGateway, "stranger").left()

    def test_over_a_link_that_the_gateway_was_not_declared_with(self) -> None:
        given().when(mo(smsc="elsewhere")).refused(UnknownLink, "elsewhere").left()

    def test_under_rules_that_the_book_does_not_follow(self) -> None:
        book = in_memory()
        other = book.beside(rule_book(SETTINGS.replace('"FREE"', '"GRATIS"')))
        given(book=other).when(mo()).refused(RulesOutdated, "start again").left()

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param({"short_code": "12"}, id="a short code of two digits"),
            pytest.param({"short_code": "BANQUE"}, id="letters for a code"),
            pytest.param({"gateway_message_id": ""}, id="no id"),
            pytest.param({"gateway_message_id": "x" * 129}, id="an id without end"),
        ],
    )
    def test_with_values_that_could_not_be_read_back(self, fields: dict[str, str]) -> None:
        given().when(mo(**fields)).refused(FactRefused, "mo_received").left()


class TestRaced:
    """A message that is decided beside others."""

    def test_by_itself_is_taken_in_once_and_answered_twice_alike(self) -> None:
        book = in_memory()
        before = len(book.rows)
        message = mo("JEU 42")
        one, other = together(book, lambda: book.take_in(message), lambda: book.take_in(message))
        assert one._replace(repeated=True) == other
        assert len(book.rows) - before == 4

    def test_by_itself_between_reading_and_writing_is_taken_in_once(self) -> None:
        book = in_memory()
        before = len(book.rows)
        message = mo("JEU 42")
        answer = overtaken(book, lambda: book.receive(message), by=lambda: book.receive(message))
        assert (answer.repeated, answer.text) == (True, "Merci pour 42, 3.00 EUR")
        assert len(book.rows) - before == 4

    def test_by_other_content_under_its_id_leaves_one_conflict(self) -> None:
        book = in_memory()
        first, second = mo("JEU 1"), mo("JEU 2")
        answer, conflict = together(book, lambda: book.take_in(first), lambda: book.take_in(second))
        assert answer.text == "Merci pour 1, 3.00 EUR"
        assert type(conflict).__name__ == "ConflictingDuplicate"
        assert len(book.facts(MtEmitted)) == 1

    def test_by_a_new_price_is_decided_again_under_it(self) -> None:
        book = in_memory()
        dearer = tariff(ON_DELIVERED, 4_000_000, effective_from=NOON)
        answer = overtaken(book, lambda: book.receive(mo()), by=lambda: book.add(dearer, n=1))
        assert answer.text == "Merci pour 42, 4.00 EUR"
        (matched,) = book.facts(KeywordMatched)
        assert matched.catalogue_position == len(book.rows) - 4

    def test_by_the_opening_of_its_own_code_is_answered(self) -> None:
        book = in_memory()
        elsewhere = book.beside()
        elsewhere.add(
            code("85014"), *keyword("JEU", "quiz", on="85014"), tariff("85014", 2_000_000)
        )
        assert book.receive(mo("JEU", short_code="85014")).text == "Merci pour , 2.00 EUR"

    def test_by_the_declaration_of_its_own_gateway_is_taken_in(self) -> None:
        book = in_memory()
        book.beside().add(gateway("newcomer"))
        assert book.receive(mo(gateway="newcomer")).text
        assert book.facts(ChargeRefused) == []
