"""Solicitations: ask before you write to a past buyer, write once, or let the place go.

The book's settings allow two without a return, and an allowance lasts an hour. Noon is a Friday.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from ledger.commands.solicitations import (
    Asker,
    GatewayAsks,
    MerchantAsks,
    Sent,
    Told,
    ask_solicitation,
    expire_solicitation,
    use_solicitation,
)
from ledger.decisions.refusals import (
    ConflictingSolicitation,
    MessageUnfit,
    ServiceNotDeclared,
    SolicitationNotAllowed,
    UnknownExchange,
    UnknownGateway,
    UnknownLink,
    UnknownSolicitation,
)
from ledger.facts import catalogue
from ledger.facts.base import Fact
from ledger.facts.catalogue import (
    KeywordWithdrawn,
    ServiceResumed,
    ServiceSuspended,
    ShortCodeClosed,
)
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeRefunded
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.solicitations import (
    SolicitationAllowed,
    SolicitationExpired,
    SolicitationRefused,
)
from ledger.facts.traffic import MtEmitted
from ledger.rules.resolve import RuleBook
from ledger.words import derived_id
from tests.support.book import FRENCH, ORIGIN, Book, ChangedRules, in_memory, overtaken, together
from tests.support.builders import (
    CHEAP,
    NOON,
    ON_ACCEPTED,
    ON_DELIVERED,
    UNKNOWN_CODE,
    dlr,
    mo,
    paris,
)
from tests.support.given import Happened, given, numbered, some

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TEXT = "Ludotel : rejouez en envoyant JEU au 81014. STOP au 81014"
Step = Callable[[Book], object]
ALLOWED = some(SolicitationAllowed, count=1)


def at(now: datetime) -> Step:
    """Let it be that time."""

    def step(book: Book) -> None:
        book.clock.now = now

    return step


def later(by: timedelta) -> Step:
    """Let time pass."""

    def step(book: Book) -> None:
        book.clock.now += by

    return step


def bought(text: str = "JEU", **fields: object) -> Step:
    """Let the consumer have bought something a minute ago, delivered and so paid."""

    def step(book: Book) -> None:
        book.clock.now -= MINUTE
        answer = book.receive(numbered(book, mo(text, **fields)))
        assert answer.mt is not None
        book.report(dlr(answer.mt))
        book.clock.now += MINUTE

    return step


def asking(asked: str = "s-1", **fields: str) -> Callable[[Book], Told]:
    """Ask, as the gateway, to solicit the usual consumer for the game."""
    return lambda book: book.run(ask(book, asked, **fields))


async def ask(book: Book, asked: str = "s-1", **fields: str) -> Told:
    """Ask as `asking` does, beside others."""
    asks = GatewayAsks(asked, "kannel", "orange", "alias-1", ON_DELIVERED, "quiz")
    return await ask_solicitation(book.desk, asks._replace(**fields), ORIGIN, book.clock.now)


def asking_for_the_merchant(mo_id: str, merchant: str = "ludotel", service: str = "quiz") -> Step:
    """Ask as a merchant, by a message."""
    asks = MerchantAsks("s-1", merchant, mo_id, service)
    return lambda book: book.run(ask_solicitation(book.desk, asks, ORIGIN, book.clock.now))


def named(asked: str = "s-1") -> str:
    """Give the id of what the gateway asked."""
    return derived_id("fr", "solicitation", "gateway kannel", asked)


def sending(
    asked: str = "s-1",
    text: str = TEXT,
    asker: Asker = Asker("kannel"),  # noqa: B008 - immutable
) -> Callable[[Book], Sent]:
    """Use an allowance."""
    return lambda book: book.run(send(book, asked, text, asker))


async def send(
    book: Book,
    asked: str = "s-1",
    text: str = TEXT,
    asker: Asker = Asker("kannel"),  # noqa: B008 - immutable
) -> Sent:
    """Use an allowance, beside others."""
    now = book.clock.now
    return await use_solicitation(book.desk, named(asked), text, asker, origin=ORIGIN, now=now)


def running_out(asked: str = "s-1") -> Step:
    """Look whether an allowance has run out."""
    return lambda book: book.run(
        expire_solicitation(book.desk, named(asked), ORIGIN, book.clock.now)
    )


def adding(*facts: Fact) -> Step:
    """Record facts as they are."""

    def step(book: Book) -> None:
        book.add(*facts)
        book.run(book.desk.refresh())

    return step


def refunded(price: int = 3_000_000) -> Step:
    """Give a part of the first charge back, by default all of it."""

    def step(book: Book) -> None:
        captured = book.facts(ChargeCaptured)[0]
        assert isinstance(captured, ChargeCaptured)
        fact = ChargeRefunded(
            refund=derived_id("refund", price),
            ref=captured.ref,
            by="merchant",
            channel="transfer",
            price=price,
            borne_by="merchant",
            reason="asked",
            currency="EUR",
            captured_day=captured.value_day,
            value_day=captured.value_day,
            occurred_at=book.clock.now,
        )
        book.add(fact)

    return step


def refused(happened: Happened, rule: str, **fields: object) -> SolicitationRefused:
    """See that the asking was refused by a rule, and that nothing else was recorded."""
    happened.then(some(SolicitationRefused, rule=rule, **fields))
    return happened.fact(SolicitationRefused)


def rules_with(**changes: object) -> RuleBook:
    """Give the French rules with other rules of soliciting."""
    hours = FRENCH.at(NOON).solicitations
    assert hours is not None
    return ChangedRules(solicitations=replace(hours, **changes))


class TestAsk:
    """Asking whether a past buyer may be solicited."""

    def test_is_allowed_for_a_past_buyer(self) -> None:
        happened = given(bought()).when(asking()).then(ALLOWED)
        fact = happened.fact(SolicitationAllowed)
        assert (fact.count, fact.limit) == (1, 2)
        assert fact.charter == "af2m business messaging"
        assert (fact.occurred_at, fact.expires_at) == (NOON, NOON + HOUR)
        assert (fact.ref.merchant, fact.ref.operator, fact.ref.test) == ("ludotel", "20801", False)
        (one,) = happened.appended
        assert one.exchange == fact.subject == named()

    def test_is_answered_the_same_again(self) -> None:
        book = in_memory()
        first = given(bought(), book=book).when(asking()).then(ALLOWED)
        again = given(later(HOUR * 20), book=book).when(asking())
        again.then()
        told = asking()(book)
        assert told.fact == first.fact(SolicitationAllowed)
        assert told.repeated

    def test_that_was_refused_stays_so_under_its_id(self) -> None:
        given(asking(), bought()).when(asking()).then()

    @pytest.mark.parametrize(
        "other",
        [{"sender": "alias-2"}, {"service": "tournoi"}, {"short_code": ON_ACCEPTED}],
        ids=lambda other: next(iter(other)),
    )
    def test_with_other_content_is_a_conflict(self, other: dict[str, str]) -> None:
        given(bought(), asking()).when(asking(**other)).left().refused(ConflictingSolicitation)

    def test_of_two_gateways_by_the_same_name_is_two(self) -> None:
        elsewhere = asking(gateway="recycler")
        given(bought(), asking()).when(elsewhere).then(some(SolicitationAllowed, count=2))

    def test_twice_at_once_is_one(self) -> None:
        book = in_memory()
        given(bought(), book=book)
        first, second = together(book, lambda: ask(book), lambda: ask(book))
        assert first.fact == second.fact
        assert len(book.facts(SolicitationAllowed)) == 1

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"gateway": "nobody"}, UnknownGateway),
            ({"smsc": "nowhere"}, UnknownLink),
            ({"service": "nothing"}, ServiceNotDeclared),
        ],
    )
    def test_of_what_is_not_declared_leaves_nothing(
        self, fields: dict[str, str], error: type[Exception]
    ) -> None:
        given(bought()).when(asking(**fields)).left().refused(error)

    def test_of_a_test_number_is_flagged_and_counts_nowhere(self) -> None:
        book = in_memory()
        given(bought(), book=book)
        captured = book.facts(ChargeCaptured)[0]
        assert isinstance(captured, ChargeCaptured)
        declared = catalogue.TestNumberDeclared(
            consumer=captured.ref.consumer, label="ours", effective_from=NOON
        )
        given(adding(declared), asking("s-1"), asking("s-2"), book=book).when(asking("s-3")).then(
            some(SolicitationAllowed, ref__test=True, count=1)
        )


class TestAMerchantAsks:
    """The merchant names one of its own messages in the place of a consumer."""

    def test_and_is_answered_for_whoever_wrote_it(self) -> None:
        book = in_memory()
        given(bought(), book=book)
        sold = book.facts(ChargeAuthorized)[0]
        assert isinstance(sold, ChargeAuthorized)
        happened = given(book=book).when(asking_for_the_merchant(sold.ref.mo or "")).then(ALLOWED)
        ref = happened.fact(SolicitationAllowed).ref
        assert (ref.consumer, ref.gateway, ref.smsc) == (sold.ref.consumer, "kannel", "orange")
        assert ref.solicitation == derived_id("fr", "solicitation", "merchant ludotel", "s-1")

    def test_by_another_merchants_message_in_vain(self) -> None:
        book = in_memory()
        given(bought("VOTE 1"), book=book)
        sold = book.facts(ChargeAuthorized)[0]
        assert isinstance(sold, ChargeAuthorized)
        step = asking_for_the_merchant(sold.ref.mo or "")
        given(book=book).when(step).left().refused(UnknownExchange)

    def test_by_a_message_that_nobody_sent_in_vain(self) -> None:
        given().when(asking_for_the_merchant("0" * 32)).left().refused(UnknownExchange)

    def test_for_another_merchants_service_in_vain(self) -> None:
        step = asking_for_the_merchant("0" * 32, "voxpop")
        given().when(step).left().refused(ServiceNotDeclared)


class TestCharter:
    """No charter, no solicitation."""

    def test_that_no_pack_names_forbids_all(self) -> None:
        book = in_memory(rules=ChangedRules(solicitations=None))
        happened = given(bought(), book=book).when(asking())
        fact = refused(happened, "no_charter", count=0, limit=0, charter="")
        assert fact.opens_at is None


class TestUnknownConsumer:
    """Nobody who never wrote is written to."""

    def test_is_refused_by_name(self) -> None:
        refused(given().when(asking()), "unknown_consumer", count=0, limit=2)

    def test_does_not_become_known_by_being_asked_for(self) -> None:
        refused(given(asking("s-1")).when(asking("s-2")), "unknown_consumer")

    def test_is_another_operators_alias_of_the_same_name(self) -> None:
        refused(given(bought()).when(asking(smsc="sfr")), "unknown_consumer")


class TestOnSale:
    """Only what can be bought is advertised."""

    def test_needs_a_keyword_on_that_code(self) -> None:
        # Quiz has keywords everywhere; the donation has one on its own code only.
        happened = given(bought()).when(asking(service="don"))
        refused(happened, "not_on_sale")

    def test_needs_the_code_to_be_open(self) -> None:
        closed = ShortCodeClosed(short_code=ON_DELIVERED, operator="20801", effective_from=NOON)
        refused(given(bought(), adding(closed)).when(asking()), "not_on_sale")

    def test_needs_a_code_that_somebody_opened(self) -> None:
        refused(
            given(mo(short_code=UNKNOWN_CODE)).when(asking(short_code=UNKNOWN_CODE)), "not_on_sale"
        )

    def test_ends_with_the_last_keyword(self) -> None:
        gone = [
            KeywordWithdrawn(short_code=ON_DELIVERED, keyword=word, effective_from=NOON)
            for word in ("JEU", "GRATUIT", "CHER")
        ]
        book = in_memory(*gone[:2])
        refused(given(mo("JEU"), adding(gone[2]), book=book).when(asking()), "not_on_sale")

    def test_ends_while_the_service_is_suspended(self) -> None:
        pause = ServiceSuspended(
            service="quiz", merchant="ludotel", reason="x", effective_from=NOON
        )
        resumed = ServiceResumed(service="quiz", merchant="ludotel", effective_from=NOON + HOUR)
        steps = (bought(), adding(pause, resumed))
        refused(given(*steps).when(asking()), "service_suspended")
        given(*steps, later(HOUR)).when(asking()).then(ALLOWED)


class TestOptedOut:
    """After STOP nobody is solicited, until they have paid anew."""

    @pytest.mark.parametrize("stop", ["STOP", "STOP JEU"])
    def test_is_refused(self, stop: str) -> None:
        refused(given(bought(), mo(stop)).when(asking()), "opted_out", count=0, limit=2)

    def test_of_another_service_does_not_matter(self) -> None:
        given(bought(), mo("STOP VOTE")).when(asking()).then(ALLOWED)

    def test_on_another_code_does_not_matter(self) -> None:
        given(bought(), mo("STOP", short_code=ON_ACCEPTED)).when(asking()).then(ALLOWED)

    def test_everywhere_is_refused_on_every_code(self) -> None:
        book = in_memory()
        given(bought(), mo("STOP", short_code=ON_ACCEPTED), book=book)
        stop = book.facts(OptedOut)[0]
        assert isinstance(stop, OptedOut)
        everywhere = replace(stop, everywhere=True, mo="1" * 32)
        refused(given(adding(everywhere), book=book).when(asking()), "opted_out")

    def test_is_not_lifted_by_writing_again(self) -> None:
        book = in_memory()
        given(bought(), mo("STOP"), later(HOUR), mo("BONJOUR"), book=book)
        assert len(book.facts(OptOutLifted)) == 1
        refused(given(book=book).when(asking()), "opted_out")

    def test_is_not_lifted_by_a_purchase_that_was_not_paid(self) -> None:
        refused(given(bought(), mo("STOP"), later(HOUR), mo("JEU")).when(asking()), "opted_out")

    def test_is_lifted_by_a_new_paid_transaction(self) -> None:
        given(bought(), mo("STOP"), later(HOUR), bought()).when(asking()).then(ALLOWED)

    def test_is_not_lifted_by_what_was_bought_before_and_paid_after(self) -> None:
        book = in_memory()
        answer = book.receive(mo("JEU"))
        assert answer.mt is not None
        given(later(HOUR), mo("STOP"), later(HOUR), dlr(answer.mt), book=book)
        assert len(book.facts(ChargeCaptured)) == 1
        refused(given(book=book).when(asking()), "opted_out")

    def test_is_not_lifted_by_buying_from_another_merchant(self) -> None:
        steps = (bought(), mo("STOP"), later(HOUR), bought("VOTE 1"))
        refused(given(*steps).when(asking()), "opted_out")

    def test_is_not_lifted_by_buying_on_another_code(self) -> None:
        steps = (bought(), mo("STOP"), later(HOUR), bought("JEU", short_code=CHEAP))
        refused(given(*steps).when(asking()), "opted_out")

    def test_counts_only_where_the_pack_says_so(self) -> None:
        stop = replace(FRENCH.at(NOON).stop, ends=("replies",))
        book = in_memory(rules=ChangedRules(stop=stop))
        given(bought(), mo("STOP"), book=book).when(asking()).then(ALLOWED)

    def test_while_the_asking_is_judged_is_seen(self) -> None:
        book = in_memory()
        given(bought(), book=book)
        told = overtaken(
            book, lambda: asking()(book), lambda: book.receive(mo("STOP", gateway_message_id="x"))
        )
        assert isinstance(told.fact, SolicitationRefused)
        assert told.fact.rule == "opted_out"


class TestNeverBought:
    """Only a customer of this merchant is solicited for it."""

    def test_by_somebody_who_only_wrote_is_refused(self) -> None:
        refused(given(mo("JEU")).when(asking()), "never_bought")

    def test_from_this_merchant_is_refused(self) -> None:
        refused(given(bought("VOTE 1")).when(asking()), "never_bought")

    def test_what_was_given_back_is_refused(self) -> None:
        refused(given(bought(), refunded()).when(asking()), "never_bought")

    def test_is_not_said_of_what_was_given_back_in_part(self) -> None:
        given(bought(), refunded(1_000_000)).when(asking()).then(ALLOWED)

    def test_is_not_asked_where_the_pack_does_not_demand_it(self) -> None:
        book = in_memory(rules=rules_with(after_purchase=False))
        given(bought("VOTE 1"), book=book).when(asking()).then(ALLOWED)


class TestAliasWindow:
    """After sixty days without a paid transaction an alias leads nowhere."""

    @pytest.mark.parametrize(
        ("after", "reached"),
        [(60 * DAY - timedelta(seconds=1), True), (60 * DAY, False)],
        ids=["up to its end", "from its end on"],
    )
    def test_is_kept(self, after: timedelta, reached: bool) -> None:  # noqa: FBT001 - a parameter
        happened = given(at(paris("2026-05-04T12:01:00")), bought(), later(after - MINUTE)).when(
            asking()
        )
        if reached:
            happened.then(ALLOWED)
        else:
            refused(happened, "alias_window")

    def test_begins_again_with_any_paid_transaction_of_the_alias(self) -> None:
        steps = (bought(), later(50 * DAY), bought("VOTE 1"), later(50 * DAY))
        given(at(paris("2026-04-01T12:00:00")), *steps).when(asking()).then(ALLOWED)

    def test_does_not_begin_again_with_what_was_not_paid(self) -> None:
        steps = (bought(), later(50 * DAY), mo("JEU"), later(50 * DAY))
        refused(given(at(paris("2026-04-01T12:00:00")), *steps).when(asking()), "alias_window")

    def test_is_not_asked_where_numbers_stay_reachable(self) -> None:
        book = in_memory(rules=ChangedRules(alias_window_days=None))
        given(bought(), later(300 * DAY), book=book).when(asking()).then(ALLOWED)


class TestLimit:
    """Two without a return, and no third."""

    def test_is_reached_by_what_was_sent(self) -> None:
        steps = (
            bought(),
            later(HOUR),
            asking("s-1"),
            sending("s-1"),
            asking("s-2"),
            sending("s-2"),
        )
        happened = given(*steps, later(3 * HOUR)).when(asking("s-3"))
        refused(happened, "limit_without_return", count=2, limit=2)

    def test_is_reached_by_what_is_reserved(self) -> None:
        steps = (bought(), asking("s-1"), asking("s-2"))
        refused(given(*steps).when(asking("s-3")), "limit_without_return", count=2)

    def test_counts_what_was_not_delivered(self) -> None:
        book = in_memory()
        given(bought(), asking("s-1"), asking("s-2"), book=book)
        sent = [sending(one)(book) for one in ("s-1", "s-2")]
        given(*(dlr(one.emitted.ref.mt, "failed") for one in sent), later(2 * HOUR), book=book)
        refused(given(book=book).when(asking("s-3")), "limit_without_return")

    def test_begins_anew_when_the_consumer_returns(self) -> None:
        steps = (bought(), later(HOUR), asking("s-1"), asking("s-2"), later(HOUR / 4), mo("JEU"))
        given(*steps).when(asking("s-3")).then(ALLOWED)

    @pytest.mark.parametrize("text", ["STOP VOTE", "CONTACT", "BONJOUR", "VOTE 1"])
    def test_does_not_begin_anew_by(self, text: str) -> None:
        steps = (bought(), asking("s-1"), asking("s-2"), later(HOUR / 4), mo(text))
        refused(given(*steps).when(asking("s-3")), "limit_without_return", count=2)

    def test_does_not_begin_anew_by_a_message_to_another_code(self) -> None:
        steps = (bought(), asking("s-1"), asking("s-2"), later(HOUR / 4))
        happened = given(*steps, mo("JEU", short_code=CHEAP)).when(asking("s-3"))
        refused(happened, "limit_without_return")

    def test_does_not_begin_anew_by_a_message_of_before_that_came_late(self) -> None:
        steps = (bought(), later(HOUR), asking("s-1"), later(2 * MINUTE), asking("s-2"))
        between = mo("JEU", stated_at=NOON + HOUR + MINUTE)
        happened = given(*steps, later(5 * MINUTE), between).when(asking("s-3"))
        happened.then(some(SolicitationAllowed, count=2))
        refused(given(book=happened.book).when(asking("s-4")), "limit_without_return", count=2)

    def test_is_each_codes_own(self) -> None:
        steps = (bought(), asking("s-1"), asking("s-2"))
        given(*steps).when(asking("s-3", short_code=CHEAP)).then(ALLOWED)

    def test_is_shared_by_a_merchants_services(self) -> None:
        steps = (bought(), asking("s-1"), asking("s-2", service="tournoi"))
        refused(given(*steps).when(asking("s-3")), "limit_without_return", count=2)

    def test_counts_after_a_return_of_the_same_instant_or_a_clock_set_back(self) -> None:
        back = given(bought(), mo("JEU"), asking("s-1"), later(-MINUTE / 2)).when(asking("s-2"))
        back.then(some(SolicitationAllowed, count=2))
        refused(given(book=back.book).when(asking("s-3")), "limit_without_return", count=2)

    def test_is_one_places_when_two_ask_for_the_last(self) -> None:
        book = in_memory()
        given(bought(), asking("s-1"), book=book)
        told = together(book, lambda: ask(book, "s-2"), lambda: ask(book, "s-3"))
        assert sorted(type(one.fact).__name__ for one in told) == [
            "SolicitationAllowed",
            "SolicitationRefused",
        ]

    def test_is_seen_by_who_is_overtaken(self) -> None:
        book = in_memory()
        given(bought(), asking("s-1"), book=book)
        told = overtaken(book, lambda: asking("s-2")(book), lambda: asking("s-3")(book))
        assert isinstance(told.fact, SolicitationRefused)
        assert told.fact.rule == "limit_without_return"


class TestReservation:
    """An allowance that nobody uses gives its place back after an hour."""

    STEPS = (bought(), asking("s-1"), asking("s-2"))

    def test_holds_until_it_runs_out(self) -> None:
        almost = later(HOUR - timedelta(microseconds=1))
        refused(given(*self.STEPS, almost).when(asking("s-3")), "limit_without_return", count=2)

    def test_counts_no_longer_though_nobody_recorded_its_end(self) -> None:
        happened = given(*self.STEPS, later(HOUR)).when(asking("s-3"))
        happened.then(SolicitationExpired, SolicitationExpired, ALLOWED)

    def test_stays_over_when_the_clock_is_set_back(self) -> None:
        book = in_memory()
        given(*self.STEPS, later(HOUR), asking("s-3"), asking("s-4"), later(-HOUR / 2), book=book)
        refused(given(book=book).when(asking("s-5")), "limit_without_return", count=2)
        given(book=book).when(sending("s-1")).left().refused(SolicitationNotAllowed, "expired")


class TestHours:
    """Local hours, on the days that the charter in force permits."""

    @pytest.mark.parametrize(
        ("asked", "opens"),
        [
            ("2026-07-10T07:59:59", "2026-07-10T08:00:00"),
            ("2026-07-10T21:30:00", "2026-07-11T08:00:00"),
            ("2026-07-10T23:59:59", "2026-07-11T08:00:00"),
            # Until March 2026 the charter knew working days only.
            ("2026-02-20T22:00:00", "2026-02-23T08:00:00"),
            ("2026-02-21T12:00:00", "2026-02-23T08:00:00"),
            ("2026-02-22T12:00:00", "2026-02-23T08:00:00"),
            # The first of January, a Thursday.
            ("2026-01-01T12:00:00", "2026-01-02T08:00:00"),
            # Clocks go forward in the night of the 29th and back in that of 25 October.
            ("2026-03-29T07:59:59", "2026-03-29T08:00:00"),
            ("2026-03-28T22:00:00", "2026-03-29T08:00:00"),
            ("2026-10-24T22:00:00", "2026-10-25T08:00:00"),
            ("2026-10-25T02:30:00+", "2026-10-25T08:00:00"),
        ],
    )
    def test_refuse_outside_them_and_say_when_they_begin(self, asked: str, opens: str) -> None:
        now = paris(asked)
        steps = (at(now - HOUR / 2), bought(), at(now))
        happened = given(*steps).when(asking())
        refused(happened, "outside_hours", count=0, limit=2, opens_at=paris(opens))

    @pytest.mark.parametrize(
        "asked",
        [
            "2026-07-10T08:00:00",
            "2026-07-10T21:29:59",
            "2026-02-20T21:59:59",
            # A Sunday and the fourteenth of July: tolerated since March 2026.
            "2026-07-12T12:00:00",
            "2026-07-14T12:00:00",
            "2026-03-29T08:00:00",
            "2026-10-25T08:00:00",
        ],
    )
    def test_allow_within_them(self, asked: str) -> None:
        now = paris(asked)
        given(at(now - HOUR / 2), bought(), at(now)).when(asking()).then(ALLOWED)

    def test_follow_the_clock_and_not_the_sun(self) -> None:
        # Eight in Paris is seven in UTC on the last winter day, and six on the first summer day.
        assert paris("2026-03-29T08:00:00") - paris("2026-03-28T08:00:00") == 23 * HOUR

    def test_are_judged_last(self) -> None:
        steps = (at(paris("2026-07-10T22:00:00")), bought(), mo("STOP"))
        refused(given(*steps).when(asking()), "opted_out", opens_at=None)


class TestUse:
    """The one message of an allowance."""

    ASKED = (bought(), asking())

    def test_goes_out_free_and_pushed(self) -> None:
        happened = (
            given(*self.ASKED)
            .when(sending())
            .then(
                some(
                    MtEmitted,
                    kind="solicitation",
                    billing_code="FREE",
                    pushed=True,
                    smsc="orange",
                    parts=1,
                    tariff=None,
                    ref__solicitation=named(),
                    ref__charge=None,
                    ref__mo=None,
                    ref__merchant="ludotel",
                )
            )
        )
        assert happened.book.text_of(happened.fact(MtEmitted)) == TEXT
        (one,) = happened.appended
        allowed = next(
            one for one in happened.book.recorded if isinstance(one.fact, SolicitationAllowed)
        )
        assert (one.exchange, one.caused_by) == (named(), allowed.id)

    def test_is_answered_the_same_again_even_when_it_is_over(self) -> None:
        book = in_memory()
        first = given(*self.ASKED, book=book).when(sending()).fact(MtEmitted)
        given(later(20 * HOUR), book=book).when(sending()).then()
        again = sending()(book)
        assert (again.emitted, again.repeated) == (first, True)

    def test_with_another_text_is_a_conflict(self) -> None:
        given(*self.ASKED, sending()).when(sending(text="autre")).left().refused(
            ConflictingSolicitation
        )

    def test_twice_at_once_is_one(self) -> None:
        book = in_memory()
        given(*self.ASKED, book=book)
        first, second = together(book, lambda: send(book), lambda: send(book))
        assert first.emitted == second.emitted
        assert len(book.facts(MtEmitted)) == 2  # The answer to the purchase, and this one.

    def test_may_be_its_merchants(self) -> None:
        given(*self.ASKED).when(sending(asker=Asker(merchant="ludotel"))).then(MtEmitted)

    @pytest.mark.parametrize("asker", [Asker("recycler"), Asker(merchant="voxpop"), Asker()])
    def test_is_nobody_elses(self, asker: Asker) -> None:
        given(*self.ASKED).when(sending(asker=asker)).left().refused(UnknownSolicitation)

    def test_of_what_nobody_asked_is_unknown(self) -> None:
        given(*self.ASKED).when(sending("s-9")).left().refused(UnknownSolicitation)

    def test_of_what_was_refused_is_refused(self) -> None:
        given(asking()).when(sending()).left().refused(SolicitationNotAllowed, "unknown_consumer")

    @pytest.mark.parametrize("text", ["", " \n", "x" * (153 * 10 + 1)])
    def test_needs_a_text_that_can_be_sent(self, text: str) -> None:
        given(*self.ASKED).when(sending(text=text)).left().refused(MessageUnfit)

    def test_is_over_at_the_instant_it_runs_out(self) -> None:
        book = in_memory()
        given(*self.ASKED, later(HOUR), book=book).when(sending()).left().refused(
            SolicitationNotAllowed, "expired"
        )
        given(later(-timedelta(microseconds=1)), book=book).when(sending()).then(MtEmitted)

    def test_is_refused_once_it_was_recorded_as_over(self) -> None:
        steps = (*self.ASKED, later(HOUR), running_out(), later(-HOUR / 2))
        given(*steps).when(sending()).left().refused(SolicitationNotAllowed, "expired")

    def test_is_refused_after_hours(self) -> None:
        steps = (bought(), at(paris("2026-07-10T21:00:00")), asking())
        happened = given(*steps, at(paris("2026-07-10T21:30:00"))).when(sending())
        happened.left().refused(SolicitationNotAllowed, "outside_hours")

    def test_is_refused_after_a_stop_since(self) -> None:
        given(*self.ASKED, mo("STOP")).when(sending()).left().refused(
            SolicitationNotAllowed, "opted_out"
        )

    def test_is_refused_when_a_stop_comes_first(self) -> None:
        book = in_memory()
        given(*self.ASKED, book=book)
        with pytest.raises(SolicitationNotAllowed, match="opted_out"):
            overtaken(
                book,
                lambda: sending()(book),
                lambda: book.receive(mo("STOP", gateway_message_id="x")),
            )

    def test_is_refused_while_the_service_is_suspended(self) -> None:
        pause = ServiceSuspended(
            service="quiz", merchant="ludotel", reason="x", effective_from=NOON
        )
        given(*self.ASKED, adding(pause)).when(sending()).left().refused(
            SolicitationNotAllowed, "service_suspended"
        )

    def test_is_never_before_the_allowance(self) -> None:
        happened = given(*self.ASKED, later(-HOUR)).when(sending()).then(MtEmitted)
        assert happened.fact(MtEmitted).occurred_at == NOON


class TestExpiry:
    """An allowance that was not used runs out."""

    ASKED = (bought(), asking())

    def test_is_recorded_at_the_instant_it_ran_out(self) -> None:
        happened = given(*self.ASKED, later(3 * HOUR)).when(running_out())
        happened.then(some(SolicitationExpired, occurred_at=NOON + HOUR, allowed_at=NOON))
        (one,) = happened.appended
        assert one.exchange == named()
        assert one.caused_by is not None

    def test_comes_not_before_its_time(self) -> None:
        almost = later(HOUR - timedelta(microseconds=1))
        given(*self.ASKED, almost).when(running_out()).then()

    def test_is_recorded_once(self) -> None:
        given(*self.ASKED, later(HOUR), running_out()).when(running_out()).then()

    def test_does_not_touch_what_was_used(self) -> None:
        given(*self.ASKED, sending(), later(HOUR)).when(running_out()).then()

    def test_of_what_nobody_asked_is_unknown(self) -> None:
        given().when(running_out()).left().refused(UnknownSolicitation)

    def test_of_what_was_refused_is_refused(self) -> None:
        given(asking()).when(running_out()).left().refused(SolicitationNotAllowed)

    def test_twice_at_once_is_one(self) -> None:
        book = in_memory()
        given(*self.ASKED, later(HOUR), book=book)

        async def look() -> object:
            return await expire_solicitation(book.desk, named(), ORIGIN, book.clock.now)

        together(book, look, look)
        assert len(book.facts(SolicitationExpired)) == 1

    def test_and_use_at_once_is_one_of_them(self) -> None:
        book = in_memory()
        given(*self.ASKED, later(HOUR), book=book)

        async def look() -> object:
            return await expire_solicitation(book.desk, named(), ORIGIN, book.clock.now)

        _, sent = together(book, look, lambda: send(book))
        assert isinstance(sent, SolicitationNotAllowed)
        assert len(book.facts(SolicitationExpired)) == 1
