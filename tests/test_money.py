"""Money in micros: reading, writing, and how one price divides."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.money import (
    MAX_MICROS,
    FixedAmount,
    ImpossibleSplit,
    Percentage,
    Rate,
    Share,
    Waterfall,
    micros_text,
    parse_micros,
    split,
)

TAX, UNTAXED = Rate(1, 5), Rate(0, 1)
HALF_NET = Percentage(Rate(1, 2), "price_net_of_tax")
MOST = Percentage(Rate(4, 5), "reversement")
ALL_WITH_TAX = Percentage(Rate(1, 1), "price_with_tax")
TWO_THIRDS = Percentage(Rate(2, 3), "price_net_of_tax")
HALVED = Percentage(Rate(1, 2), "reversement")
ALL_OWED = Percentage(Rate(1, 1), "reversement")


def parts(amounts: Waterfall) -> tuple[int, int, int, int]:
    """Give the four parts, in the order in which ties are broken."""
    return amounts.tax, amounts.operator, amounts.aggregator, amounts.merchant


class TestParseMicros:
    """Reading an amount."""

    @pytest.mark.parametrize(
        ("text", "micros"),
        [
            ("3.00", 3_000_000),
            ("3", 3_000_000),
            ("0.05", 50_000),
            ("0.000001", 1),
            ("-0.5", -500_000),
            ("-0", 0),
            ("007.10", 7_100_000),
            ("1000000", MAX_MICROS),
            ("-1000000.000000", -MAX_MICROS),
        ],
    )
    def test_is_exact(self, text: str, micros: int) -> None:
        assert parse_micros(text) == micros

    @pytest.mark.parametrize(
        "text",
        [
            *[
                "",
                ".",
                ".5",
                "5.",
                "+1",
                "1e3",
                "1,50",
                " 1",
                "1\n",
                "1.0000000",
                "--1",
                "NaN",
                "1000000.000001",
                "1000001",
                "12345678",
            ],
            # Digits, but not ours: Arabic and full-width.
            *("\u0663", "\uff13"),
        ],
    )
    def test_is_refused_where_it_is_no_plain_amount(self, text: str) -> None:
        with pytest.raises(ValueError, match="amount"):
            parse_micros(text)


class TestMicrosText:
    """Writing an amount."""

    @pytest.mark.parametrize(
        ("micros", "text"),
        [
            (0, "0.00"),
            (3_000_000, "3.00"),
            (3_100_000, "3.10"),
            (20_833, "0.020833"),
            (-1, "-0.000001"),
            (-1_500_000, "-1.50"),
            (MAX_MICROS, "1000000.00"),
        ],
    )
    def test_has_two_decimals_at_least_and_no_idle_ones(self, micros: int, text: str) -> None:
        assert micros_text(micros) == text

    @given(st.integers(-MAX_MICROS, MAX_MICROS))
    def test_is_read_back_as_it_was(self, micros: int) -> None:
        assert parse_micros(micros_text(micros)) == micros


class TestSplit:
    """One price, divided by figures that anybody can work out."""

    def test_of_three_euros(self) -> None:
        # 3.00 with 20 % tax: net 3.00 / 1.2 = 2.50, tax 0.50. The operator owes half the net,
        # 1.25, and keeps 1.25. The merchant gets four fifths of what is owed, 1.00; 0.25 is ours.
        assert split(3_000_000, TAX, HALF_NET, MOST) == Waterfall(
            price=3_000_000, tax=500_000, operator=1_250_000, aggregator=250_000, merchant=1_000_000
        )

    def test_of_five_cents(self) -> None:
        # 0.05 / 1.2 = 0.041666…, in micros:
        #   tax         50,000 - 41,666.67 =  8,333.33
        #   operator    41,666.67 / 2      = 20,833.33
        #   aggregator  20,833.33 / 5      =  4,166.67
        #   merchant    20,833.33 * 4 / 5  = 16,666.67
        # Floors sum to 49,998; the two micros left go to the remainders of .67.
        assert parts(split(50_000, TAX, HALF_NET, MOST)) == (8_333, 20_833, 4_167, 16_667)

    def test_of_a_donation_leaves_all_to_the_charity(self) -> None:
        # No tax, the operator passes all of it on, and we keep nothing.
        assert parts(split(5_000_000, UNTAXED, ALL_WITH_TAX, ALL_OWED)) == (0, 0, 0, 5_000_000)

    def test_of_nothing_is_nothing(self) -> None:
        assert parts(split(0, TAX, HALF_NET, MOST)) == (0, 0, 0, 0)

    def test_by_fixed_amounts(self) -> None:
        # 3.00: tax 0.50; the operator owes 1.10 and keeps 2.50 - 1.10; we owe 0.90, keep 0.20.
        owed, earned = FixedAmount(1_100_000), FixedAmount(900_000)
        assert parts(split(3_000_000, TAX, owed, earned)) == (
            500_000,
            1_400_000,
            200_000,
            900_000,
        )

    def test_by_bases_other_than_the_share_above(self) -> None:
        # 3.00: the operator owes 40 % of 3.00 = 1.20 (keeps 1.30); the merchant gets 30 % of
        # the net 2.50 = 0.75, so 0.45 is ours.
        owed = Percentage(Rate(2, 5), "price_with_tax")
        earned = Percentage(Rate(3, 10), "price_net_of_tax")
        assert parts(split(3_000_000, TAX, owed, earned)) == (
            500_000,
            1_300_000,
            450_000,
            750_000,
        )

    @pytest.mark.parametrize(
        ("price", "tax", "owed", "earned", "expected"),
        [
            # Net of one third is three quarters, of which two thirds are owed and halved: four
            # quarters of one micro, and tax comes first.
            (1, Rate(1, 3), TWO_THIRDS, HALVED, (1, 0, 0, 0)),
            # Untaxed, three thirds of two micros: the operator, then the aggregator.
            (2, UNTAXED, TWO_THIRDS, HALVED, (0, 1, 1, 0)),
            # All of it owed, two halves of one micro: the aggregator before the merchant.
            (1, UNTAXED, ALL_WITH_TAX, HALVED, (0, 0, 1, 0)),
        ],
    )
    def test_breaks_ties_in_the_order_of_parts(
        self, price: int, tax: Rate, owed: Share, earned: Share, expected: tuple[int, ...]
    ) -> None:
        assert parts(split(price, tax, owed, earned)) == expected


class TestImpossibleSplit:
    """Terms that ask for more than there is."""

    @pytest.mark.parametrize(
        ("price", "owed", "earned", "part"),
        [
            pytest.param(3_000_000, FixedAmount(2_500_001), MOST, "operator", id="owed over net"),
            pytest.param(3_000_000, ALL_WITH_TAX, MOST, "operator", id="owed with the tax in it"),
            pytest.param(3_000_000, HALF_NET, FixedAmount(1_250_001), "aggregator", id="earned"),
            pytest.param(3_000_000, HALF_NET, FixedAmount(-1), "merchant", id="earned below zero"),
            pytest.param(0, FixedAmount(1), FixedAmount(0), "operator", id="a share of nothing"),
            pytest.param(-1, HALF_NET, MOST, "tax", id="a price below zero"),
        ],
    )
    def test_is_refused_with_the_part_that_would_be_negative(
        self, price: int, owed: Share, earned: Share, part: str
    ) -> None:
        with pytest.raises(ImpossibleSplit, match="would be negative") as raised:
            split(price, TAX, owed, earned)
        assert (raised.value.part, raised.value.price) == (part, price)

    def test_does_not_begin_one_micro_early(self) -> None:
        assert parts(split(3_000_000, TAX, FixedAmount(2_500_000), ALL_OWED)) == (
            500_000,
            0,
            0,
            2_500_000,
        )


RATES = st.builds(Rate, st.integers(0, 400), st.integers(1, 400))
BASES = st.sampled_from(["price_with_tax", "price_net_of_tax", "reversement"])
SHARES = st.builds(Percentage, RATES, BASES) | st.builds(FixedAmount, st.integers(0, 5_000_000))
PRICES = st.integers(0, 100) | st.integers(0, 20_000_000) | st.integers(0, MAX_MICROS)
Terms = tuple[int, Rate, Share, Share]


def within(most: int, base: str) -> st.SearchStrategy[Share]:
    """Draw a share of at most `most` micros, or at most the whole of a base."""
    some = st.integers(1, 400).flatmap(
        lambda whole: st.builds(Rate, st.integers(0, whole), st.just(whole))
    )
    return st.builds(Percentage, some, st.just(base)) | st.builds(FixedAmount, st.integers(0, most))


@st.composite
def possible(draw: st.DrawFn) -> Terms:
    """Draw a price and terms under which it can be divided."""
    price, tax = draw(PRICES), draw(RATES)
    net = price * tax.denominator // (tax.denominator + tax.numerator)
    owed = draw(within(net, "price_net_of_tax"))
    whole = int(exactly(price, tax, owed, FixedAmount(0))[2])
    return price, tax, owed, draw(within(whole, "reversement"))


def exactly(price: int, tax: Rate, owed: Share, earned: Share) -> list[Fraction]:
    """Divide a price without rounding, written apart from the code under test."""
    net = Fraction(price * tax.denominator, tax.denominator + tax.numerator)

    def of(share: Share, reversement: Fraction) -> Fraction:
        if isinstance(share, FixedAmount):
            return Fraction(share.amount)
        bases = {"price_with_tax": Fraction(price), "price_net_of_tax": net}
        base = bases.get(share.base, reversement)
        return base * share.rate.numerator / share.rate.denominator

    whole = of(owed, net)
    theirs = of(earned, whole)
    return [price - net, net - whole, whole - theirs, theirs]


class TestEverySplit:
    """What holds for every price and all terms."""

    @given(possible())
    def test_loses_nothing_and_is_never_negative(self, terms: Terms) -> None:
        found = split(*terms)
        assert sum(parts(found)) == found.price == terms[0]
        assert min(parts(found)) >= 0
        assert found.reversement == found.aggregator + found.merchant

    @given(possible())
    def test_is_within_a_micro_of_the_exact_parts(self, terms: Terms) -> None:
        pairs = zip(parts(split(*terms)), exactly(*terms), strict=True)
        assert all(abs(part - exact) < 1 for part, exact in pairs)

    @given(possible())
    def test_rounds_up_only_the_largest_remainders(self, terms: Terms) -> None:
        pairs = [*zip(parts(split(*terms)), exactly(*terms), strict=True)]
        up = [exact % 1 for part, exact in pairs if part > exact]
        down = [exact % 1 for part, exact in pairs if part < exact]
        assert min(up, default=1) >= max(down, default=0)

    @given(possible())
    def test_is_the_same_each_time(self, terms: Terms) -> None:
        first = split(*terms)
        split.cache_clear()
        assert split(*terms) == first

    @given(PRICES, RATES, SHARES, SHARES)
    def test_is_refused_exactly_where_a_part_would_be_negative(
        self, price: int, tax: Rate, owed: Share, earned: Share
    ) -> None:
        try:
            split(price, tax, owed, earned)
        except ImpossibleSplit:
            assert min(exactly(price, tax, owed, earned)) < 0
        else:
            assert min(exactly(price, tax, owed, earned)) >= 0
