"""The catalogue folded from its facts: what was true of a code, keyword or price at an instant."""

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.catalogue import Catalogue, key_of
from ledger.facts.catalogue import (
    KeywordAssigned,
    KeywordWithdrawn,
    ShortCodeClosed,
)
from tests.support.book import in_memory
from tests.support.builders import (
    NOON,
    ON_DELIVERED,
    OPENING,
    ORANGE,
    SFR,
    catalogue,
    code,
    gateway,
    mo,
    percent,
    service,
    tariff,
    with_merchant,
    with_operator,
)
from tests.support.catalogues import as_stored, folded

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


def assigned(to: str, at: datetime, words: str = "JEU") -> KeywordAssigned:
    """Assign a keyword from some instant on."""
    return KeywordAssigned(
        short_code="81014", keyword=words, service=to, merchant="ludotel", effective_from=at
    )


class TestAt:
    """What is in force at an instant."""

    @pytest.mark.parametrize(
        ("at", "price"),
        [
            (NOON - INSTANT, None),
            (NOON, 3_000_000),
            (NOON + DAY - INSTANT, 3_000_000),
            (NOON + DAY, 1_000_000),
            (NOON + 9 * DAY, 1_000_000),
        ],
    )
    def test_is_what_was_set_last_before_it(self, at: datetime, price: int | None) -> None:
        known = folded(
            tariff("81014", 3_000_000, effective_from=NOON),
            tariff("81014", 1_000_000, effective_from=NOON + DAY),
        )
        found = known.tariff("81014", "JEU", at)
        assert (found.fact.price if found else None) == price

    def test_does_not_depend_on_the_order_in_which_it_was_learnt(self) -> None:
        early = service("quiz", publisher="Old", effective_from=NOON)
        late = service("quiz", publisher="New", effective_from=NOON + DAY)
        for facts in ((early, late), (late, early)):
            known = folded(*facts)
            found = [known.service("quiz", at) for at in (NOON, NOON + DAY)]
            assert found == [early, late]

    def test_of_the_same_moment_goes_to_what_was_said_last(self) -> None:
        known = folded(service("quiz", publisher="First"), service("quiz", publisher="Second"))
        found = known.service("quiz", NOON)
        assert found is not None
        assert found.publisher == "Second"

    def test_of_an_old_day_stays_the_same(self) -> None:
        known = folded(tariff("81014", 3_000_000))
        later = known.advance(
            as_stored([tariff("81014", 1_000_000, effective_from=NOON)], known.position + 1)
        )
        assert later.tariff("81014", "", NOON - INSTANT) == known.tariff("81014", "", NOON)

    def test_is_nothing_of_what_nobody_declared(self) -> None:
        known = folded()
        assert known.gateway("kannel", NOON) is None
        assert known.merchant("ludotel", NOON) is None
        assert known.service("quiz", NOON) is None
        assert known.code("81014", ORANGE, NOON) is None
        assert known.assignment("81014", "JEU", NOON) is None
        assert known.tariff("81014", "JEU", NOON) is None
        assert known.operator_contract(ORANGE, "t", NOON) is None
        assert known.merchant_contract("ludotel", ORANGE, "t", NOON) is None


class TestCodes:
    """Short codes, operator by operator."""

    CLOSED = ShortCodeClosed(short_code="81014", operator=ORANGE, effective_from=NOON)

    def test_are_there_until_they_are_closed(self) -> None:
        known = folded(code("81014"), self.CLOSED)
        assert known.code("81014", ORANGE, NOON - INSTANT)
        assert known.code("81014", ORANGE, NOON) is None

    def test_may_be_opened_again(self) -> None:
        known = folded(code("81014"), self.CLOSED, code("81014", effective_from=NOON + DAY))
        assert known.code("81014", ORANGE, NOON + DAY)

    def test_of_one_operator_are_not_those_of_another(self) -> None:
        assert folded(code("81014", SFR)).code("81014", ORANGE, NOON) is None


class TestKeywords:
    """Keywords and where they lead."""

    WITHDRAWN = KeywordWithdrawn(short_code="81014", keyword="JEU", effective_from=NOON)

    def test_lead_somewhere_until_they_are_withdrawn(self) -> None:
        known = folded(assigned("quiz", OPENING), self.WITHDRAWN)
        found = known.assignment("81014", "JEU", NOON - INSTANT)
        assert found is not None
        assert found.service == "quiz"
        assert known.assignment("81014", "JEU", NOON) is None

    def test_are_remembered_after_they_were_withdrawn(self) -> None:
        known = folded(assigned("quiz", OPENING), self.WITHDRAWN, assigned("x", NOON, "VOTE"))
        assert known.keywords == {"81014": {"JEU", "VOTE"}}

    def test_have_a_price_of_their_own_or_the_codes(self) -> None:
        known = folded(
            tariff("81014", 3_000_000),
            tariff("81014", 1_000_000, "JEU", effective_from=NOON),
        )
        assert known.tariff("81014", "JEU", NOON - INSTANT).fact.price == 3_000_000
        assert known.tariff("81014", "JEU", NOON).fact.price == 1_000_000
        assert known.tariff("81014", "VOTE", NOON).fact.price == 3_000_000

    def test_of_no_price_of_their_own_cost_what_their_code_does(self) -> None:
        known = folded(
            tariff("81014", 3_000_000),
            tariff("81014", 1_000_000, "JEU"),
            tariff("81014", 2_000_000, effective_from=NOON),
        )
        prices = [known.code_tariff("81014", at) for at in (NOON - INSTANT, NOON)]
        assert [one and one.fact.price for one in prices] == [3_000_000, 2_000_000]
        assert known.code_tariff("72100", NOON) is None


class TestContracts:
    """The terms with operators and merchants."""

    def test_with_an_operator_are_those_of_the_tariff_first(self) -> None:
        known = folded(
            with_operator(ORANGE, percent(50, "price_net_of_tax")),
            with_operator(ORANGE, percent(60, "price_net_of_tax"), tariff="t-1"),
        )
        rates = [known.operator_contract(ORANGE, t, NOON).fact.share.rate for t in ("t-1", "t-2")]
        assert [rate.numerator for rate in rates] == [60, 50]

    @pytest.mark.parametrize(
        ("operator", "on", "percentage"),
        [(ORANGE, "t-1", 4), (SFR, "t-1", 3), (ORANGE, "t-2", 2), (SFR, "t-2", 1)],
    )
    def test_with_a_merchant_are_the_most_particular(
        self, operator: str, on: str, percentage: int
    ) -> None:
        known = folded(
            with_merchant("ludotel", percent(1, "reversement")),
            with_merchant("ludotel", percent(2, "reversement"), operator=ORANGE),
            with_merchant("ludotel", percent(3, "reversement"), tariff="t-1"),
            with_merchant("ludotel", percent(4, "reversement"), operator=ORANGE, tariff="t-1"),
        )
        found = known.merchant_contract("ludotel", operator, on, NOON)
        assert found is not None
        assert found.fact.share == percent(percentage, "reversement")

    def test_are_named_by_the_fact_that_agreed_them(self) -> None:
        facts = as_stored([with_operator(ORANGE, percent(50, "price_net_of_tax"))])
        found = Catalogue().advance(facts).operator_contract(ORANGE, "t", NOON)
        assert found is not None
        assert found.id == facts[0].id

    def test_are_found_by_the_fact_that_agreed_them_also_when_others_are_in_force(self) -> None:
        old = with_merchant("ludotel", percent(1, "reversement"), refunds_borne_by="merchant")
        new = with_merchant("ludotel", percent(2, "reversement"), effective_from=NOON)
        facts = as_stored([old, new])
        known = Catalogue().advance(facts[:1]).advance(facts[1:])
        assert [known.contract(one.id).fact for one in facts] == [old, new]
        assert known.contract(facts[0].id).fact.refunds_borne_by == "merchant"
        assert known.contract("0" * 32) is None


class TestGateways:
    """Gateways as they were declared."""

    def test_are_as_declared_last(self) -> None:
        known = folded(gateway("kannel"), gateway("kannel", recycles_ids=True))
        found = known.gateway("kannel", NOON)
        assert found is not None
        assert found.recycles_ids

    def test_are_not_yet_what_they_will_be(self) -> None:
        later = NOON + timedelta(hours=1)
        changed = gateway("kannel", recycles_ids=True, effective_from=later)
        known = folded(gateway("kannel"), changed)
        answers = [known.gateway("kannel", at) for at in (NOON, later)]
        assert [one and one.recycles_ids for one in answers] == [False, True]


class TestAdvance:
    """Taking further facts in."""

    def test_in_one_go_or_in_several_gives_the_same(self) -> None:
        facts = in_memory().recorded
        whole = Catalogue().advance(facts)
        pieces = Catalogue().advance(facts[:3]).advance(facts[3:50]).advance(facts[50:])
        assert pieces == whole

    def test_of_what_is_known_already_changes_nothing(self) -> None:
        facts = in_memory().recorded
        known = Catalogue().advance(facts)
        assert known.advance(facts) is known

    def test_leaves_the_earlier_catalogue_as_it_was(self) -> None:
        facts = in_memory().recorded
        before = Catalogue().advance(facts[:50])
        kept = (before.position, dict(before.versions), dict(before.keywords))
        before.advance(facts[50:])
        assert (before.position, dict(before.versions), dict(before.keywords)) == kept

    def test_passes_over_facts_of_the_traffic(self) -> None:
        book = in_memory()
        known = Catalogue().advance(book.recorded)
        book.receive(mo("JEU"))
        after = known.advance(book.recorded)
        assert after._replace(position=0) == known._replace(position=0)

    def test_gives_traffic_no_key(self) -> None:
        book = in_memory()
        book.receive(mo("JEU", short_code=ON_DELIVERED))
        assert {key_of(fact) for fact in book.facts()[-4:]} == {None}

    @given(st.randoms(use_true_random=False))
    def test_answers_alike_whatever_the_order_of_different_things(
        self, shuffled: random.Random
    ) -> None:
        facts = catalogue()
        known = folded(*facts)
        shuffled.shuffle(facts)
        other = folded(*facts)
        assert other.keywords == known.keywords
        assert {key: [one.fact for one in found] for key, found in other.versions.items()} == {
            key: [one.fact for one in found] for key, found in known.versions.items()
        }
