"""Prices of a message and of its answer, held against what the rules allow on the code."""

import pytest

from ledger.decisions.catalogue import RulesAt
from ledger.facts.catalogue import TariffSet
from ledger.money import Rate, parse_micros
from ledger.rules.inforce import MoCharge
from tests.support.catalogues import (
    HEAD,
    RULES,
    SMALL,
    after,
    empty_book,
    rules_with,
    told,
    wanted,
)
from tests.support.packs import edited

OLD = 'code = "81014"\nprice = "3.00"'
SINCE = ", from 2026-03-01 on"
BILLED = MoCharge(taxed_as="content", free=frozenset())


def priced(mo: str, mt: str) -> str:
    """Write the small catalogue with other prices on 81014: of the message and of the answer."""
    return edited(SMALL, (OLD, f'code = "81014"\nprice = "{mt}"\nmo_price = "{mo}"'))


def both(**changed: object) -> RulesAt:
    """Give rules by which each leg on 8xxxx may be charged, 4.50 at most and 1.00 at least."""
    return rules_with(billing_point="both", mo_charge=BILLED, **changed)


class TestBothLegs:
    """A code on which operators charge a message and its answer."""

    @pytest.mark.parametrize(("mo", "mt"), [("1.00", "2.00"), ("0", "4.50"), ("4.50", "0")])
    def test_have_prices_of_their_own(self, mo: str, mt: str) -> None:
        rules = both(ceiling_on="legs_together")
        drafts = wanted(priced(mo, mt), empty_book(), rules_at=rules)
        (tariff,) = (
            draft.fact
            for draft in drafts
            if isinstance(draft.fact, TariffSet) and draft.fact.tariff == "t-300"
        )
        assert (tariff.mo_price, tariff.price) == (parse_micros(mo), parse_micros(mt))

    @pytest.mark.parametrize(
        ("how", "mo", "mt", "field", "text"),
        [
            # 2.51 and 2.00 are 4.51.
            (
                "legs_together",
                "2.51",
                "2.00",
                "price",
                "4.51 for a message and its answer is above the ceiling of 8xxxx, 4.50",
            ),
            (
                "legs_together",
                "0.50",
                "0.49",
                "price",
                "0.99 for a message and its answer is below the floor of 8xxxx, 1.00",
            ),
            ("legs_together", "0", "0.99", "price", "0.99 is below the floor of 8xxxx, 1.00"),
            ("legs_together", "4.51", "0", "mo_price", "4.51 is above the ceiling of 8xxxx, 4.50"),
            ("each_leg", "4.51", "2.00", "mo_price", "4.51 is above the ceiling of 8xxxx, 4.50"),
            ("each_leg", "2.00", "0.99", "price", "0.99 is below the floor of 8xxxx, 1.00"),
            ("each_leg", "0", "0", "price", "0.00 is below the floor of 8xxxx, 1.00"),
        ],
    )
    def test_are_held_against_ceiling_and_floor(
        self, *, how: str, mo: str, mt: str, field: str, text: str
    ) -> None:
        problems = told(priced(mo, mt), rules_at=both(ceiling_on=how))
        assert (f"tariffs[1].{field}", text) in problems

    def test_of_more_than_the_ceiling_together_are_taken_where_it_bounds_each(self) -> None:
        rules = both(ceiling_on="each_leg")
        assert wanted(priced("4.50", "4.50"), empty_book(), rules_at=rules)

    @pytest.mark.parametrize(
        ("point", "mo", "mt", "field", "text"),
        [
            ("mt", "1.00", "2.00", "mo_price", "a consumer's own message is not charged"),
            ("mo", "1.00", "2.00", "price", "only a consumer's own message is charged"),
        ],
    )
    def test_have_no_price_where_operators_do_not_charge_them(
        self, *, point: str, mo: str, mt: str, field: str, text: str
    ) -> None:
        problems = told(priced(mo, mt), rules_at=rules_with(billing_point=point))
        assert [place for place, what in problems if text in what] == [f"tariffs[1].{field}"]

    def test_may_be_the_message_alone(self) -> None:
        rules = rules_with(billing_point="mo", mo_charge=BILLED)
        assert wanted(priced("1.00", "0"), empty_book(), rules_at=rules)

    def test_are_each_captured_somehow(self) -> None:
        # Nothing is set that captures a message at 20815, nor an answer.
        text = priced("1.00", "2.00").replace('"20810"', '"20815"')
        found = [what for _, what in told(text, rules_at=both())]
        assert f"nothing is set that captures the mo of 81014 with 20815{SINCE}" in found
        assert f"nothing is set that captures the mt of 81014 with 20815{SINCE}" in found

    def test_each_divide_without_anybody_getting_less_than_nothing(self) -> None:
        # Of 0.50 net of 20 % of tax, 0.416666 2/3, the operator owes 0.208333 1/3: too little
        # for a fixed 0.25 a message, which 2.00 allows.
        fixed = edited(
            priced("0.50", "2.00"),
            (
                'merchant = "astro"\nshare = "80 %"\nof = "reversement"',
                'merchant = "astro"\namount = "0.25"',
            ),
        )
        problems = told(fixed, rules_at=both(ceiling_on="legs_together"))
        # 52 % of 0.416666 2/3 are 0.216666 2/3 at the other operator, too little as well.
        assert problems == [
            (
                "merchant_contracts[2].amount",
                f"at {operator}, the aggregator share of 0.50 would be negative{SINCE}",
            )
            for operator in ("20801", "20810")
        ]

    def test_ask_for_a_contract_with_the_operator_also_for_the_message_alone(self) -> None:
        text = priced("1.00", "0").partition("[[operator_contracts]]")[0]
        rules = rules_with(billing_point="mo", mo_charge=BILLED)
        assert (
            "tariffs[1].tariff",
            f"no contract with 20801 covers t-300 of 81014{SINCE}",
        ) in told(text, rules_at=rules)


KEYWORDS_OWN = """\
[[tariffs]]
tariff = "t-jeu"
code = "81014"
keyword = "JEU"
price = "2.00"
mo_price = "1.00"
currency = "EUR"
billing_code = "P200"
"""


BY_KEYWORD = both(ceiling_on="legs_together", price_attaches_to="short_code_and_keyword", floor=0)


class TestUnmatched:
    """A message that no keyword matches, where operators charge it all the same."""

    def without_the_codes_price(self) -> str:
        """Write the small catalogue with a price of the keyword JEU, and none of the code."""
        tariff = SMALL[SMALL.index("[[tariffs]]") : SMALL.index('[[tariffs]]\ntariff = "t-050"')]
        astro = KEYWORDS_OWN.replace("JEU", "ASTRO").replace("t-jeu", "t-astro")
        return edited(SMALL, (tariff, KEYWORDS_OWN + astro.replace('"1.00"', '"0"')))

    def test_costs_what_its_code_does_so_the_code_has_a_price(self) -> None:
        assert told(self.without_the_codes_price(), rules_at=BY_KEYWORD) == [
            (
                "tariffs[1].keyword",
                f"81014 itself has no price, which a message without keyword costs{SINCE}",
            )
        ]

    def test_asks_for_no_price_of_the_code_where_it_goes_free(self) -> None:
        free = MoCharge(taxed_as="content", free=frozenset({"unmatched"}))
        rules = rules_with(
            billing_point="both",
            ceiling_on="legs_together",
            price_attaches_to="short_code_and_keyword",
            mo_charge=free,
        )
        assert wanted(self.without_the_codes_price(), empty_book(), rules_at=rules)

    def test_needs_a_tax_rate_of_its_own(self) -> None:
        odd = MoCharge(taxed_as="press", free=frozenset())
        rules = rules_with(billing_point="both", ceiling_on="legs_together", mo_charge=odd)
        assert told(priced("1.00", "2.00"), rules_at=rules) == [
            (
                "tariffs[1].mo_price",
                "the rules have no tax rate for press, as a message without keyword is" + SINCE,
            )
        ]

    def test_is_taxed_as_its_range_is_where_that_has_one_category(self) -> None:
        odd = MoCharge(taxed_as="press", free=frozenset())
        rules = rules_with(
            billing_point="both",
            ceiling_on="legs_together",
            mo_charge=odd,
            tax_category="content",
            tax_rates={"content": Rate(1, 5)},
        )
        assert wanted(priced("1.00", "2.00"), empty_book(), rules_at=rules)


class TestRepeated:
    """The same prices again."""

    def test_record_nothing(self) -> None:
        rules = both(ceiling_on="legs_together")
        text = priced("1.00", "2.00")
        known = after(text, rules_at=rules)
        assert wanted(text, known, rules_at=rules, has_traffic=True) == []

    def test_of_another_message_are_a_new_fact(self) -> None:
        rules = both(ceiling_on="legs_together")
        known = after(priced("1.00", "2.00"), rules_at=rules)
        changed = (
            f'{HEAD}[[tariffs]]\ntariff = "t-300"\n{OLD.replace("3.00", "2.00")}\n'
            'mo_price = "1.50"\ncurrency = "EUR"\nbilling_code = "P300"\n'
            "effective_from = 2026-07-01\n"
        )
        (draft,) = wanted(changed, known, rules_at=rules)
        assert isinstance(draft.fact, TariffSet)
        assert (draft.fact.mo_price, draft.n) == (1_500_000, 1)


def test_a_french_answer_alone_is_charged() -> None:
    """A control: the French pack charges no message of a consumer's."""
    assert RULES.at(after(SMALL).book.occurred_at).range_of("81014").billing_point == "mt"
