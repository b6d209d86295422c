"""Which prices and contracts a catalogue is refused for, each by its text and its place."""

import pytest

from tests.support.catalogues import HEAD, SMALL, after, contract, empty_book, told, wanted
from tests.support.packs import edited

WHOLE = "and donation is passed on whole"
# All of the price is the charity's: the code is for donations, which have no tax.
GIFT = edited(
    SMALL.replace('"81014"', '"92014"').replace('category = "content"', 'category = "donation"'),
    ('share = "50 %"\nof = "price_net_of_tax"', 'share = "100 %"\nof = "price_net_of_tax"'),
    ('share = "52 %"\nof = "price_net_of_tax"', 'share = "100 %"\nof = "price_net_of_tax"'),
).replace("80 %", "100 %")
PRICE = 'tariff = "t-300"\ncode = "81014"\nprice = "3.00"'


class TestTariffs:
    """Prices, and what the rules and contracts say of them."""

    @pytest.mark.parametrize(
        ("old", "new", "field", "text"),
        [
            ('"3.00"', '"4.51"', "price", "4.51 is above the ceiling of 8xxxx, 4.50"),
            ('"3.00"', '"0.99"', "price", "0.99 is below the floor of 8xxxx, 1.00"),
            ('"EUR"', '"CHF"', "currency", "CHF is not the book's currency, EUR"),
            ('"P300"', '"FREE"', "billing_code", "FREE tells the operators that a message is free"),
            (
                'code = "81014"\nprice',
                'code = "81014"\nkeyword = "JEU"\nprice',
                "keyword",
                "on 8xxxx the price is the code's, not a keyword's",
            ),
        ],
    )
    def test_are_refused(self, old: str, new: str, field: str, text: str) -> None:
        tariffs = SMALL.index("[[tariffs]]")
        changed = SMALL[:tariffs] + edited(SMALL[tariffs:], (old, new))
        assert (f"tariffs[1].{field}", text) in told(changed)

    def test_on_a_code_that_nobody_opened(self) -> None:
        text = edited(SMALL, (PRICE, PRICE.replace("81014", "81999")))
        assert ("tariffs[1].code", "no operator has opened 81999 by then") in told(text)

    def test_for_a_keyword_that_nobody_has(self) -> None:
        # It is also the code that has the price there, which is told beside it.
        text = (
            HEAD
            + '[[tariffs]]\ntariff = "t-x"\ncode = "81014"\nkeyword = "JEUX"\nprice = "1"\n'
            + 'currency = "EUR"\nbilling_code = "X"\n'
        )
        assert ("tariffs[1].keyword", "JEUX is no keyword of 81014") in told(text, after(SMALL))

    def test_under_the_name_of_another(self) -> None:
        text = edited(SMALL, ('tariff = "t-050"', 'tariff = "t-300"'))
        problems = told(text)
        assert ("tariffs[2].tariff", "t-300 is also the name of the tariff of 81014") in problems

    def test_whose_code_is_open_with_an_operator_that_has_no_contract(self) -> None:
        text = SMALL.replace(
            'contract = "two"\noperator = "20810"', 'contract = "two"\noperator = "20815"'
        )
        assert told(text) == [
            (
                "tariffs[1].tariff",
                "no contract with 20810 covers t-300 of 81014, from 2026-03-01 on",
            )
        ]


class TestContracts:
    """Shares, and whether a price can bear them."""

    @pytest.mark.parametrize(
        ("fields", "place", "text"),
        [
            (
                'contract = "n"\nmerchant = "ludi"',
                "merchant_contracts[1].merchant",
                "no merchant ludi is registered by then",
            ),
            (
                'contract = "n"\nmerchant = "ludo"\ntariff = "t-9"',
                "merchant_contracts[1].tariff",
                "there is no tariff t-9",
            ),
            (
                'contract = "n"\nmerchant = "ludo"\noperator = "20899"',
                "merchant_contracts[1].operator",
                "no code was ever opened with 20899",
            ),
            (
                'contract = "astro"\nmerchant = "ludo"',
                "merchant_contracts[1].contract",
                "astro is also the name of the contract with astro",
            ),
        ],
    )
    def test_name_what_there_is(self, fields: str, place: str, text: str) -> None:
        assert told(HEAD + contract("merchant", fields), after(SMALL)) == [(place, text)]

    def test_with_an_operator_are_no_share_of_themselves(self) -> None:
        text = HEAD + contract("operator", 'contract = "one"\noperator = "20801"')
        assert told(text, after(SMALL)) == [
            ("operator_contracts[1].share", "what the operator owes us cannot be a share of itself")
        ]

    def test_with_an_operator_leave_it_nothing_less_than_zero(self) -> None:
        # 90 % of 3.00 is 2.70, but only 2.50 is left once 20 % of tax are taken off.
        text = edited(
            SMALL,
            ('share = "50 %"\nof = "price_net_of_tax"', 'share = "90 %"\nof = "price_with_tax"'),
        )
        assert told(text) == [
            (
                "operator_contracts[1].share",
                f"at 20801, the operator share of {price} would be negative, from 2026-03-01 on",
            )
            for price in ("3.00", "0.50")
        ]

    def test_with_a_merchant_leave_us_nothing_less_than_zero(self) -> None:
        # A fixed 0.25 is fine of 3.00, but of 0.50 the operator owes us 0.208333 only.
        text = edited(
            SMALL,
            (
                'merchant = "ludo"\nshare = "80 %"\nof = "reversement"',
                'merchant = "ludo"\namount = "0.25"',
            ),
        )
        assert told(text) == [
            (
                "merchant_contracts[1].amount",
                "at 20801, the aggregator share of 0.50 would be negative, from 2026-03-01 on",
            )
        ]

    def test_are_judged_by_every_price_that_comes_later(self) -> None:
        # 0.25 is fine of 0.65 (the operator owes 0.270833), but not of 0.50 from August on.
        cheaper = (
            '[[tariffs]]\ntariff = "t-050"\ncode = "72100"\ncurrency = "EUR"\n'
            'billing_code = "P050"\nprice = "0.50"\neffective_from = 2026-08-01\n'
        )
        known = after(edited(SMALL, ('"0.50"', '"0.65"')), HEAD + cheaper)
        fixed = contract(
            "merchant",
            'contract = "ludo-logo"\nmerchant = "ludo"\ntariff = "t-050"\namount = "0.25"',
        )
        assert told(HEAD + fixed, known) == [
            (
                "merchant_contracts[1].amount",
                "at 20801, the aggregator share of 0.50 would be negative, from 2026-08-01 on",
            )
        ]

    def test_judge_a_price_that_comes_later(self) -> None:
        fixed = contract(
            "merchant",
            'contract = "ludo-logo"\nmerchant = "ludo"\ntariff = "t-050"\namount = "0.25"',
            "2026-03-01",
        )
        cheaper = (
            '[[tariffs]]\ntariff = "t-050"\ncode = "72100"\ncurrency = "EUR"\n'
            'billing_code = "P050"\nprice = "0.50"\neffective_from = 2026-08-01\n'
        )
        known = after(edited(SMALL, ('"0.50"', '"0.65"')) + fixed)
        assert told(HEAD + cheaper, known) == [
            (
                "tariffs[1].price",
                "at 20801, the aggregator share of 0.50 would be negative, from 2026-08-01 on",
            )
        ]

    def test_with_the_merchant_of_a_keyword_are_there(self) -> None:
        text = SMALL[: SMALL.rindex("[[merchant_contracts]]")]
        assert told(text) == [
            (
                "keywords[2].keyword",
                f"no contract with astro covers 81014 ASTRO at {operator}, from 2026-03-01 on",
            )
            for operator in ("20801", "20810")
        ]


class TestDonations:
    """What is passed on whole leaves nobody else a share."""

    def test_that_all_goes_to_are_taken(self) -> None:
        assert wanted(GIFT, empty_book())

    @pytest.mark.parametrize(
        ("kind", "at", "keeper"), [("operator", 1, "operator"), ("merchant", 2, "aggregator")]
    )
    def test_leave_nobody_a_share(self, kind: str, at: int, keeper: str) -> None:
        # 1 % of 3.00 is 0.03; the second merchant, astro, sells at both operators.
        named = {"operator": 'operator = "20801"\n', "merchant": 'merchant = "astro"\n'}[kind]
        share = f'{named}share = "100 %"'
        place = f"{kind}_contracts[{at}].share"
        operators = {"operator": ["20801"], "merchant": ["20801", "20810"]}[kind]
        found = told(edited(GIFT, (share, share.replace("100", "99"))))
        wrong = [
            (
                place,
                f"at {operator}, the {keeper} would keep 0.03 of 3.00, {WHOLE}, from 2026-03-01 on",
            )
            for operator in operators
        ]
        assert [problem for problem in found if "of 3.00" in problem[1]] == wrong

    def test_cannot_become_what_a_share_was_kept_of(self) -> None:
        service = SMALL[
            SMALL.index("[[services]]") : SMALL.index('[[services]]\nservice = "stars"')
        ]
        changed = service.replace('"content"', '"donation"') + "effective_from = 2026-07-01\n"
        # Of 0.50 without tax the operator keeps a half, and we a fifth of the other half.
        assert (
            "services[1].category",
            f"at 20801, the operator would keep 0.25 of 0.50, {WHOLE}, from 2026-07-01 on",
        ) in told(HEAD + changed, after(SMALL))
