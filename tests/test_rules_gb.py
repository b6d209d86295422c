"""The United Kingdom: a third country that is a file, and no line of code."""

from datetime import UTC, datetime

import pytest

from ledger.decisions.spending import Spent, reached
from ledger.facts.catalogue import MerchantRegistered
from ledger.facts.charges import ChargeAuthorized, ChargeRefused
from ledger.facts.consent import OptedOut
from ledger.facts.traffic import KeywordUnmatched, MtEmitted
from ledger.money import Rate
from ledger.rules.pack import load_pack
from ledger.rules.resolve import RuleBook
from ledger.rules.settings import parse_settings
from tests.support.book import closed
from tests.support.builders import (
    OPENING,
    code,
    gateway,
    keyword,
    mo,
    percent,
    service,
    tariff,
    with_merchant,
    with_operator,
)
from tests.support.given import Given, given
from tests.support.packs import NOON, SETTINGS, book_of, british

EE = "23430"


class TestCodes:
    """What a code of five digits may cost."""

    @pytest.mark.parametrize("short_code", ["60999", "70999", "80999"])
    def test_charge_the_answer_up_to_the_highest_price_point(self, short_code: str) -> None:
        found = british().range_of(short_code)
        assert found is not None
        assert (found.floor, found.ceiling) == (0, 10_000_000)
        assert found.billing_point == "mt"
        assert found.subscriptions == "allowed"

    @pytest.mark.parametrize("short_code", ["50999", "90999", "6099", "609999"])
    def test_of_no_range_sell_nothing(self, short_code: str) -> None:
        assert british().range_of(short_code) is None


class TestSubscriptions:
    """How a subscription is agreed to, by day."""

    @pytest.mark.parametrize(
        ("day", "steps"),
        [
            pytest.param(datetime(2019, 10, 31, 12, tzinfo=UTC), ("mo",), id="before November"),
            pytest.param(
                datetime(2019, 11, 1, 12, tzinfo=UTC), ("mo", "confirming_mo"), id="from November"
            ),
        ],
    )
    def test_take_a_second_step_since_november_2019(
        self, day: datetime, steps: tuple[str, ...]
    ) -> None:
        found = british(day).subscriptions
        assert found is not None
        assert found.steps == steps

    @pytest.mark.parametrize("word", ["OK", "YES"])
    def test_are_confirmed_by_a_word(self, word: str) -> None:
        assert british().service_words[word] == "confirm"


class TestStop:
    """STOP, and STOP ALL."""

    @pytest.mark.parametrize("words", ["STOP", "STOP ALL", "STOPALL", "TSOP"])
    def test_is_understood_alone_and_for_all(self, words: str) -> None:
        assert british().service_words[words] == "stop"

    def test_ends_everything_on_the_code_or_a_named_service(self) -> None:
        assert (british().stop.bare, british().stop.with_keyword) == ("code", "service")


class TestReminder:
    """The reminder at each twenty pounds."""

    @pytest.mark.parametrize(
        ("day", "every"),
        [
            pytest.param(datetime(2022, 4, 4, 12, tzinfo=UTC), [20_000_000], id="14th Code"),
            pytest.param(datetime(2022, 4, 5, 12, tzinfo=UTC), [], id="15th Code"),
            pytest.param(NOON, [], id="the Order of 2024"),
        ],
    )
    def test_ended_with_the_15th_code(self, day: datetime, every: list[int]) -> None:
        assert [one.every for one in british(day).notices] == every


class TestCaps:
    """What the law lets one consumer spend on the bill."""

    # London is one hour before UTC in summer: August begins on 31 July at 23:00 UTC.
    LATE_JULY = datetime(2026, 7, 31, 22, 59, tzinfo=UTC)
    AUGUST = datetime(2026, 7, 31, 23, tzinfo=UTC)

    def spend(self, pounds: int, at: datetime) -> Spent:
        return Spent(f"{pounds} at {at}", "m", "s", "80999", pounds * 1_000_000, at)

    @pytest.mark.parametrize(
        ("pounds", "cap"), [(40, None), (41, "one payment on the bill")], ids=["40", "41"]
    )
    def test_are_40_for_one_payment(self, pounds: int, cap: str | None) -> None:
        found = reached(british().caps, self.spend(pounds, NOON), ())
        assert (found and found.cap.name) == cap

    def test_are_240_in_a_month_of_londons_calendar(self) -> None:
        # 5 x 40 and 35 are 235: 5 more make 240, which is allowed, and 6 more are not.
        before = [self.spend(40, self.LATE_JULY)._replace(charge=str(n)) for n in range(5)]
        before.append(self.spend(35, self.LATE_JULY))
        caps = british().caps
        assert reached(caps, self.spend(5, self.LATE_JULY), before) is None
        found = reached(caps, self.spend(6, self.LATE_JULY), before)
        assert found is not None
        assert (found.cap.amount, found.spent) == (240_000_000, 235_000_000)

    def test_begin_anew_on_the_first(self) -> None:
        before = [self.spend(40, self.LATE_JULY)._replace(charge=str(n)) for n in range(6)]
        assert reached(british().caps, self.spend(40, self.AUGUST), before) is None

    def test_were_none_before_2018(self) -> None:
        assert british(datetime(2018, 1, 12, 12, tzinfo=UTC)).caps == ()


class TestStory:
    """A purchase in pounds, by the same exchange as everywhere."""

    @pytest.fixture
    def shop(self) -> Given:
        text = SETTINGS.replace('"fr"', '"gb"').replace("20801", EE)
        book = closed(RuleBook(load_pack("gb"), parse_settings(text.encode(), "gb.toml")))
        book.open(
            [
                gateway("kannel", operators={"ee": EE}),
                MerchantRegistered(merchant="jukebox", name="Jukebox", effective_from=OPENING),
                with_operator(EE, percent(60, "price_net_of_tax")),
                with_merchant("jukebox", percent(80, "reversement")),
                code("80999", EE),
                service("tones", "jukebox"),
                *keyword("TONE", "tones", "jukebox", on="80999"),
                tariff("80999", 1_500_000, "TONE", currency="GBP"),
            ]
        )
        return given(book=book)

    def test_charges_the_answer_and_divides_its_price(self, shop: Given) -> None:
        message = mo("TONE 7", smsc="ee", sender="+447700900123", short_code="80999")
        charged = shop.when(message).fact(ChargeAuthorized)
        # 1.50 with 20 % tax is 1.25 and 0.25. EE keeps two fifths of 1.25, 0.50, and owes 0.75;
        # Jukebox gets four fifths of that, 0.60, and 0.15 is left.
        assert charged.currency == "GBP"
        assert (charged.amounts.price, charged.amounts.tax) == (1_500_000, 250_000)
        assert charged.amounts.operator == 500_000
        assert (charged.amounts.merchant, charged.amounts.aggregator) == (600_000, 150_000)

    def test_charges_nothing_for_words_that_nobody_sells(self, shop: Given) -> None:
        message = mo("TUNE 7", smsc="ee", sender="+447700900123", short_code="80999")
        happened = shop.when(message)
        kinds = {type(one.fact) for one in happened.appended}
        assert {KeywordUnmatched, MtEmitted} <= kinds
        assert not kinds & {ChargeAuthorized, ChargeRefused}

    def test_stops_all_services_of_the_code_by_stop_all(self, shop: Given) -> None:
        message = mo("Stop all", smsc="ee", sender="+447700900123", short_code="80999")
        stopped = shop.when(message).fact(OptedOut)
        assert (stopped.short_code, stopped.service) == ("80999", None)

    def test_invites_nobody_for_want_of_a_charter(self) -> None:
        assert book_of("gb").at(NOON).solicitations is None


class TestMoney:
    """Currency and tax."""

    def test_is_pounds_taxed_at_one_fifth(self) -> None:
        assert (british().currency, british().zone) == ("GBP", "Europe/London")
        assert british().tax_rate("content") == Rate(1, 5)
