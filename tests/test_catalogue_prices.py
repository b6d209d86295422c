"""Prices and terms over time: what a message costs is settled when it is sent, and never again."""

from datetime import datetime, timedelta

import msgspec
import pytest

from ledger.commands.catalogue import load_catalogue
from ledger.commands.desk import Settled
from ledger.decisions.catalogue import CatalogueFact, CatalogueRefused, Requested
from ledger.facts.catalogue import KeywordAssigned, TariffSet
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured
from ledger.facts.traffic import KeywordMatched, MtEmitted
from tests.support.book import ORIGIN, Book, in_memory, overtaken
from tests.support.builders import (
    NOON,
    ORANGE,
    code,
    dlr,
    keyword,
    mo,
    percent,
    tariff,
    with_merchant,
)

CODE = "85014"
"""A code where nothing else is sold."""
HOUR = timedelta(hours=1)
DEARER = tariff(CODE, 4_000_000, effective_from=NOON + HOUR)
SECOND = "2" * 32


def selling() -> Book:
    """Open a book in which a quiz is sold for 3.00."""
    return in_memory(code(CODE), *keyword("JEU", "quiz", on=CODE), tariff(CODE, 3_000_000))


def load(book: Book, *facts: CatalogueFact, now: datetime = NOON) -> Settled:
    """Ask for changes of the catalogue."""
    asked = [Requested(fact, "here") for fact in facts]
    return book.run(load_catalogue(book.desk, asked, ORIGIN, now, has_traffic=True))


def sold(book: Book, at: datetime, **fields: object) -> str:
    """Sell something at an instant; gives the message to be delivered."""
    book.clock.now = at
    answer = book.receive(mo("JEU", **{"short_code": CODE, **fields}))
    assert answer.mt is not None
    return answer.mt


def told(book: Book, mt: str, at: datetime, outcome: str = "delivered") -> None:
    """Take in a receipt at an instant."""
    book.clock.now = at
    book.report(dlr(mt, outcome))


class TestPrice:
    """A price that changes in an hour."""

    def test_counts_from_its_moment_on(self) -> None:
        book = selling()
        load(book, DEARER)
        instants = (NOON + HOUR - timedelta(microseconds=1), NOON + HOUR)
        for number, at in enumerate(instants):
            sold(book, at, gateway_message_id=f"m-{number}")
        assert [one.price for one in book.facts(KeywordMatched)] == [3_000_000, 4_000_000]

    def test_moves_nothing_between_a_message_and_its_receipt(self) -> None:
        book = selling()
        mt = sold(book, NOON)
        load(book, DEARER)
        told(book, mt, NOON + 2 * HOUR)
        (captured,) = book.facts(ChargeCaptured)
        assert captured.amounts.price == 3_000_000
        assert captured.amounts == book.facts(ChargeAuthorized)[0].amounts

    def test_is_that_of_when_a_message_was_sent_also_if_it_comes_later(self) -> None:
        # The gateway states a time five minutes ago, and ten are within its tolerance.
        book = selling()
        load(book, DEARER)
        sold(book, NOON + HOUR + timedelta(minutes=2), stated_at=NOON + timedelta(minutes=57))
        assert [one.price for one in book.facts(KeywordMatched)] == [3_000_000]

    def test_of_a_retry_is_that_of_the_charge(self) -> None:
        # Its first message failed; another one on the same charge is billed after the change.
        book = selling()
        first = sold(book, NOON)
        told(book, first, NOON, "failed")
        (emitted,), (made,) = book.facts(MtEmitted), book.facts(ChargeAuthorized)
        book.add(msgspec.structs.replace(made, was="released", released_day=made.value_day), n=1)
        again = msgspec.structs.replace(emitted.ref, mt=SECOND)
        book.add(msgspec.structs.replace(emitted, ref=again))
        load(book, DEARER)
        told(book, SECOND, NOON + 2 * HOUR)
        (captured,) = book.facts(ChargeCaptured)
        assert (captured.ref.charge, captured.amounts.price) == (made.ref.charge, 3_000_000)

    def test_repeated_records_nothing_and_back_dated_is_refused(self) -> None:
        book = selling()
        sold(book, NOON)
        load(book, DEARER)
        assert load(book, DEARER, now=NOON + 2 * HOUR).appended == ()
        before = book.rows
        with pytest.raises(CatalogueRefused, match="is past, and the book has traffic"):
            load(book, tariff(CODE, 2_000_000, effective_from=NOON), now=NOON + HOUR)
        assert book.rows == before

    def test_raced_by_another_for_the_same_moment_leaves_the_one_that_came_last(self) -> None:
        # Neither is refused: a price may be corrected before it counts.
        book = selling()
        other = book.beside()
        cheaper = tariff(CODE, 2_000_000, effective_from=NOON + HOUR)
        overtaken(book, lambda: load(book, cheaper), lambda: load(other, DEARER))
        assert [one for one in book.facts(TariffSet) if one.effective_from > NOON] == [
            DEARER,
            cheaper,
        ]
        found = book.desk.catalogue.tariff(CODE, "JEU", NOON + HOUR)
        assert found is not None
        assert found.fact == cheaper


class TestTerms:
    """A contract that changes between a message and its receipt."""

    def test_move_nothing_either_and_stay_to_be_found(self) -> None:
        book = selling()
        mt = sold(book, NOON)
        new = with_merchant(
            "ludotel",
            percent(50, "reversement"),
            effective_from=NOON + HOUR,
            refunds_borne_by="merchant",
        )
        load(book, msgspec.structs.replace(new, contract="c-new", tariff=f"t-{CODE}"))
        told(book, mt, NOON + 2 * HOUR)
        # 1.25 reversement of 3.00, four fifths of it as agreed at the message.
        (captured,) = book.facts(ChargeCaptured)
        assert captured.amounts.merchant == 1_000_000
        agreed = book.desk.catalogue.contract(captured.ref.merchant_contract or "")
        assert agreed is not None
        assert agreed.fact.refunds_borne_by == "aggregator"
        now = book.desk.catalogue.merchant_contract("ludotel", ORANGE, f"t-{CODE}", NOON + HOUR)
        assert now is not None
        assert now.fact.refunds_borne_by == "merchant"


def neuf(service: str, merchant: str) -> KeywordAssigned:
    """Assign the keyword NEUVE."""
    return KeywordAssigned(
        short_code=CODE,
        keyword="NEUVE",
        service=service,
        merchant=merchant,
        effective_from=NOON + HOUR,
    )


class TestKeyword:
    """A keyword that two merchants ask for at the same time."""

    def test_goes_to_the_first_and_is_refused_to_the_second(self) -> None:
        book = selling()
        other = book.beside()
        mine, theirs = neuf("quiz", "ludotel"), neuf("vote", "voxpop")
        with pytest.raises(CatalogueRefused, match="NEUVE belongs to vote of voxpop"):
            overtaken(book, lambda: load(book, mine), lambda: load(other, theirs))
        assert [one for one in book.facts(KeywordAssigned) if one.keyword == "NEUVE"] == [theirs]

    def test_is_not_the_first_words_of_one_that_is_asked_for_meanwhile(self) -> None:
        book = selling()
        other = book.beside()
        longer = msgspec.structs.replace(neuf("vote", "voxpop"), keyword="NEUVE FOIS")
        mine = neuf("quiz", "ludotel")
        with pytest.raises(CatalogueRefused, match="begins with"):
            overtaken(book, lambda: load(book, longer), lambda: load(other, mine))
