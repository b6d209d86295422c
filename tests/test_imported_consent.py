"""What a message that was decided elsewhere stops and lifts, and what is recorded of it."""

import msgspec
import pytest

from api.importing.elsewhere import imported
from ledger.commands.imported import import_all
from ledger.commands.notices import send_notice
from ledger.decisions.finding import finding_id
from ledger.decisions.refusals import ConflictingDuplicate
from ledger.facts import catalogue as entries
from ledger.facts.base import Fact
from ledger.facts.charges import ChargeCaptured
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.findings import FindingOpened
from ledger.facts.handover import MtCancelled
from ledger.facts.imported import ExchangeImported
from ledger.facts.notices import NoticeDue
from ledger.facts.subscriptions import SubscriptionStopped
from ledger.facts.traffic import (
    DeliveryReceived,
    KeywordMatched,
    MoReceived,
    MtEmitted,
)
from ledger.words import derived_id
from tests.support.belgium import SUBSCRIBED
from tests.support.book import FRENCH, ORIGIN, Book, ChangedRules, in_memory
from tests.support.builders import BOOK, NOON, ON_ACCEPTED, ON_DELIVERED, OPENING, mo
from tests.support.given import given, some
from tests.support.subscribers import subscriber
from tests.support.told import MO, QUIZ, capped, charged, exchange, findings, only, told

NO_SALE = {"match": None, "charges": [], "receipts": [], "mt": None}
STOPPED = {**NO_SALE, "stopped": True}
LATER = "2026-07-10T10:00:01Z"


class TestStop:
    """STOP counts, whatever the platform took it for."""

    @pytest.mark.parametrize("word", ["STOP", "ARRET"])
    def test_is_recorded_with_the_word_that_was_written(self, word: str) -> None:
        found = only(given(told(text=word, **STOPPED)).book, OptedOut)
        assert (found.word, found.service, found.merchant, found.everywhere) == (
            *(word, None, None),
            False,
        )
        assert (found.mo, found.short_code, found.operator) == (MO, ON_DELIVERED, "20801")
        assert (found.occurred_at, found.test) == (NOON, False)

    def test_without_a_word_is_one_all_the_same(self) -> None:
        found = only(given(told(text="JEU 42", **STOPPED)).book, OptedOut)
        assert found.word == "STOP"

    def test_with_a_keyword_is_of_its_service(self) -> None:
        found = only(given(told(text="STOP JEU", **STOPPED)).book, OptedOut)
        assert (found.service, found.merchant, found.everywhere) == ("quiz", "ludotel", False)

    def test_that_the_platform_took_for_something_else_is_found_by_its_message(self) -> None:
        book = given(told(text="STOP", charges=[], receipts=[])).book
        assert only(book, FindingOpened).finding == finding_id(BOOK, "stop_ignored", MO)

    def test_that_the_platform_knew_finds_nothing(self) -> None:
        book = given(told(text="STOP", **STOPPED)).book
        assert findings(book) == []
        assert only(book, ExchangeImported).stopped

    def test_is_recorded_once_for_one_moment(self) -> None:
        first, again, later = (
            told(id=name, text="STOP", sent_at=at, **STOPPED)
            for name, at in (("a", LATER), ("b", LATER), ("c", "2026-07-10T10:00:02Z"))
        )
        happened = given(first).when(again).then(MoReceived, ExchangeImported)
        given(book=happened.book).when(later).then(MoReceived, ExchangeImported, OptedOut)

    def test_that_was_said_earlier_and_told_later_adds_nothing(self) -> None:
        given(told(id="a", text="STOP", sent_at=LATER, **STOPPED)).when(
            told(id="b", text="STOP", **STOPPED)
        ).then(MoReceived, ExchangeImported)

    def test_of_all_after_one_service_is_another(self) -> None:
        given(told(id="a", text="STOP JEU", **STOPPED)).when(
            told(id="b", text="STOP", sent_at=LATER, **STOPPED)
        ).then(MoReceived, ExchangeImported, some(OptedOut, service=None))


class TestOnItsWay:
    """What was decided here and no gateway has taken, when a STOP is told."""

    @pytest.fixture
    def noticed(self) -> Book:
        """Let a notice's message wait to be pushed."""
        book = in_memory()
        for _ in range(2):
            given(book=book).when(mo("JEU"))
        (due,) = book.facts(NoticeDue)
        assert isinstance(due, NoticeDue)
        book.run(send_notice(book.desk, due.ref.notice, ORIGIN, NOON))
        return book

    def test_is_called_back(self, noticed: Book) -> None:
        (waiting,) = [one for one in noticed.facts(MtEmitted) if one.pushed]  # type: ignore[attr-defined]
        given(book=noticed).when(told(id="s", text="STOP", sent_at=LATER, **STOPPED)).then(
            MoReceived,
            ExchangeImported,
            OptedOut,
            some(MtCancelled, ref__mt=waiting.ref.mt, reason="opted_out"),  # type: ignore[attr-defined]
        )

    def test_is_left_by_a_stop_of_another_service(self, noticed: Book) -> None:
        given(book=noticed).when(told(id="s", text="STOP VOTE", sent_at=LATER, **STOPPED)).then(
            MoReceived, ExchangeImported, some(OptedOut, service="vote")
        )


class TestSubscribed:
    """A STOP that is told ends what was subscribed here."""

    def stop(self, text: str) -> list[Fact]:
        """Tell of a STOP of the subscriber, by whom only the text differs."""
        book = subscriber()
        line = exchange(
            id="s",
            text=text,
            short_code=SUBSCRIBED,
            smsc="proximus",
            sender="32470000001",
            sent_at="2026-07-20T10:00:00Z",
            **STOPPED,
        )
        before = len(book.rows)
        (done,) = book.run(
            import_all(book.desk, [imported("be", line, recycles_ids=False)], ORIGIN)
        )
        assert not isinstance(done, Exception), done
        return [one.fact for one in book.recorded[before:]]

    def test_of_the_code_ends_it(self) -> None:
        facts = self.stop("STOP")
        assert SubscriptionStopped in map(type, facts)

    def test_of_its_service_ends_it(self) -> None:
        assert SubscriptionStopped in map(type, self.stop("STOP HORO"))

    def test_that_only_the_platform_took_for_one_ends_it(self) -> None:
        assert SubscriptionStopped in map(type, self.stop("Laat mij met rust"))

    def test_of_another_service_leaves_it(self) -> None:
        assert SubscriptionStopped not in map(type, self.stop("STOP METEO"))


class TestLift:
    """A later message opens again what it is about, and no more."""

    def test_of_one_service_opens_that(self) -> None:
        book = given(mo("STOP JEU", gateway_message_id="m-0"), told(sent_at=LATER)).book
        assert only(book, OptOutLifted).service == "quiz"

    def test_of_another_service_leaves_it_stopped(self) -> None:
        book = given(mo("STOP VOTE", gateway_message_id="m-0"), told(sent_at=LATER)).book
        assert not book.facts(OptOutLifted)

    def test_on_another_code_leaves_it_stopped(self) -> None:
        stop = mo("STOP", gateway_message_id="m-0", short_code=ON_ACCEPTED)
        book = given(stop, told(sent_at=LATER)).book
        assert not book.facts(OptOutLifted)

    def test_sent_before_the_stop_leaves_it(self) -> None:
        book = given(
            mo("STOP", gateway_message_id="m-0"), told(sent_at="2026-07-10T09:59:59Z")
        ).book
        assert not book.facts(OptOutLifted)

    def test_sent_before_the_stop_of_its_service_leaves_that(self) -> None:
        stop, early = mo("STOP JEU", gateway_message_id="m-0"), "2026-07-10T09:59:59Z"
        assert not given(stop, told(sent_at=early)).book.facts(OptOutLifted)

    def test_of_what_nobody_sells_opens_no_service(self) -> None:
        match = QUIZ | {"service": "nobody"}
        stop = mo("STOP JEU", gateway_message_id="m-0")
        book = given(stop, told(sent_at=LATER, match=match, charges=[])).book
        assert not book.facts(OptOutLifted)


class TestMatched:
    """What the message was taken for, and at what price."""

    def test_at_the_price_that_was_charged(self) -> None:
        price = {"amount": "4.50", "currency": "EUR"}
        found = only(given(told(charges=[charged(price=price)])).book, KeywordMatched)
        assert (found.price, found.mo_price) == (4_500_000, 0)

    def test_at_the_price_of_its_leg_and_no_other(self) -> None:
        price = {"amount": "4.50", "currency": "EUR"}
        found = only(given(told(charges=[charged(price=price, leg="mo")])).book, KeywordMatched)
        assert (found.price, found.mo_price) == (3_000_000, 4_500_000)

    def test_at_the_first_that_was_charged(self) -> None:
        prices = [{"amount": amount, "currency": "EUR"} for amount in ("3.00", "4.50")]
        charges = [charged(price=price) for price in prices]
        assert only(given(told(charges=charges)).book, KeywordMatched).price == 3_000_000

    def test_as_what_nobody_sells_here_is_found_though_nothing_was_charged(self) -> None:
        match = QUIZ | {"service": "nobody"}
        book = given(told(match=match, charges=[])).book
        found, message = only(book, FindingOpened), only(book, MoReceived)
        assert (found.kind, found.mo, found.charge, found.test) == ("sold_unknown", MO, None, False)
        assert found.finding == finding_id(BOOK, "sold_unknown", MO)
        assert (found.consumer, found.short_code, found.operator) == (
            message.consumer,
            message.short_code,
            message.operator,
        )

    def test_with_what_was_written_after_its_keyword(self) -> None:
        book = given(told(text="JEU 42", match=QUIZ | {"argument": "42"})).book
        assert book.text_of(only(book, KeywordMatched)) == "42"

    def test_under_a_receipt_that_names_its_message(self) -> None:
        book = given(told()).book
        report, sent = only(book, DeliveryReceived), only(book, MtEmitted)
        assert (report.ref.mt, report.ref.mo, report.ref.charge) == (
            sent.ref.mt,
            MO,
            sent.ref.charge,
        )

    def test_as_released_though_delivered_is_found_and_not_charged(self) -> None:
        book = given(told(charges=[charged("released")])).book
        assert findings(book) == ["released_though_billed"]
        assert not book.facts(ChargeCaptured)


class TestToldOtherwise:
    """Each telling that differs is found, once."""

    def test_is_found_for_each_of_them(self) -> None:
        released = told(charges=[charged("released")], receipts=[])
        refused = told(charges=[charged("refused")], receipts=[])
        book = given(told()).book
        for other in (released, refused, released, refused):
            given(book=book).when(other).refused(ConflictingDuplicate)
        found = book.facts(FindingOpened)
        assert findings(book) == ["told_otherwise"] * 2
        assert len({one.subject for one in found}) == 2


class TestRecorded:
    """All that is kept of a telling, field by field."""

    def test_of_a_sale_names_the_message_and_what_was_sold(self) -> None:
        book = given(told(text="JEU 42")).book
        fact, message = only(book, ExchangeImported), only(book, MoReceived)
        same = ("mo", "gateway", "consumer", "short_code", "operator", "test", "occurred_at")
        for name in same:
            assert getattr(fact, name) == getattr(message, name), name
        assert (fact.keyword, fact.merchant, fact.service) == ("JEU", "ludotel", "quiz")
        assert (fact.unmatched, fact.stopped) == (None, False)

    def test_of_none_says_why(self) -> None:
        story = told(match=None, unmatched="unknown_keyword", charges=[], receipts=[])
        fact = only(given(story).book, ExchangeImported)
        assert (fact.keyword, fact.merchant, fact.service) == (None, None, None)
        assert (fact.unmatched, fact.charges) == ("unknown_keyword", ())

    def test_of_a_number_for_testing_says_so_of_everything(self) -> None:
        book = given(told()).book
        consumer = only(book, MoReceived).consumer
        book.add(
            entries.TestNumberDeclared(consumer=consumer, label="ours", effective_from=OPENING)
        )
        book.run(book.desk.refresh())
        before = len(book.rows)
        match = QUIZ | {"service": "nobody"}
        given(
            told(id="m-2", match=match, charges=[]),
            told(id="m-3", text="STOP", **STOPPED),
            told(id="m-4", sent_at=LATER),
            book=book,
        )
        facts = [one.fact for one in book.recorded[before:]]
        assert {type(fact).__name__ for fact in facts} >= {
            *("ExchangeImported", "FindingOpened", "OptedOut", "KeywordMatched", "MtEmitted")
        }
        for fact in facts:
            said = getattr(fact, "ref", fact)
            assert getattr(said, "test", True), fact

    def test_otherwise_is_found_by_what_was_told_and_of_which_message(self) -> None:
        released = told(charges=[charged("released")], receipts=[])
        name = only(given(released).book, ExchangeImported).told
        book = given(told()).book
        given(book=book).when(released).refused(ConflictingDuplicate)
        found = only(book, FindingOpened)
        assert found.finding == finding_id(BOOK, "told_otherwise", derived_id(MO, name))
        assert (found.mo, found.charge) == (MO, None)


class TestRestsOn:
    """What is judged by facts that a message of our own would not have asked for."""

    def test_a_cap_counts_though_the_message_names_nothing_here(self) -> None:
        story = told(id="m-2", text="INCONNU")
        assert findings(given(told(), story, book=capped()).book) == ["billed_above_cap"]

    def test_a_stop_of_what_was_last_bought_knows_what_that_was(self) -> None:
        stop = msgspec.structs.replace(FRENCH.at(NOON).stop, bare="service")
        book = in_memory(rules=ChangedRules(stop=stop))
        given(mo("VOTE 1", gateway_message_id="m-0"), book=book)
        given(told(text="INCONNU", **STOPPED), book=book)
        assert only(book, OptedOut).service == "vote"

    def test_a_stop_reaches_as_far_as_the_country_reads_it(self) -> None:
        stop = msgspec.structs.replace(FRENCH.at(NOON).stop, bare="consumer")
        book = in_memory(rules=ChangedRules(stop=stop))
        found = only(given(told(text="STOP", **STOPPED), book=book).book, OptedOut)
        assert (found.everywhere, found.service, found.merchant) == (True, None, None)
