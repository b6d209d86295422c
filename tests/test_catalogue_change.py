"""A change of the catalogue that is taken: what it records, and what it leaves as it was."""

from datetime import UTC, datetime, timedelta

import pytest

from ledger.catalogue import Catalogue
from ledger.decisions.catalogue import CatalogueRefused, Circumstances, change
from ledger.facts.base import Draft
from ledger.facts.catalogue import (
    KeywordAssigned,
    KeywordWithdrawn,
    MerchantRegistered,
    ServiceDeclared,
    ShortCodeClosed,
    TariffSet,
)
from ledger.facts.registry import fact_id
from tests.support.catalogues import (
    HEAD,
    NOW,
    RULES,
    SMALL,
    after,
    empty_book,
    recorded,
    requests,
    wanted,
)

LATER = datetime(2026, 12, 1, tzinfo=UTC)


def price(units: str, since: str) -> str:
    """Write the tariff of 72100 at another price."""
    return (
        '[[tariffs]]\ntariff = "t-050"\ncode = "72100"\ncurrency = "EUR"\nbilling_code = "P050"\n'
        f'price = "{units}"\neffective_from = {since}\n'
    )


def withdrawn(keyword: str, since: str, code: str = "81014") -> str:
    """Write a keyword's withdrawal."""
    return (
        f'[[withdrawn_keywords]]\ncode = "{code}"\nkeyword = "{keyword}"\n'
        f"effective_from = {since}\n"
    )


def assigned(keyword: str, service: str, merchant: str, since: str, code: str = "81014") -> str:
    """Write a keyword's assignment."""
    return (
        f'[[keywords]]\ncode = "{code}"\nkeyword = "{keyword}"\nservice = "{service}"\n'
        f'merchant = "{merchant}"\neffective_from = {since}\n'
    )


def names(drafts: list[Draft]) -> list[str]:
    """Give the id of each draft's fact."""
    return [fact_id("fr", type(draft.fact), draft.fact.subject, draft.n) for draft in drafts]


class TestHappens:
    """A change that is right records what is new in it."""

    def test_to_an_empty_book_records_every_entry(self) -> None:
        drafts = wanted(SMALL, empty_book())
        assert len(drafts) == len(requests(SMALL))
        assert len(set(names(drafts))) == len(drafts)

    def test_records_nothing_before_what_it_names(self) -> None:
        # The file is read in its own order; the record has an order of kinds.
        kinds = [type(draft.fact).__name__ for draft in wanted(SMALL, empty_book())]
        first = {kind: kinds.index(kind) for kind in kinds}
        assert first["MerchantRegistered"] < first["ShortCodeOpened"] < first["ServiceDeclared"]
        assert first["ServiceDeclared"] < first["KeywordAssigned"]
        assert first["TariffSet"] < first["ContractAgreed"]

    def test_of_one_price_records_one_fact_that_the_old_price_precedes(self) -> None:
        known = after(SMALL)
        (draft,) = wanted(HEAD + price("0.65", "2026-07-01"), known)
        assert isinstance(draft.fact, TariffSet)
        assert (draft.fact.price, draft.n) == (650_000, 1)
        then = recorded([draft], known)
        summer = draft.fact.effective_from
        old, new = (
            then.tariff("72100", "LOGO", at) for at in (summer - timedelta(seconds=1), summer)
        )
        assert old is not None
        assert new is not None
        assert (old.fact.price, new.fact.price) == (500_000, 650_000)

    def test_numbers_the_versions_of_one_file(self) -> None:
        text = HEAD + price("0.65", "2026-07-01") + price("0.75", "2026-08-01")
        assert [draft.n for draft in wanted(text, after(SMALL))] == [1, 2]

    def test_back_to_an_earlier_content_is_recorded_again(self) -> None:
        known = after(SMALL, HEAD + price("0.65", "2026-07-01"))
        (draft,) = wanted(HEAD + price("0.50", "2026-08-01"), known)
        assert draft.n == 2
        # Also for the same moment: what was said last holds.
        (draft,) = wanted(HEAD + price("0.75", "2026-07-01"), known)
        then = recorded([draft], known)
        (draft,) = wanted(HEAD + price("0.65", "2026-07-01"), then)
        assert draft.n == 3

    def test_corrects_a_price_before_it_counts(self) -> None:
        known = after(SMALL, HEAD + price("0.65", "2026-12-01"))
        drafts = wanted(HEAD + price("0.75", "2026-12-01"), known, has_traffic=True)
        tariff = recorded(drafts, known).tariff("72100", "LOGO", LATER)
        assert tariff is not None
        assert tariff.fact.price == 750_000

    def test_before_any_traffic_may_be_back_dated(self) -> None:
        assert wanted(HEAD + price("0.65", "2026-04-01"), after(SMALL), has_traffic=False)

    def test_with_traffic_may_count_from_a_minute_on(self) -> None:
        # Messages that come until it is recorded are judged without it.
        text = HEAD + price("0.65", (NOW + timedelta(seconds=60)).isoformat())
        assert len(wanted(text, after(SMALL), has_traffic=True, now=NOW)) == 1

    def test_of_a_gateway_keeps_how_its_ids_are_read(self) -> None:
        gateway = SMALL[SMALL.index("[[gateways]]") : SMALL.index("[[merchants]]")]
        longer = gateway.replace("horizon_days = 7", "horizon_days = 9")
        text = HEAD + longer + "effective_from = 2026-07-01\n"
        assert len(wanted(text, after(SMALL))) == 1

    def test_gives_a_keyword_to_another_service_of_the_same_merchant_at_once(self) -> None:
        text = (
            HEAD
            + '[[services]]\nservice = "quiz2"\nmerchant = "ludo"\nname = "Quiz 2"\n'
            + 'category = "content"\nreply_text = "Deux"\npublisher = "Ludo"\ndesk = "1"\n'
            + withdrawn("JEU", "2026-07-01")
            + assigned("JEU", "quiz2", "ludo", "2026-07-01")
        )
        known = after(SMALL)
        drafts = wanted(text, known)
        assert [type(draft.fact) for draft in drafts] == [
            ServiceDeclared,
            KeywordWithdrawn,
            KeywordAssigned,
        ]
        then = recorded(drafts, known)
        leads_to = then.assignment("81014", "JEU", LATER)
        assert leads_to is not None
        assert leads_to.service == "quiz2"
        # The same file again must not withdraw the keyword a second time.
        assert wanted(text, then) == []

    def test_gives_a_rested_keyword_to_another_merchant(self) -> None:
        # 90 days after 1 July is 29 September.
        known = after(SMALL, HEAD + withdrawn("JEU", "2026-07-01"))
        assert wanted(HEAD + assigned("JEU", "stars", "astro", "2026-09-29"), known)

    def test_gives_a_withdrawn_keyword_back_to_its_merchant_at_once(self) -> None:
        known = after(SMALL, HEAD + withdrawn("JEU", "2026-07-01"))
        assert wanted(HEAD + assigned("JEU", "quiz", "ludo", "2026-07-02"), known)

    def test_lets_one_merchant_have_keywords_that_begin_alike(self) -> None:
        assert wanted(HEAD + assigned("JEU FINAL", "quiz", "ludo", "2026-07-01"), after(SMALL))

    def test_lets_merchants_have_keywords_that_begin_with_the_same_letters(self) -> None:
        # Words count, not letters: JEUX is another word than JEU.
        assert wanted(HEAD + assigned("JEUX", "stars", "astro", "2026-07-01"), after(SMALL))

    def test_closes_a_code(self) -> None:
        text = (
            HEAD
            + '[[closed_codes]]\ncode = "81014"\noperators = ["20810"]\n'
            + "effective_from = 2026-07-01\n"
        )
        known = after(SMALL)
        (draft,) = wanted(text, known)
        assert isinstance(draft.fact, ShortCodeClosed)
        then = recorded([draft], known)
        assert then.code("81014", "20810", LATER) is None
        assert then.code("81014", "20801", LATER) is not None

    def test_asks_for_no_contracts_where_nothing_is_charged(self) -> None:
        # Codes of 3xxxx cost nothing, so there is nothing to share.
        free = SMALL.partition("[[operator_contracts]]")[0]
        for old, new in (("72100", "31000"), ("81014", "32000"), ("0.50", "0"), ("3.00", "0")):
            free = free.replace(f'"{old}"', f'"{new}"')
        assert len(wanted(free, empty_book())) == len(requests(free))


class TestRepeated:
    """The same change again has no further effect."""

    def test_records_nothing(self) -> None:
        assert wanted(SMALL, after(SMALL)) == []

    def test_records_nothing_once_the_book_has_traffic(self) -> None:
        # All its dates are past by then, but it asks for nothing new.
        assert wanted(SMALL, after(SMALL), has_traffic=True) == []

    def test_records_nothing_under_a_later_date(self) -> None:
        text = SMALL.replace("effective_from = 2026-03-01", "effective_from = 2026-05-01")
        assert wanted(text, after(SMALL)) == []

    def test_within_one_file_records_one_fact(self) -> None:
        merchant = '[[merchants]]\nmerchant = "new"\nname = "New"\n'
        (draft,) = wanted(HEAD + merchant + merchant, after(SMALL))
        assert isinstance(draft.fact, MerchantRegistered)

    def test_gives_the_same_ids(self) -> None:
        # A change that was retried before its first answer arrived finds its own facts.
        text = HEAD + price("0.65", "2026-07-01")
        assert names(wanted(text, after(SMALL))) == names(wanted(text, after(SMALL)))

    def test_of_a_part_records_nothing_and_ends_nothing(self) -> None:
        part = SMALL.partition("[[operator_contracts]]")[0]
        known = after(SMALL)
        assert wanted(part, known) == []
        assert known.operator_contract("20801", "t-300", LATER) is not None


class TestRefusedWhole:
    """One thing wrong, and nothing of the change is recorded."""

    def test_although_the_rest_is_right(self) -> None:
        text = HEAD + '[[merchants]]\nmerchant = "new"\nname = "New"\n' + price("1", "2026-07-01")
        with pytest.raises(CatalogueRefused) as raised:
            wanted(text, after(SMALL))
        assert len(raised.value.problems) == 1

    def test_before_the_book_is_opened(self) -> None:
        with pytest.raises(CatalogueRefused, match="the book: is not open yet"):
            change(
                requests(SMALL), Catalogue(), Circumstances(RULES.at, has_traffic=False, now=NOW)
            )

    def test_tells_every_problem_on_a_line_of_its_own(self) -> None:
        text = HEAD + price("1", "2026-07-01") + withdrawn("NOPE", "2026-07-01")
        with pytest.raises(CatalogueRefused) as raised:
            wanted(text, after(SMALL))
        assert str(raised.value).splitlines() == [
            "the catalogue is refused, 2 problems:",
            "  line 8: tariffs[1].price: 1.00 is above the ceiling of 7xxxx, 0.99",
            "  line 12: withdrawn_keywords[1].keyword: NOPE is assigned to nobody on 81014 then",
        ]
