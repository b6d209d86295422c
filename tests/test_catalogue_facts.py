"""A change that comes as facts and not from a file is judged all the same."""

from datetime import UTC, datetime

import msgspec

from ledger.decisions.catalogue import (
    CatalogueFact,
    CatalogueRefused,
    Circumstances,
    Requested,
    change,
)
from ledger.facts.catalogue import ContractAgreed, KeywordAssigned, ServiceDeclared
from ledger.money import FixedAmount, Percentage, Rate
from ledger.rules.inforce import Rules
from tests.support.catalogues import NOW, RULES, SMALL, after, requests

SINCE = datetime(2026, 7, 1, tzinfo=UTC)


def refused(*facts: CatalogueFact, untaxed: bool = False) -> list[str]:
    """Give what facts are refused for, after the small catalogue."""

    def rules_at(at: datetime) -> Rules:
        rules = RULES.at(at)
        return msgspec.structs.replace(rules, tax_rates={}) if untaxed else rules

    asked = [Requested(fact, "here") for fact in facts]
    try:
        change(asked, after(SMALL), Circumstances(rules_at, has_traffic=False, now=NOW))
    except CatalogueRefused as error:
        return [problem.text for problem in error.problems]
    return []


def agreed(share: Percentage | FixedAmount, merchant: str | None = None) -> ContractAgreed:
    """Give a contract with the operator 20801."""
    return ContractAgreed(
        contract="new",
        party="operator",
        operator="20801",
        merchant=merchant,
        tariff="t-050",
        share=share,
        effective_from=SINCE,
    )


def neuf(keyword: str = "NEUF") -> KeywordAssigned:
    """Give the assignment of a keyword to the quiz."""
    return KeywordAssigned(
        short_code="81014", keyword=keyword, service="quiz", merchant="ludo", effective_from=SINCE
    )


class TestFacts:
    """What a file would have corrected or could not have said."""

    def test_with_a_keyword_that_is_not_in_its_normal_form(self) -> None:
        assert "'neuf!' is never matched, for matching reads it as 'NEUF'" in refused(neuf("neuf!"))

    def test_with_a_choice_that_is_not_in_its_normal_form(self) -> None:
        quiz = next(one.fact for one in requests(SMALL) if isinstance(one.fact, ServiceDeclared))
        changed = msgspec.structs.replace(quiz, choices=("A", "é"), effective_from=SINCE)
        assert refused(changed) == ["'é' is never matched, for matching reads it as 'E'"]

    def test_with_more_than_everything(self) -> None:
        share = Percentage(Rate(6, 5), "price_net_of_tax")
        assert "nobody can have more than 100 %" in refused(agreed(share))

    def test_with_less_than_nothing(self) -> None:
        assert "an amount for each message must not be negative" in refused(agreed(FixedAmount(-1)))

    def test_with_a_contract_of_two_parties(self) -> None:
        share = Percentage(Rate(1, 2), "price_net_of_tax")
        assert refused(agreed(share, merchant="ludo")) == [
            "a contract with an operator names the operator and no merchant"
        ]

    def test_with_a_keyword_for_a_service_whose_tax_is_not_known_any_more(self) -> None:
        assert refused(neuf()) == []
        assert refused(neuf(), untaxed=True) == [
            "the rules have no tax rate for content; they have one for , from 2026-07-01 02:00 on"
        ]
