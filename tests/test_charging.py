"""May this be charged, and how does it divide: authorized with all it rests on, or refused."""

from datetime import timedelta

import pytest

from ledger.facts.catalogue import ContractAgreed
from ledger.facts.charges import ChargeAuthorized, ChargeRefused
from ledger.facts.registry import fact_id
from ledger.facts.traffic import KeywordMatched, MoReceived, MtEmitted
from ledger.money import FixedAmount, Waterfall
from tests.support.book import FRENCH, in_memory, overtaken, rule_book
from tests.support.builders import (
    CHEAP,
    DONATION,
    FREE,
    NOON,
    ON_ACCEPTED,
    ON_DELIVERED,
    ON_FILE,
    ON_FLAG,
    ORANGE,
    SETTINGS,
    code,
    keyword,
    mo,
    paris,
    percent,
    tariff,
    with_merchant,
    with_operator,
)
from tests.support.given import given, some

ERROR = some(MtEmitted, kind="error", billing_code="FREE", ref__charge=None, ref__merchant=None)


class TestAuthorize:
    """A charge that may be made."""

    def test_of_three_euros_divides_as_agreed(self) -> None:
        # 3.00 with 20 % tax: 0.50 tax, net 2.50. Orange owes half of it, 1.25, and keeps 1.25.
        # Ludotel gets four fifths of 1.25 = 1.00, and 0.25 is ours.
        charge = given().when(mo("JEU")).fact(ChargeAuthorized)
        assert charge.amounts == Waterfall(
            price=3_000_000, tax=500_000, operator=1_250_000, aggregator=250_000, merchant=1_000_000
        )

    def test_of_five_cents_divides_to_the_micro(self) -> None:
        # 0.05 = 8,333.33 tax + 20,833.33 Orange + 4,166.67 ours + 16,666.67 Ludotel, in micros;
        # the two left over go to the remainders of .67.
        charge = given().when(mo("JEU", short_code=CHEAP)).fact(ChargeAuthorized)
        assert charge.amounts == Waterfall(
            price=50_000, tax=8_333, operator=20_833, aggregator=4_167, merchant=16_667
        )

    def test_of_a_donation_leaves_all_to_the_charity(self) -> None:
        charge = given().when(mo("DON", short_code=DONATION)).fact(ChargeAuthorized)
        assert charge.amounts == Waterfall(
            price=5_000_000, tax=0, operator=0, aggregator=0, merchant=5_000_000
        )

    def test_names_all_that_it_rests_on(self) -> None:
        happened = given().when(mo("JEU"))
        ref = happened.fact(ChargeAuthorized).ref
        recorded = {one.id: one.fact for one in happened.book.recorded}
        assert recorded[ref.operator_contract].operator == ORANGE
        assert recorded[ref.merchant_contract].merchant == "ludotel"
        assert recorded[ref.rules].settings == FRENCH.settings.values()
        assert (ref.leg, ref.category, ref.acting) == ("mt", "content", "agent")
        assert (ref.tariff, ref.short_code, ref.operator) == ("t-81014", ON_DELIVERED, ORANGE)
        assert ref.mo == happened.answer.mo

    def test_rides_on_the_answer(self) -> None:
        happened = given().when(mo("JEU"))
        charge, sent = happened.fact(ChargeAuthorized), happened.fact(MtEmitted)
        assert sent.ref.charge == charge.ref.charge
        assert (sent.billing_code, sent.parts) == ("P3000000", 1)
        assert (sent.ref.merchant, sent.ref.service) == ("ludotel", "quiz")

    @pytest.mark.parametrize(
        ("short_code", "event"),
        [
            (ON_DELIVERED, "delivered"),
            (ON_ACCEPTED, "smsc_accepted"),
            (ON_FLAG, "billed_flag"),
            (ON_FILE, "operator_file"),
        ],
    )
    def test_keeps_what_will_capture_it(self, short_code: str, event: str) -> None:
        message = mo("JEU", short_code=short_code)
        assert given().when(message).fact(ChargeAuthorized).captures_on == event

    @pytest.mark.parametrize(
        ("local", "day"),
        [
            ("2026-07-31T23:59:50", "2026-07-31"),
            ("2026-08-01T00:00:00", "2026-08-01"),
            # Clocks go forward at 02:00 on 29 March and back at 03:00 on 25 October 2026.
            ("2026-03-29T00:00:00", "2026-03-29"),
            ("2026-03-29T23:59:59", "2026-03-29"),
            ("2026-10-25T00:00:00", "2026-10-25"),
            ("2026-10-25T02:30:00", "2026-10-25"),
            ("2026-10-25T02:30:00+", "2026-10-25"),
            ("2026-10-25T23:59:59", "2026-10-25"),
        ],
    )
    def test_counts_on_the_local_day_of_the_message(self, local: str, day: str) -> None:
        book = in_memory()
        book.clock.now = paris(local)
        assert str(given(book=book).when(mo("JEU")).fact(ChargeAuthorized).value_day) == day

    def test_is_made_for_each_message_anew(self) -> None:
        book = in_memory()
        charges = [given(book=book).when(mo("JEU")).fact(ChargeAuthorized) for _ in range(3)]
        assert len({one.ref.charge for one in charges}) == 3

    def test_acts_as_the_settings_say(self) -> None:
        rules = rule_book(SETTINGS.replace('"agent"', '"principal"'))
        charge = given(book=in_memory(rules=rules)).when(mo("JEU")).fact(ChargeAuthorized)
        assert charge.ref.acting == "principal"

    @pytest.mark.parametrize(
        ("contract", "merchant_gets"),
        [
            # Of the 1.25 that Orange owes: the terms on the tariff win over those with the
            # operator, and these over the merchant's own four fifths, 1.00.
            ({"tariff": "t-81014"}, 125_000),
            ({"operator": ORANGE}, 125_000),
            ({"operator": ORANGE, "tariff": "t-81014"}, 125_000),
            ({"operator": FREE}, 1_000_000),
            ({"tariff": "t-82014"}, 1_000_000),
            ({"tariff": "t-81014", "effective_from": NOON + timedelta(seconds=1)}, 1_000_000),
        ],
    )
    def test_goes_by_the_most_particular_terms_in_force(
        self, contract: dict[str, object], merchant_gets: int
    ) -> None:
        tenth = with_merchant("ludotel", percent(10, "reversement"), **contract)
        book = in_memory()
        book.add(tenth, n=1)
        charge = given(book=book).when(mo("JEU")).fact(ChargeAuthorized)
        assert charge.amounts.merchant == merchant_gets


class TestRefuse:
    """A charge that may not be made: told by a fact, and answered free."""

    @pytest.mark.parametrize(
        ("message", "rule"),
        [
            pytest.param(mo("CHER"), "price_above_ceiling", id="one micro over the ceiling"),
            pytest.param(mo("JEU", smsc="free"), "no_operator_contract", id="operator"),
            pytest.param(mo("NEUF"), "no_merchant_contract", id="merchant"),
            pytest.param(mo("PRESSE"), "no_tax_rate", id="a category without a rate"),
            pytest.param(mo("JEU", smsc="bouygues"), "no_capture_setting", id="capture"),
            pytest.param(mo("AVIDE"), "impossible_split", id="more owed than there is"),
        ],
    )
    def test_says_which_rule_and_answers_free(self, message: object, rule: str) -> None:
        happened = given().when(message)
        happened.then(MoReceived, KeywordMatched, some(ChargeRefused, rule=rule), ERROR)
        assert (happened.answer.text, happened.answer.billing_code) == ("Inconnu sur 81014", "FREE")

    @pytest.mark.parametrize(
        "kept",
        [
            pytest.param(
                with_operator(ORANGE, percent(99, "price_with_tax"), tariff=f"t-{DONATION}"),
                id="by the operator",
            ),
            pytest.param(with_merchant("croix", percent(99, "reversement")), id="by us"),
        ],
    )
    def test_of_a_donation_that_somebody_keeps_a_part_of(self, kept: ContractAgreed) -> None:
        # The catalogue refuses such terms; these were agreed before the rules said so.
        book = in_memory()
        book.add(kept, n=1)
        refused = given(book=book).when(mo("DON", short_code=DONATION)).fact(ChargeRefused)
        assert refused.rule == "not_passed_on_whole"

    def test_names_amount_and_limit(self) -> None:
        # Codes 8xxxx may cost 4.50 at most.
        refused = given().when(mo("CHER")).fact(ChargeRefused)
        assert (refused.amount, refused.limit, refused.currency) == (4_500_001, 4_500_000, "EUR")
        assert given().when(mo("NEUF")).fact(ChargeRefused).limit is None

    def test_does_not_begin_at_the_ceiling_itself(self) -> None:
        book = in_memory()
        book.add(tariff(ON_DELIVERED, 4_500_000, effective_from=NOON), n=1)
        assert given(book=book).when(mo("JEU")).fact(ChargeAuthorized).amounts.price == 4_500_000

    def test_concerns_every_code_outside_the_ranges(self) -> None:
        extra = [code("110"), *keyword("JEU", "quiz", on="110"), tariff("110", 1)]
        step = given(book=in_memory(*extra)).when(mo("JEU", short_code="110"))
        refused = step.fact(ChargeRefused)
        assert (refused.rule, refused.limit) == ("price_above_ceiling", 0)

    def test_leaves_the_name_of_the_charge_that_was_not_made(self) -> None:
        happened = given().when(mo("NEUF"))
        refused = happened.fact(ChargeRefused)
        assert (refused.mo, refused.merchant, refused.service) == (
            happened.answer.mo,
            "neuf",
            "sansbail",
        )
        assert happened.appended[2].id == fact_id("fr", ChargeRefused, refused.charge)

    def test_overtaken_by_the_missing_contract_is_authorized(self) -> None:
        book = in_memory()
        missing = with_operator(FREE, FixedAmount(1_000_000))
        message = mo("JEU", smsc="free")
        answer = overtaken(book, lambda: book.receive(message), by=lambda: book.add(missing))
        assert answer.billing_code == "P3000000"
        assert book.facts(ChargeRefused) == []

    def test_again_is_answered_alike(self) -> None:
        message = mo("NEUF", gateway_message_id="m-7")
        assert given(message).when(message).then().answer.text == "Inconnu sur 81014"

    def test_is_not_for_what_costs_nothing(self) -> None:
        assert not given().when(mo("GRATUIT", smsc="bouygues")).book.facts(ChargeRefused)
