"""The demonstration's catalogue: it is right, and its figures are what its comments say."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.catalogue_file import read_catalogue
from ledger.catalogue import Catalogue
from ledger.decisions.catalogue import Circumstances, change
from ledger.decisions.keywords import match
from ledger.money import Waterfall, split
from ledger.rules.pack import load_pack
from ledger.rules.resolve import RuleBook
from ledger.rules.settings import load_settings
from tests.support.catalogues import empty_book, recorded

ROOT = Path(__file__).parents[1]
FILE = ROOT / "api" / "demo" / "catalogue.toml"
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
RULES = RuleBook(load_pack("fr"), load_settings(ROOT / "settings" / "fr.toml"))
ORANGE, SFR, BOUYGUES = "20801", "20810", "20820"


def loaded(known: Catalogue, *, has_traffic: bool = False) -> Catalogue:
    """Load the file as the command does."""
    asked = read_catalogue(FILE.read_bytes(), FILE.name, "fr", "Europe/Paris")
    return recorded(change(asked, known, Circumstances(RULES.at, has_traffic, AT)), known)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Give the demonstration's catalogue, with the rules and settings that it runs under."""
    return loaded(empty_book())


def shared_out(catalogue: Catalogue, operator: str, code: str, keyword: str) -> Waterfall:
    """Divide the price of a keyword as a charge would."""
    assigned = catalogue.assignment(code, keyword, AT)
    tariff = catalogue.tariff(code, keyword, AT)
    assert assigned is not None
    assert tariff is not None
    service = catalogue.service(assigned.service, AT)
    with_operator = catalogue.operator_contract(operator, tariff.fact.tariff, AT)
    with_merchant = catalogue.merchant_contract(assigned.merchant, operator, tariff.fact.tariff, AT)
    assert service is not None
    assert with_operator is not None
    assert with_merchant is not None
    tax = RULES.at(AT).tax_rate(service.category)
    return split(tariff.fact.price, tax, with_operator.fact.share, with_merchant.fact.share)


class TestDemonstration:
    """What `make demo` sells."""

    def test_loads_again_without_a_new_fact(self, catalogue: Catalogue) -> None:
        assert loaded(catalogue, has_traffic=True) is catalogue

    def test_divides_3_00_through_orange_as_its_comment_says(self, catalogue: Catalogue) -> None:
        # 3.00 with 20 % of tax: 2.50 and 0.50. The operator owes half of 2.50, 1.25, and
        # keeps 1.25. The merchant has 80 % of 1.25, 1.00, and 0.25 is left to us.
        assert shared_out(catalogue, ORANGE, "81014", "JEU") == Waterfall(
            price=3_000_000, tax=500_000, operator=1_250_000, aggregator=250_000, merchant=1_000_000
        )

    def test_goes_by_the_contract_on_the_tariff_before_the_general_one(
        self, catalogue: Catalogue
    ) -> None:
        # A fixed 1.15 instead of 48 % of 2.50 (1.20); the merchant has 80 % of it, 0.92.
        assert shared_out(catalogue, BOUYGUES, "81014", "JEU") == Waterfall(
            price=3_000_000, tax=500_000, operator=1_350_000, aggregator=230_000, merchant=920_000
        )

    def test_goes_by_the_contract_on_the_operator_before_the_general_one(
        self, catalogue: Catalogue
    ) -> None:
        # 52 % of 2.50 are 1.30; 80 % of that are 1.04, where elsewhere 76 % are paid.
        assert shared_out(catalogue, SFR, "81014", "HOROSCOPE").merchant == 1_040_000
        # 76 % of 1.25 are 0.95.
        assert shared_out(catalogue, ORANGE, "81014", "HOROSCOPE").merchant == 950_000

    def test_divides_0_05_without_losing_a_micro(self, catalogue: Catalogue) -> None:
        # Tax 8,333 1/3; the operator keeps 20,833 1/3 and owes 20,833 1/3, of which the
        # merchant has 16,666 2/3 and we 4,166 2/3. Floors leave 2 micros, which go to the
        # two largest remainders, ours and the merchant's.
        assert shared_out(catalogue, ORANGE, "41234", "VOTE") == Waterfall(
            price=50_000, tax=8_333, operator=20_833, aggregator=4_167, merchant=16_667
        )

    def test_tells_the_longer_keyword_from_the_shorter(self, catalogue: Catalogue) -> None:
        known = catalogue.keywords["41234"]
        for text, keyword, argument in (
            ("vote finale 2", "VOTE FINALE", "2"),
            ("Vote: 3", "VOTE", "3"),
            ("VOTE FINALES", "VOTE", "FINALES"),
        ):
            assert match(text, known) == (keyword, argument)

    def test_knows_the_operators_behind_the_gateway(self, catalogue: Catalogue) -> None:
        gateway = catalogue.gateway("kannel-fr", AT)
        assert gateway is not None
        assert set(gateway.operators.values()) == {ORANGE, SFR, BOUYGUES}
        for code in ("81014", "72100", "41234"):
            for operator in gateway.operators.values():
                assert catalogue.code(code, operator, AT) is not None
