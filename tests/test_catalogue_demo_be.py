"""The Belgian demonstration's catalogue: it is right, and its figures are what its comments say."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.catalogue_file import read_catalogue
from ledger.catalogue import Catalogue
from ledger.decisions.catalogue import CatalogueRefused, Circumstances, change
from ledger.facts.base import Recorded
from ledger.facts.book import BookOpened
from ledger.money import Waterfall, split
from ledger.rules.pack import load_pack
from ledger.rules.resolve import RuleBook
from ledger.rules.settings import load_settings
from ledger.spans import Period
from tests.support.catalogues import recorded
from tests.support.packs import edited

ROOT = Path(__file__).parents[1]
FILE = ROOT / "api" / "demo" / "catalogue_be.toml"
TEXT = FILE.read_text()
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
RULES = RuleBook(load_pack("be"), load_settings(ROOT / "settings" / "be.toml"))
PROXIMUS, ORANGE, BASE = "20601", "20610", "20620"


def opened() -> Catalogue:
    """Give the catalogue of a Belgian book that was opened, and nothing more."""
    fact = BookOpened(
        book="be",
        jurisdiction="BE",
        legal_entity="Example SRL",
        currency="EUR",
        zone="Europe/Brussels",
        log_origin="log.example/be",
        pseudonym_scheme="hmac-sha256",
        occurred_at=AT,
    )
    return Catalogue().advance([Recorded("be", 1, AT, "0" * 32, None, None, "t", None, fact)])


def loaded(text: str, known: Catalogue, *, has_traffic: bool = False) -> Catalogue:
    """Load a text as the command does."""
    asked = read_catalogue(text.encode(), FILE.name, "be", "Europe/Brussels")
    return recorded(change(asked, known, Circumstances(RULES.at, has_traffic, AT)), known)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Give the demonstration's catalogue, with the Belgian rules and settings for tests."""
    return loaded(TEXT, opened())


def shared_out(catalogue: Catalogue, operator: str, code: str, keyword: str) -> list[Waterfall]:
    """Divide the price of the message and that of its answer as charges would."""
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
    terms = tax, with_operator.fact.share, with_merchant.fact.share
    return [split(price, *terms) for price in (tariff.fact.mo_price, tariff.fact.price) if price]


def refused(*edits: tuple[str, str]) -> list[str]:
    """Give what the catalogue is refused for, once it is edited."""
    with pytest.raises(CatalogueRefused) as raised:
        loaded(edited(TEXT, *edits), opened())
    return [problem.text for problem in raised.value.problems]


class TestDemonstration:
    """What the Belgian book sells."""

    def test_loads_again_without_a_new_fact(self, catalogue: Catalogue) -> None:
        assert loaded(TEXT, catalogue, has_traffic=True) is catalogue

    def test_divides_both_legs_through_proximus_as_its_comment_says(
        self, catalogue: Catalogue
    ) -> None:
        # 1.00 / 1.21 = 0.826446|281, tax 0.173553|719. The operator keeps 40 %, 0.330578|512,
        # and owes 60 %, 0.495867|769, of which 80 % are 0.396694|215 and 20 % 0.099173|554.
        # The floors leave 2 micros, for the tax and for us.
        # 2.00 / 1.21 = 1.652892|562, tax 0.347107|438; 0.661157|025, 0.793388|430 and
        # 0.198347|107: one micro is left, and the tax has the largest remainder.
        assert shared_out(catalogue, PROXIMUS, "3030", "KWIS") == [
            Waterfall(
                price=1_000_000, tax=173_554, operator=330_578, aggregator=99_174, merchant=396_694
            ),
            Waterfall(
                price=2_000_000, tax=347_108, operator=661_157, aggregator=198_347, merchant=793_388
            ),
        ]

    def test_gives_the_merchant_of_games_the_same_for_each_leg(self, catalogue: Catalogue) -> None:
        # 0.20 of 0.50 and of 1.00; at BASE, 55 % of 0.413223 are 0.227273, so we keep 0.027273.
        mo, mt = shared_out(catalogue, BASE, "6070", "RING")
        assert (mo.price, mo.merchant, mo.aggregator) == (500_000, 200_000, 27_273)
        assert (mt.price, mt.merchant) == (1_000_000, 200_000)

    def test_charges_the_message_alone_where_its_answer_is_free(self, catalogue: Catalogue) -> None:
        (only,) = shared_out(catalogue, ORANGE, "2121", "STEM")
        assert only.price == 500_000
        tariff = catalogue.code_tariff("2121", AT)
        assert tariff is not None
        assert tariff.fact.price == 0

    def test_sells_subscriptions_on_9050_alone(self, catalogue: Catalogue) -> None:
        offers = {
            words: catalogue.service(assigned.service, AT).subscription
            for code in catalogue.keywords
            for words in catalogue.keywords[code]
            if (assigned := catalogue.assignment(code, words, AT)) and code == "9050"
        }
        assert {words: offer.every for words, offer in offers.items()} == {
            "HOROSCOOP": Period(1, "week"),
            "KWIS": Period(1, "month"),
        }
        kwis = catalogue.assignment("3030", "KWIS", AT)
        assert catalogue.service(kwis.service, AT).subscription is None

    def test_says_who_bears_what_is_given_back(self, catalogue: Catalogue) -> None:
        found = {
            merchant: catalogue.merchant_contract(merchant, PROXIMUS, "be-100-200", AT).fact
            for merchant in ("kwisbox", "astravox", "speelgoed")
        }
        assert {
            merchant: (terms.refunds_borne_by, terms.unpaid_borne_by)
            for merchant, terms in found.items()
        } == {
            "kwisbox": ("aggregator", "aggregator"),
            "astravox": ("merchant", "aggregator"),
            "speelgoed": ("merchant", "merchant"),
        }


class TestBelgianRules:
    """What the Belgian pack refuses in it."""

    def test_bound_a_message_and_its_answer_together(self) -> None:
        # 2.01 and 2.00 are 4.01.
        (text,) = refused(('mo_price = "1.00"', 'mo_price = "2.01"'))
        assert text == "4.01 for a message and its answer is above the ceiling of 3xxx, 4.00"

    def test_charge_no_message_that_begins_a_subscription(self) -> None:
        code = 'code = "9050"\nprice = "2.00"'
        found = refused((code, f'{code}\nmo_price = "0.50"'))
        assert "on 9xxx a consumer's own message is not charged" in found

    def test_let_nothing_but_subscriptions_be_sold_on_9xxx(self) -> None:
        keyword = 'keyword = "HOROSCOOP"\nservice = "weekhoroscoop"'
        (text,) = refused((keyword, keyword.replace("weekhoroscoop", "sterren")))
        assert text.startswith("only subscriptions may be sold on 9xxx, and sterren is none")

    def test_let_no_subscription_be_sold_elsewhere(self) -> None:
        keyword = 'keyword = "STERREN"\nservice = "sterren"'
        (text,) = refused((keyword, keyword.replace("sterren", "weekhoroscoop")))
        assert text.startswith("no subscription may be sold on 3xxx, and weekhoroscoop is one")

    def test_let_nobody_pay_on_8xxx(self) -> None:
        free = 'code = "8123"\nprice = "0.00"\ncurrency = "EUR"\nbilling_code = "FREE"'
        found = refused((free, free.replace("0.00", "0.01").replace("FREE", "BE001")))
        assert "0.01 is above the ceiling of 8xxx, 0.00" in found

    def test_want_the_price_of_a_code_and_not_of_its_keywords(self) -> None:
        own = 'code = "6070"\nmo_price'
        found = refused((own, own.replace("\n", '\nkeyword = "RING"\n')))
        assert "on 6xxx the price is the code's, not a keyword's" in found
