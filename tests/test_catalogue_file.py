"""Reading a catalogue file: what it asks for, and every place where it cannot be read."""

import sys
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from api.catalogue_file import CatalogueFileInvalid, read_values
from ledger.decisions.catalogue import Requested
from ledger.facts.base import Draft
from ledger.facts.catalogue import (
    ContractAgreed,
    KeywordAssigned,
    KeywordWithdrawn,
    ServiceDeclared,
    ShortCodeClosed,
    ShortCodeOpened,
    SubscriptionOffer,
    TariffSet,
)
from ledger.facts.registry import REGISTRY, Origin
from ledger.money import FixedAmount, Percentage, Rate
from ledger.rules.toml_lines import lines_of
from ledger.spans import Period
from tests.support.catalogues import HEAD, SMALL, misread, requests
from tests.support.packs import edited, line_of

BOOLEAN = "Input should be a valid boolean"
NO_KEYWORD = "'' is no keyword of letters A to Z and digits"
MERCHANT = '[[merchants]]\nmerchant = "ludo"\nname = "Ludo SAS"\n'


def contracts(text: str) -> dict[str, ContractAgreed]:
    """Give the contracts of a text by their names."""
    facts = (asked.fact for asked in requests(text))
    return {fact.contract: fact for fact in facts if isinstance(fact, ContractAgreed)}


def fifty_cents(text: str) -> Requested:
    """Give the request for the second tariff."""
    (tariff,) = (
        asked
        for asked in requests(text)
        if isinstance(asked.fact, TariffSet) and asked.fact.tariff == "t-050"
    )
    return tariff


class TestRead:
    """A file that is well formed."""

    def test_gives_a_fact_for_each_entry_and_each_operator_of_a_code(self) -> None:
        # 1 gateway, 2 merchants, codes at 2 + 1 operators, 2 services, 3 keywords,
        # 2 tariffs, 2 + 2 contracts.
        assert len(requests(SMALL)) == 1 + 2 + 3 + 2 + 3 + 2 + 4

    def test_gives_facts_that_the_log_can_hold(self) -> None:
        for asked in requests(SMALL):
            # Encoding does not check patterns; decoding does.
            row = REGISTRY.encode(Draft(asked.fact), Origin("fr", "test"))
            assert REGISTRY.decode(row).fact == asked.fact

    def test_takes_a_day_as_its_first_moment_in_the_zone(self) -> None:
        # Paris is one hour ahead of UTC in March before the 29th, and two in July.
        (winter, summer) = requests(
            HEAD + MERCHANT + MERCHANT.replace("ludo", "b") + "effective_from = 2026-07-01\n"
        )
        assert winter.fact.effective_from == datetime(2026, 2, 28, 23, tzinfo=UTC)
        assert summer.fact.effective_from == datetime(2026, 6, 30, 22, tzinfo=UTC)

    def test_takes_an_instant_with_its_zone(self) -> None:
        (asked,) = requests(HEAD + MERCHANT + "effective_from = 2026-03-01T12:00:00+02:00\n")
        assert asked.fact.effective_from == datetime(2026, 3, 1, 10, tzinfo=UTC)
        assert asked.fact.effective_from.tzinfo is UTC

    def test_reads_what_a_service_may_say_beside_its_answer(self) -> None:
        more = (
            "duplicate_window_seconds = 30\n"
            'subscription = { every = 2, unit = "week", offer_text = "{price} ? {confirm}" }\n'
        )
        text = edited(SMALL, ('name = "Quiz"\n', f'name = "Quiz"\n{more}'))
        quiz, stars = (
            asked.fact for asked in requests(text) if isinstance(asked.fact, ServiceDeclared)
        )
        assert quiz.duplicate_window_seconds == 30
        assert quiz.subscription == SubscriptionOffer(
            every=Period(2, "week"), offer_text="{price} ? {confirm}"
        )
        assert (stars.duplicate_window_seconds, stars.subscription) == (0, None)

    def test_reads_the_price_of_the_message_beside_that_of_its_answer(self) -> None:
        tariff = fifty_cents(edited(SMALL, ('"0.50"', '"0.30"\nmo_price = "0.20"')))
        assert isinstance(tariff.fact, TariffSet)
        assert (tariff.fact.price, tariff.fact.mo_price) == (300_000, 200_000)

    def test_reads_amounts_exactly(self) -> None:
        tariff = fifty_cents(edited(SMALL, ('"0.50"', '"0.123456"')))
        assert isinstance(tariff.fact, TariffSet)
        assert tariff.fact.price == 123_456

    @pytest.mark.parametrize(
        ("written", "rate"),
        [
            ("50 %", Rate(1, 2)),
            ("50%", Rate(1, 2)),
            ("33.333333 %", Rate(33_333_333, 100_000_000)),
            ("0 %", Rate(0, 1)),
            ("100 %", Rate(1, 1)),
            ("12.5%", Rate(1, 8)),
        ],
    )
    def test_reads_percentages_exactly(self, written: str, rate: Rate) -> None:
        found = contracts(edited(SMALL, ("50 %", written)))
        assert found["one"].share == Percentage(rate, "price_net_of_tax")

    def test_reads_an_amount_for_each_message(self) -> None:
        text = edited(SMALL, ('share = "50 %"\nof = "price_net_of_tax"', 'amount = "0.02"'))
        assert contracts(text)["one"].share == FixedAmount(20_000)

    def test_keeps_keywords_and_choices_as_matching_reads_them(self) -> None:
        text = edited(
            SMALL,
            ('keyword = "JEU"', 'keyword = "  jéu d\'été! "'),
            ('desk = "0199008181"', 'desk = "0199008181"\nchoices = ["a", "N° 2"]'),
        )
        facts = [asked.fact for asked in requests(text)]
        assert "JEU D ETE" in {one.keyword for one in facts if isinstance(one, KeywordAssigned)}
        assert ("A", "N 2") in {one.choices for one in facts if isinstance(one, ServiceDeclared)}

    def test_reads_what_ends(self) -> None:
        text = (
            HEAD
            + '[[closed_codes]]\ncode = "81014"\noperators = ["20801", "20810"]\n'
            + "effective_from = 2026-08-01\n"
            + '[[withdrawn_keywords]]\ncode = "81014"\nkeyword = "jeu"\n'
            + "effective_from = 2026-08-01\n"
        )
        since = datetime(2026, 7, 31, 22, tzinfo=UTC)
        assert [asked.fact for asked in requests(text)] == [
            ShortCodeClosed(short_code="81014", operator="20801", effective_from=since),
            ShortCodeClosed(short_code="81014", operator="20810", effective_from=since),
            KeywordWithdrawn(short_code="81014", keyword="JEU", effective_from=since),
        ]

    def test_knows_the_line_of_every_field(self) -> None:
        tariff = fifty_cents(SMALL)
        line = line_of(SMALL, 'price = "0.50"')
        assert tariff.where("price") == f"line {line}: tariffs[2].price"
        assert tariff.where("short_code") == f"line {line - 1}: tariffs[2].code"
        assert tariff.where("effective_from") == "line 2: effective_from"
        assert tariff.place == f"line {line - 3}: tariffs[2]"

    def test_knows_which_operator_of_a_code_is_meant(self) -> None:
        second = [asked for asked in requests(SMALL) if isinstance(asked.fact, ShortCodeOpened)][1]
        assert second.where("operator").endswith(": codes[1].operators[2]")

    def test_of_nothing_asks_for_nothing(self) -> None:
        assert requests(HEAD) == []


class TestRefusal:
    """A file that cannot be read is refused whole, every mistake with its place."""

    def test_names_every_mistake_at_once(self) -> None:
        text = edited(
            SMALL,
            ('price = "3.00"', "price = 3.00"),
            ('name = "Ludo SAS"\n', ""),
            ('share = "52 %"', 'share = "52"'),
            ("recycles_ids = false", 'recycles_ids = "no"'),
            ('keyword = "LOGO"', 'keyword = "!?"'),
            ('alias_group = "ludo"', 'alias_group = "ludo"\ncolour = "red"'),
        )
        assert misread(text) == [
            (line_of(text, 'recycles_ids = "no"'), "gateways[1].recycles_ids", BOOLEAN),
            (line_of(text, "[[merchants]]"), "merchants[1].name", "is missing"),
            (line_of(text, 'colour = "red"'), "codes[2].colour", "is no field that belongs here"),
            (line_of(text, 'keyword = "!?"'), "keywords[3].keyword", NO_KEYWORD),
            (
                line_of(text, "price = 3.00"),
                "tariffs[1].price",
                '3.00 loses exactness; write it in quotes, "3.00"',
            ),
            (
                line_of(text, 'share = "52"'),
                "operator_contracts[2].share",
                'must be a percentage in quotes, such as "50 %"',
            ),
        ]

    @pytest.mark.parametrize(
        ("old", "new", "place", "text"),
        [
            ('"50 %"', '"120 %"', "operator_contracts[1].share", "between 0 % and 100 %"),
            ('"50 %"', '"-1 %"', "operator_contracts[1].share", "between 0 % and 100 %"),
            ('"50 %"', "50", "operator_contracts[1].share", "percentage in quotes"),
            ('"50 %"', '"half %"', "operator_contracts[1].share", "is not an amount"),
            ('of = "price_net_of_tax"\n', "", "operator_contracts[1]", "either share and of"),
            (
                'share = "50 %"\n',
                'share = "50 %"\namount = "1"\n',
                "operator_contracts[1]",
                "either",
            ),
            ('share = "50 %"\nof = "price_net_of_tax"', "", "operator_contracts[1]", "either"),
            ('"price_net_of_tax"', '"margin"', "operator_contracts[1].of", "price_with_tax"),
            ('price = "3.00"', 'price = "-3.00"', "tariffs[1].price", "must not be negative"),
            ('price = "3.00"', 'price = "3,00"', "tariffs[1].price", "is not an amount"),
            ('price = "3.00"', 'price = "1e3"', "tariffs[1].price", "is not an amount"),
            ('price = "3.00"', "price = 3", "tariffs[1].price", "in quotes"),
            ('price = "3.00"', 'price = "2000000"', "tariffs[1].price", "largest amount"),
            ('currency = "EUR"', 'currency = "euro"', "tariffs[1].currency", "currency code"),
            ('code = "81014"', 'code = "8101a"', "codes[1].code", "short code"),
            ('"20801", "20810"]', '"20801", "208"]', "codes[1].operators[2]", "MCC and MNC"),
            ('["20801", "20810"]', "[]", "codes[1].operators", "must not be empty"),
            ('merchant = "ludo"', 'merchant = "lu do"', "merchants[1].merchant", "is no name"),
            ('name = "Quiz"', 'name = ""', "services[1].name", ""),
            ("two = ", '"" = ', "gateways[1].smscs", ""),
            ("= 2026-03-01", "= 2026-03-01T12:00:00", "effective_from", "needs its zone"),
            ("= 2026-03-01", '= "2026-03-01"', "effective_from", "without quotes"),
            ("= 2026-03-01", "= 1026-03-01", "effective_from", "between 2000 and 2099"),
            ("= 2026-03-01", "= 12:00:00", "effective_from", "must be a day"),
            ('book = "fr"', 'book = "be"', "book", "is meant for the book be, not for fr"),
            ("repeat_horizon_days = 7", "repeat_horizon_days = 0", "gateways[1].repeat_", ""),
        ],
    )
    def test_names_the_place_of_each_mistake(
        self, old: str, new: str, place: str, text: str
    ) -> None:
        ((line, where, what),) = misread(edited(SMALL, (old, new)))
        assert where.startswith(place)
        assert text in what
        assert line > 0

    def test_wants_a_day_of_its_own_for_what_ends(self) -> None:
        text = HEAD + '[[withdrawn_keywords]]\ncode = "81014"\nkeyword = "JEU"\n'
        assert misread(text) == [(3, "withdrawn_keywords[1].effective_from", "is missing")]

    @pytest.mark.parametrize("raw", [b"book = ", b"\xff\xfe", b"book = 'fr'\nbook = 'fr'\n"])
    def test_of_what_is_no_toml_says_so(self, raw: bytes) -> None:
        ((line, place, text),) = misread(raw)
        assert (line, place) == (0, "")
        assert text.startswith("is no TOML file")


class TestValues:
    """What a file would say, from JSON."""

    def test_ask_for_the_same(self) -> None:
        values = tomllib.loads(SMALL + MERCHANT.replace("ludo", "b"))
        values["effective_from"] = values["effective_from"].isoformat()
        values["merchants"][0]["effective_from"] = "2026-03-01T12:00:00+01:00"
        as_file = SMALL.replace(
            'name = "Ludo SAS"', 'name = "Ludo SAS"\neffective_from = 2026-03-01T12:00:00+01:00'
        )
        wanted = {repr(one.fact) for one in requests(as_file + MERCHANT.replace("ludo", "b"))}
        assert {repr(one.fact) for one in read_values(values, "fr", "Europe/Paris")} == wanted

    def test_have_places_without_lines(self) -> None:
        values = tomllib.loads(SMALL)
        values["effective_from"] = "2026-03-01"
        values["tariffs"][1]["price"] = "x"
        with pytest.raises(CatalogueFileInvalid) as raised:
            read_values(values, "fr", "Europe/Paris")
        assert [str(one).partition(": ")[0] for one in raised.value.problems] == [
            "tariffs[2].price"
        ]


class TestLines:
    """The lines that places are told by."""

    def test_are_found_without_counting_all_entries_for_each(self) -> None:
        # Twice the entries, of which every one has an entry of its own: twice the steps.
        few, many = (steps_of("[[f]]\n[[f.g]]\n" * entries) for entries in (100, 200))
        assert many < 2.1 * few


def steps_of(text: str) -> int:
    """Count the lines of Python that are run to find the lines of a file."""
    steps = 0
    before = sys.gettrace()

    def count(_frame: object, event: str, _argument: object) -> Callable[..., object]:
        nonlocal steps
        steps += event == "line"
        return count

    sys.settrace(count)
    try:
        lines_of(text)
    finally:
        sys.settrace(before)
    return steps
