"""`obole opt-outs`, `expected`, `rates`: what they print, worked out by hand.

Through Orange, of 3.00 EUR with 20 % of tax: tax 0.50; net 2.50, of which Orange owes half, 1.25;
of that the merchant has 80 %, 1.00.
"""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from api.cli.asked import bar
from api.cli.rates import percent
from tests.support.cli import Obole, Sms, obole_at
from tests.support.database import TestDatabase

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
AUGUST = datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    """Sell thrice of which two are delivered, then STOP and, a month later, buy once more."""
    found = obole_at(database, tmp_path)
    hours = [NOON + timedelta(hours=number) for number in range(4)]
    found.trade(
        database,
        Sms("a", hours[0], delivered=True),
        Sms("b", hours[1], delivered=True),
        Sms("c", hours[2]),
        Sms("stop", hours[3], "STOP"),
        Sms("d", AUGUST, delivered=True),
    )
    found("work", "--once", "--now", hours[3].isoformat())
    return found


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def sums(charges: int, price: str, tax: str, reversement: str) -> dict[str, object]:
    amounts = {"price": eur(price), "tax": eur(tax), "reversement": eur(reversement)}
    return {"charges": charges, **amounts}


class TestOptOuts:
    """Who said STOP."""

    def test_tells_a_program_what_stands_and_what_was_lifted(self, obole: Obole) -> None:
        told = obole("opt-outs", "--json").json
        assert told["months"] == [
            {"month": "2026-07", "short_code": "81014", "opt_outs": 1, "lifted": 1}
        ]
        (stop,) = told["opt_outs"]
        assert (stop["word"], stop["short_code"], stop["everywhere"]) == ("STOP", "81014", False)
        # Buying in August opened the code again, for replies.
        assert (stop["stands"], stop["lifted_at"]) == (False, "2026-08-01T12:00:00Z")
        assert (told["next"], told["position"]) == (None, obole("status", "--json").json["head"])

    def test_shows_a_person_where_and_since_when(self, obole: Obole) -> None:
        shown = obole("opt-outs").out
        (line,) = [line for line in shown.splitlines() if "all on 81014" in line]
        assert line.strip().startswith("2026-07-01 15:00")
        assert line.split()[-2:] == ["STOP", "2026-08-01"]

    def test_is_of_one_month_or_code(self, obole: Obole) -> None:
        assert obole("opt-outs", "--month", "2026-07", "--json").json["opt_outs"] != []
        assert obole("opt-outs", "--month", "2026-08", "--json").json["opt_outs"] == []
        assert obole("opt-outs", "--short-code", "72100").out.endswith("Nobody said STOP.\n")

    def test_is_of_one_consumer(self, obole: Obole) -> None:
        (stop,) = obole("opt-outs", "--json").json["opt_outs"]
        told = obole("opt-outs", "--consumer", stop["consumer"], "--json").json
        assert told["opt_outs"] == [stop]
        nobody = f"1_{'0' * 32}"
        assert f"{nobody} has stopped nothing." in obole("opt-outs", "--consumer", nobody).out

    def test_goes_on_page_by_page(self, obole: Obole, database: TestDatabase) -> None:
        obole.trade(database, Sms("again", AUGUST + timedelta(hours=1), "STOP"))
        obole("work", "--once", "--now", NOON.isoformat())
        first = obole("opt-outs", "--limit", "1", "--json").json
        assert f"--before {first['next']}" in obole("opt-outs", "--limit", "1").out
        second = obole("opt-outs", "--before", str(first["next"]), "--json").json
        assert [one["stands"] for one in (*first["opt_outs"], *second["opt_outs"])] == [True, False]

    @pytest.mark.parametrize("month", ["2026-13", "2026-8", "July"])
    def test_refuses_what_is_no_month(self, obole: Obole, month: str) -> None:
        done = obole("opt-outs", "--month", month)
        assert done.status == 2
        assert "no month such as 2026-08" in done.err


class TestExpected:
    """What operators are to declare."""

    def test_tells_a_program_every_sum(self, obole: Obole) -> None:
        told = obole("expected", "2026-07", "--json").json
        (orange,) = told["operators"]
        assert (orange["operator"], orange["currency"]) == ("20801", "EUR")
        # Two delivered messages of 3.00: 2 x 0.50 of tax, 2 x 1.25 owed to us.
        assert orange["total"]["all"]["captured"] == sums(2, "6.00", "1.00", "2.50")
        assert orange["total"]["all"]["left"] == orange["total"]["all"]["captured"]
        (line,) = orange["lines"]
        assert (line["short_code"], line["leg"]) == ("81014", "mt")
        assert line["all"] == orange["total"]["all"]
        assert line["test"]["captured"] == sums(0, "0.00", "0.00", "0.00")

    def test_shows_a_person_lines_and_their_total(self, obole: Obole) -> None:
        shown = obole("expected", "2026-07").out
        assert "Operator 20801, 2026-07, in EUR" in shown
        (line,) = [line for line in shown.splitlines() if line.strip().startswith("81014")]
        assert line.split()[3:] == ["captured", "2", "6.00", "1.00", "2.50"]
        (total,) = [line for line in shown.splitlines() if line.strip().startswith("all ")]
        assert total.split() == ["all", "captured", "2", "6.00", "1.00", "2.50"]

    def test_is_of_one_operator(self, obole: Obole) -> None:
        assert obole("expected", "2026-07", "--operator", "20810", "--json").json["operators"] == []
        assert "No operator took anything in 2026-06" in obole("expected", "2026-06").out

    def test_refuses_what_is_no_month(self, obole: Obole) -> None:
        assert obole("expected", "2026-99").status == 2


class TestRates:
    """Conversion, churn and revenue."""

    PERIOD = ("--from", "2026-07-01", "--to", "2026-07-02")

    def test_tells_a_program_exact_fractions(self, obole: Obole) -> None:
        told = obole("rates", "--merchant", "ludotel", *self.PERIOD, "--json").json
        first, second = told["days"]
        assert (first["day"], first["matched"], first["captured"]) == ("2026-07-01", 3, 2)
        assert first["conversion"] == {"numerator": 2, "denominator": 3}
        assert (second["conversion"], second["churn"]) == (None, None)
        (revenue,) = told["total"]["revenue"]
        assert (revenue["price"], revenue["tax"]) == (eur("6.00"), eur("1.00"))
        assert (revenue["merchant_share"], revenue["refunded"]) == (eur("2.00"), eur("0.00"))

    def test_shows_a_person_percentages_and_bars(self, obole: Obole) -> None:
        shown = obole("rates", "--merchant", "ludotel", *self.PERIOD).out
        rows = [line.split() for line in shown.splitlines()]
        sold = ["3", "2", "66.7", "%", "6.00"]
        assert ["2026-07-01", *sold, "█" * 10, "2.00", "0"] in rows
        assert ["2026-07-02", "0", "0", "-", "0.00", "0.00", "0"] in rows
        assert ["quiz", *sold, "█" * 10, "2.00", "0"] in rows
        assert ["all", *sold, "2.00", "0"] in rows
        assert "Subscriptions" not in shown

    def test_of_all_merchants_counts_every_stop(self, obole: Obole) -> None:
        # A bare STOP on a shared code is no single merchant's.
        whole = obole("rates", *self.PERIOD, "--json").json
        assert whole["total"]["opt_outs"] == 1
        assert "(none)" in obole("rates", *self.PERIOD).out
        one = obole("rates", "--merchant", "ludotel", *self.PERIOD, "--json").json
        assert one["total"]["opt_outs"] == 0

    def test_refuses_a_merchant_that_is_not_there(self, obole: Obole) -> None:
        done = obole("rates", "--merchant", "nobody", *self.PERIOD)
        assert done.status == 1
        assert "nobody" in done.err

    @pytest.mark.parametrize("last", ["2026-06-30", "2027-07-02"])
    def test_refuses_a_period_without_days_or_too_long(self, obole: Obole, last: str) -> None:
        assert obole("rates", "--from", "2026-07-01", "--to", last).status == 2


class TestPercent:
    """A rate for a person."""

    @pytest.mark.parametrize(
        ("rate", "text"),
        [
            (None, "-"),
            (Fraction(0), "0.0 %"),
            (Fraction(2, 3), "66.7 %"),
            (Fraction(1, 2000), "0.1 %"),
            (Fraction(1, 2001), "0.0 %"),
            (Fraction(1), "100.0 %"),
            (Fraction(3, 2), "150.0 %"),
        ],
    )
    def test_is_rounded_to_a_tenth_halves_upwards(self, rate: Fraction | None, text: str) -> None:
        assert percent(rate) == text


class TestBar:
    """A value one can look at."""

    @pytest.mark.parametrize(
        ("value", "drawn"),
        [(0, ""), (1, "▏"), (50, "██████"), (99, "███████████▉"), (100, "█" * 12), (-5, "")],
    )
    def test_is_as_long_as_its_part_of_the_greatest(self, value: int, drawn: str) -> None:
        assert bar(value, 100) == drawn

    def test_of_nothing_is_empty(self) -> None:
        assert bar(1, 0) == ""
