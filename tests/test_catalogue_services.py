"""Subscriptions on offer, suspended services, test numbers, and who bears what is given back."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from ledger.decisions.catalogue import CatalogueFact, CatalogueRefused, Circumstances, Requested
from ledger.decisions.catalogue import change as decided
from ledger.facts import catalogue as entries
from ledger.facts.base import Draft
from ledger.facts.catalogue import ContractAgreed, ServiceDeclared
from ledger.money import Percentage, Rate
from ledger.rules.inforce import Rules
from ledger.spans import Period
from tests.support.catalogues import (
    HEAD,
    NOW,
    RULES,
    SMALL,
    after,
    contract,
    empty_book,
    recorded,
    rules_with,
    told,
    wanted,
)
from tests.support.packs import edited

SINCE = ", from 2026-03-01 on"
OFFER = "{service} : {price} par {every}. OK ? Repondez {confirm} au {code}."
STARS = 'name = "Stars"\ncategory = "content"'
SUBSCRIBED = f'{STARS}\nsubscription = {{ every = 1, unit = "month", offer_text = "{OFFER}" }}'
ALLOWED = rules_with(subscriptions="allowed")
SECOND = timedelta(seconds=1)
NUMBER = "1_" + "a" * 32


def offering(offer: str) -> str:
    """Write the small catalogue with the stars as a subscription, offered in some words."""
    return edited(SMALL, (STARS, SUBSCRIBED.replace(OFFER, offer)))


def requested(*facts: CatalogueFact) -> list[Requested]:
    """Ask for facts, all of them here."""
    return [Requested(fact, "here") for fact in facts]


def change(*facts: CatalogueFact, has_traffic: bool = True, on: str = SMALL) -> list[Draft]:
    """Decide on facts after a catalogue."""
    judged_by = Circumstances(RULES.at, has_traffic, NOW)
    return decided(requested(*facts), after(on), judged_by)


def refused(*facts: CatalogueFact) -> list[str]:
    """Give what facts are refused for."""
    with pytest.raises(CatalogueRefused) as raised:
        change(*facts)
    return [problem.text for problem in raised.value.problems]


def suspended(since: datetime = NOW, service: str = "quiz", merchant: str = "ludo", why: str = "x"):  # noqa: ANN201 - a fact
    """Suspend a service."""
    return entries.ServiceSuspended(
        service=service, merchant=merchant, reason=why, effective_from=since
    )


def resumed(since: datetime = NOW, service: str = "quiz", merchant: str = "ludo"):  # noqa: ANN201 - a fact
    """Resume a service."""
    return entries.ServiceResumed(service=service, merchant=merchant, effective_from=since)


class TestSubscriptions:
    """A service that is charged again and again."""

    def test_are_taken_where_the_code_allows_them(self) -> None:
        drafts = wanted(offering(OFFER), empty_book(), rules_at=ALLOWED)
        stars = next(
            draft.fact
            for draft in drafts
            if isinstance(draft.fact, ServiceDeclared) and draft.fact.service == "stars"
        )
        assert stars.subscription is not None
        assert stars.subscription.every == Period(1, "month")
        assert stars.subscription.offer_text == OFFER

    def test_again_record_nothing(self) -> None:
        known = after(offering(OFFER), rules_at=ALLOWED)
        assert wanted(offering(OFFER), known, has_traffic=True, rules_at=ALLOWED) == []

    def test_are_refused_in_a_country_that_has_none(self) -> None:
        # France: no range allows them, so neither the offer nor the keyword can stand.
        assert told(offering(OFFER)) == [
            ("services[2].subscription", "the rules allow no subscription on any code"),
            (
                "keywords[2].keyword",
                f"no subscription may be sold on 8xxxx, and stars is one{SINCE}",
            ),
        ]

    def test_are_refused_on_a_code_that_has_none_beside_one_that_has(self) -> None:
        rules = rules_with("7xxxx", subscriptions="allowed")
        assert told(offering(OFFER), rules_at=rules) == [
            (
                "keywords[2].keyword",
                f"no subscription may be sold on 8xxxx, and stars is one{SINCE}",
            )
        ]

    def test_alone_may_be_sold_on_some_codes(self) -> None:
        assert told(offering(OFFER), rules_at=rules_with(subscriptions="only")) == [
            (
                "keywords[1].keyword",
                f"only subscriptions may be sold on 8xxxx, and quiz is none{SINCE}",
            )
        ]

    def test_cannot_become_what_was_sold_once_on_a_code_that_has_none(self) -> None:
        rules = rules_with("7xxxx", subscriptions="allowed")
        stars = SMALL[SMALL.index('[[services]]\nservice = "stars"') : SMALL.index("[[keywords]]")]
        text = f"{HEAD}{edited(stars, (STARS, SUBSCRIBED))}effective_from = 2026-07-01\n"
        assert told(text, after(SMALL), rules_at=rules) == [
            (
                "services[1].service",
                "no subscription may be sold on 8xxxx, and stars is one, from 2026-07-01 on",
            )
        ]

    @pytest.mark.parametrize(
        ("offer", "text"),
        [
            ("Astro, OK ?", "the offer must tell {price} and {confirm}"),
            ("Astro a {price}, OK ?", "the offer must tell {confirm}"),
            ("Astro : repondez {confirm}", "the offer must tell {price}"),
            ("{price} {confirm} {desk}", "{desk} is no placeholder that may stand here"),
        ],
    )
    def test_are_offered_with_their_price_and_what_agrees_to_it(
        self, offer: str, text: str
    ) -> None:
        ((place, what),) = told(offering(offer), rules_at=ALLOWED)
        assert place == "services[2].subscription"
        assert what.startswith(text)

    def test_need_a_word_that_confirms_them(self) -> None:
        def wordless(at: datetime) -> Rules:
            return replace(ALLOWED(at), service_words=RULES.at(at).service_words)

        assert told(offering(OFFER), rules_at=wordless) == [
            ("services[2].subscription", "the rules know no word that confirms a subscription")
        ]

    def test_are_offered_in_one_message(self) -> None:
        # 148 letters, "3.00 EUR", "OK" and two spaces make 160; one letter more is too long.
        fitting = "x" * 148 + " {price} {confirm}"
        assert wanted(offering(fitting), empty_book(), rules_at=ALLOWED)
        long = "the offer of 81014 ASTRO takes 161 characters, and one message holds 160"
        assert told(offering(f"x{fitting}"), rules_at=ALLOWED) == [
            ("services[2].subscription", f"{long}{SINCE}")
        ]


class TestSuspension:
    """A service that sells nothing for a while."""

    def test_counts_from_the_moment_at_which_it_is_asked_for(self) -> None:
        # Other changes of a book with traffic are asked for a minute before they count.
        (draft,) = change(suspended())
        then = recorded([draft], after(SMALL))
        assert then.suspended("quiz", NOW)
        assert not then.suspended("quiz", NOW - SECOND)
        assert not then.suspended("stars", NOW)

    def test_is_not_back_dated_over_messages(self) -> None:
        (text,) = refused(suspended(NOW - SECOND))
        assert "is past, and the book has traffic" in text
        assert change(suspended(NOW - SECOND), has_traffic=False)

    def test_of_what_is_suspended_already_changes_nothing_also_for_another_reason(self) -> None:
        known = recorded(change(suspended()), after(SMALL))
        later = requested(suspended(NOW + SECOND, why="another"))
        assert decided(later, known, Circumstances(RULES.at, has_traffic=True, now=NOW)) == []

    def test_ends_with_being_resumed_and_may_begin_again(self) -> None:
        facts = (suspended(), resumed(NOW + SECOND), suspended(NOW + 2 * SECOND))
        drafts = change(*facts)
        assert len(drafts) == 3
        then = recorded(drafts, after(SMALL))
        states = [then.suspended("quiz", NOW + at * SECOND) for at in range(3)]
        assert states == [True, False, True]

    def test_of_nothing_that_is_sold_is_refused(self) -> None:
        assert refused(suspended(service="nope")) == ["no service nope is declared by then"]
        assert refused(suspended(merchant="astro")) == ["quiz is a service of ludo, not of astro"]

    def test_that_there_is_none_of_is_not_ended(self) -> None:
        assert refused(resumed()) == ["quiz is not suspended then"]

    def test_once_ended_is_not_ended_again(self) -> None:
        known = recorded(change(suspended(), resumed(NOW + SECOND)), after(SMALL))
        again = requested(resumed(NOW + 2 * SECOND))
        assert decided(again, known, Circumstances(RULES.at, has_traffic=True, now=NOW)) == []

    def test_is_read_from_a_file(self) -> None:
        text = (
            f'{HEAD}[[suspended_services]]\nservice = "quiz"\nmerchant = "ludo"\n'
            'reason = "Plaintes"\neffective_from = 2026-07-01\n'
            '[[resumed_services]]\nservice = "quiz"\nmerchant = "ludo"\n'
            "effective_from = 2026-07-02\n"
        )
        drafts = wanted(text, after(SMALL), has_traffic=True)
        assert [type(draft.fact).__name__ for draft in drafts] == [
            "ServiceSuspended",
            "ServiceResumed",
        ]


class TestTestNumbers:
    """Numbers that only test."""

    DECLARED = entries.TestNumberDeclared(consumer=NUMBER, label="ours", effective_from=NOW)
    WITHDRAWN = entries.TestNumberWithdrawn(consumer=NUMBER, effective_from=NOW + SECOND)

    def test_are_declared_and_withdrawn(self) -> None:
        then = recorded(change(self.DECLARED, self.WITHDRAWN), after(SMALL))
        assert then.is_test(NUMBER, NOW)
        assert not then.is_test(NUMBER, NOW + SECOND)

    def test_declared_again_record_nothing(self) -> None:
        known = recorded(change(self.DECLARED), after(SMALL))
        again = entries.TestNumberDeclared(
            consumer=NUMBER, label="ours", effective_from=NOW + SECOND
        )
        judged_by = Circumstances(RULES.at, has_traffic=True, now=NOW)
        assert decided(requested(again), known, judged_by) == []

    def test_are_not_declared_for_messages_that_came_before(self) -> None:
        early = entries.TestNumberDeclared(
            consumer=NUMBER, label="ours", effective_from=NOW - SECOND
        )
        (text,) = refused(early)
        assert "is past, and the book has traffic" in text

    def test_that_nobody_declared_are_not_withdrawn(self) -> None:
        assert refused(self.WITHDRAWN) == [f"{NUMBER} is not declared for testing then"]


class TestBearing:
    """Who bears a refund, and what an operator does not pay."""

    def test_is_agreed_with_a_merchant(self) -> None:
        text = edited(
            SMALL, ('contract = "ludo"', 'contract = "ludo"\nrefunds_borne_by = "merchant"')
        )
        agreed = {
            draft.fact.contract: draft.fact
            for draft in wanted(text, empty_book())
            if isinstance(draft.fact, ContractAgreed)
        }
        assert (agreed["ludo"].refunds_borne_by, agreed["ludo"].unpaid_borne_by) == (
            "merchant",
            "aggregator",
        )
        assert agreed["astro"].refunds_borne_by == "aggregator"

    def test_agreed_anew_is_a_new_contract(self) -> None:
        fields = 'contract = "ludo"\nmerchant = "ludo"\nunpaid_borne_by = "merchant"'
        (draft,) = wanted(HEAD + contract("merchant", fields), after(SMALL))
        assert isinstance(draft.fact, ContractAgreed)
        assert (draft.fact.unpaid_borne_by, draft.n) == ("merchant", 1)

    def test_is_not_agreed_with_an_operator(self) -> None:
        odd = ContractAgreed(
            contract="new",
            party="operator",
            operator="20801",
            tariff="t-050",
            share=Percentage(Rate(1, 2), "price_net_of_tax"),
            refunds_borne_by="merchant",
            effective_from=NOW + timedelta(days=1),
        )
        assert refused(odd) == ["is agreed with a merchant, not with an operator"]
