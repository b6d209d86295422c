"""A transport ticket by SMS: on its codes a price attaches to code and keyword, not to the code.

No text that was seen gives the tax rate of a ticket, so the French pack has none and nothing is
sold there. What follows is sold under a rate of 10 %, as a pack that knows one would say.
"""

from collections.abc import Mapping

from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeRefused
from ledger.facts.traffic import DeliveryReceived, KeywordMatched, MoReceived, MtEmitted
from ledger.money import FixedAmount, Rate, Waterfall
from ledger.postings import Account, Line, postings
from tests.support.book import FRENCH, Book, ChangedRules, in_memory
from tests.support.builders import (
    NOON,
    ORANGE,
    code,
    dlr,
    keyword,
    mo,
    percent,
    service,
    tariff,
    with_merchant,
    with_operator,
)
from tests.support.given import given, some

TICKETS = "93100"
HOUR, DAY = mo("BUS", short_code=TICKETS), mo("JOUR", short_code=TICKETS)


def sold(rates: Mapping[str, Rate]) -> Book:
    """Open a book that sells a ticket of 1.70 for an hour, and one of 4.90 for a day.

    Orange owes 90 % of the net price. The bus company gets all but 0.10 of each ticket.
    """
    return in_memory(
        code(TICKETS, alias_group="bus", dedicated_to="ludotel"),
        service("bus", category="transport", reply_text="Valable 1 h, {price}"),
        service("jour", category="transport", reply_text="Valable ce jour, {price}"),
        *keyword("BUS", "bus", on=TICKETS),
        *keyword("JOUR", "jour", on=TICKETS),
        tariff(TICKETS, 1_700_000, "BUS"),
        tariff(TICKETS, 4_900_000, "JOUR"),
        *(
            with_operator(ORANGE, percent(90, "price_net_of_tax"), tariff=f"t-{TICKETS}-{words}")
            for words in ("BUS", "JOUR")
        ),
        with_merchant("ludotel", FixedAmount(1_290_909), tariff=f"t-{TICKETS}-BUS"),
        with_merchant("ludotel", FixedAmount(3_990_909), tariff=f"t-{TICKETS}-JOUR"),
        rules=ChangedRules(FRENCH, tax_rates=rates),
    )


def at_ten_percent() -> Book:
    return sold({**FRENCH.at(NOON).tax_rates, "transport": Rate(10, 100)})


class TestTicket:
    """A ticket that is bought by its keyword."""

    def test_costs_what_its_keyword_says(self) -> None:
        given(book=at_ten_percent()).when(HOUR).then(
            MoReceived,
            some(KeywordMatched, keyword="BUS", price=1_700_000),
            some(ChargeAuthorized, ref__category="transport", ref__tariff=f"t-{TICKETS}-BUS"),
            some(MtEmitted, kind="content", billing_code="P1700000"),
        )
        given(book=at_ten_percent()).when(DAY).then(
            MoReceived,
            some(KeywordMatched, keyword="JOUR", price=4_900_000),
            some(ChargeAuthorized, ref__category="transport", ref__tariff=f"t-{TICKETS}-JOUR"),
            some(MtEmitted, kind="content", billing_code="P4900000"),
        )

    def test_divides_as_agreed(self) -> None:
        # 1.70 with 10 % tax, in micros: tax 154,545.45, net 1,545,454.55. Orange owes 90 % of that,
        # 1,390,909.09, and keeps 154,545.45. The bus company gets 1,290,909, so 100,000.09 is ours.
        # Rounded down one micro is left over; tax and operator are equally near to it, tax first.
        charge = given(book=at_ten_percent()).when(HOUR).fact(ChargeAuthorized)
        assert charge.amounts == Waterfall(
            price=1_700_000, tax=154_546, operator=154_545, aggregator=100_000, merchant=1_290_909
        )

    def test_is_earned_once_it_is_delivered(self) -> None:
        bought = given(book=at_ten_percent()).when(HOUR)
        happened = given(book=bought.book).when(dlr(bought.answer.mt or ""))
        captured = happened.then(DeliveryReceived, ChargeCaptured).fact(ChargeCaptured)
        day = captured.value_day
        assert postings(captured) == (
            Line(Account.OPERATOR_RECEIVABLE_ACCRUED, ORANGE, 1_390_909, 0, "EUR", day),
            Line(Account.AGGREGATOR_REVENUE, "", 0, 100_000, "EUR", day),
            Line(Account.MERCHANT_ACCRUED, "ludotel", 0, 1_290_909, "EUR", day),
        )

    def test_is_not_sold_where_no_rate_of_tax_is_known(self) -> None:
        given(book=sold(FRENCH.at(NOON).tax_rates)).when(HOUR).then(
            MoReceived,
            KeywordMatched,
            some(ChargeRefused, rule="no_tax_rate"),
            some(MtEmitted, kind="error", billing_code="FREE"),
        )
