"""What a consumer has subscribed to, told from facts, and what a cycle of it costs and brings."""

from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from ledger.catalogue import Tariff
from ledger.decisions.charging import Purchase
from ledger.decisions.subscribed import (
    Cycle,
    Subscription,
    content,
    every_text,
    offer,
    purchase,
    service_of,
    subscribed,
)
from ledger.facts.base import Fact
from ledger.facts.catalogue import SubscriptionOffer, TariffSet
from ledger.facts.consent import OptedOut
from ledger.facts.subscriptions import (
    SubscriptionRef,
    SubscriptionRefused,
    SubscriptionRequested,
    SubscriptionStarted,
    SubscriptionStopped,
)
from ledger.spans import Period
from tests.support.belgium import BELGIAN, SUBSCRIBED
from tests.support.builders import NOON
from tests.support.subscribers import subscriber, subscribing

BOOK = subscriber()
(REQUESTED,) = BOOK.facts(SubscriptionRequested)
(STARTED,) = BOOK.facts(SubscriptionStarted)
assert isinstance(REQUESTED, SubscriptionRequested)
assert isinstance(STARTED, SubscriptionStarted)
REF = STARTED.ref
NAME = REF.subscription
RULES = BELGIAN.at(NOON)
OTHER_CODE = "9015"


def another(**changes: object) -> SubscriptionRequested:
    """Ask for another subscription."""
    changed = {"subscription": "ab" * 16, "service": "meteo", "keyword": "METEO", **changes}
    return replace(REQUESTED, ref=replace(REQUESTED.ref, **changed))


def stop(service: str | None = None, code: str = SUBSCRIBED, *, everywhere: bool = False) -> Fact:
    """Opt out of a service on a code, or of all there, or everywhere."""
    return OptedOut(
        consumer=REF.consumer,
        mo="cd" * 16,
        short_code=code,
        operator=REF.operator,
        merchant=REF.merchant if service else None,
        service=service,
        everywhere=everywhere,
        word="STOP",
        occurred_at=NOON,
    )


def ended() -> SubscriptionStopped:
    """End the subscription."""
    return SubscriptionStopped(ref=REF, by="merchant", occurred_at=NOON)


def late(subscription: str | None, rule: str = "request_expired") -> SubscriptionRefused:
    """Refuse a confirmation."""
    return SubscriptionRefused(
        mo="cd" * 16,
        consumer=REF.consumer,
        short_code=SUBSCRIBED,
        operator=REF.operator,
        subscription=subscription,
        rule=rule,  # type: ignore[arg-type]
        occurred_at=NOON,
    )


class TestWhereItStands:
    """Folded from the facts of one consumer."""

    def test_is_open_once_it_was_offered(self) -> None:
        (one,) = subscribed([REQUESTED]).values()
        assert one == Subscription(REQUESTED.ref, requested=REQUESTED)
        assert (one.open, one.live) == (True, False)

    def test_is_live_once_it_began_by_the_way_on_which_it_was_confirmed(self) -> None:
        moved = replace(STARTED, ref=replace(REF, smsc="elsewhere"))
        one = subscribed([REQUESTED, moved])[NAME]
        assert one == Subscription(moved.ref, REQUESTED, moved)
        assert (one.open, one.live) == (False, True)

    def test_is_live_though_nobody_tells_of_its_offer(self) -> None:
        assert subscribed([STARTED]) == {NAME: Subscription(REF, None, STARTED)}

    def test_is_over_once_it_was_stopped(self) -> None:
        one = subscribed([REQUESTED, STARTED, ended()])[NAME]
        assert one == Subscription(REF, REQUESTED, STARTED, ended=True)
        assert (one.open, one.live) == (False, False)

    def test_of_nothing_is_nothing(self) -> None:
        assert subscribed([]) == {}
        assert subscribed([ended(), late(NAME), late(None), stop(everywhere=True)]) == {}

    def test_keeps_each_in_the_order_in_which_it_began(self) -> None:
        other = another(short_code=OTHER_CODE)
        known = subscribed([other, REQUESTED, STARTED])
        assert [*known] == [other.ref.subscription, NAME]
        assert [one.open for one in known.values()] == [True, False]


class TestAnOffer:
    """It can be confirmed until something closes it."""

    @pytest.mark.parametrize(
        ("then", "is_open"),
        [
            pytest.param(another(), False, id="another offer on the code"),
            pytest.param(another(short_code=OTHER_CODE), True, id="another offer elsewhere"),
            pytest.param(late(NAME), False, id="confirmed too late"),
            pytest.param(late("ef" * 16), True, id="another confirmed too late"),
            pytest.param(late(None), True, id="nothing confirmed too late"),
            pytest.param(late(NAME, "already_subscribed"), True, id="refused for another reason"),
            pytest.param(stop(), False, id="STOP of the code"),
            pytest.param(stop("horo"), False, id="STOP of the service"),
            pytest.param(stop("meteo"), True, id="STOP of another service"),
            pytest.param(stop(code=OTHER_CODE), True, id="STOP of another code"),
            pytest.param(stop("horo", OTHER_CODE), True, id="STOP of the service elsewhere"),
            pytest.param(stop(code=OTHER_CODE, everywhere=True), False, id="STOP of everything"),
            pytest.param(ended(), False, id="its end"),
        ],
    )
    def test_stays_open_but_for(self, then: Fact, *, is_open: bool) -> None:
        assert subscribed([REQUESTED, then])[NAME].open is is_open

    @pytest.mark.parametrize(
        "then", [another(), stop(), stop("horo"), stop(everywhere=True), late("ef" * 16)]
    )
    def test_that_was_confirmed_is_live_until_a_fact_of_its_own(self, then: Fact) -> None:
        assert subscribed([REQUESTED, STARTED, then])[NAME].live


class TestACycle:
    """What is charged for it, and what it brings."""

    SERVICE = replace(
        subscribing("horo", Period(1, "week")),
        name="Horo",
        publisher="Ludobel",
        desk="0800 12 345",
        reply_text="{service}|{price}|{code}|{publisher}|{desk}",
    )
    CYCLE = Cycle(date(2026, 7, 17), NOON + timedelta(days=7), test=True, mo="ab" * 16)

    def test_costs_what_the_consumer_was_told_by_the_terms_of_the_day(self) -> None:
        ref: SubscriptionRef = replace(REF, price=1_230_000, billing_code="P1", tariff="t-old")
        assert purchase("be", ref, self.SERVICE, self.CYCLE) == Purchase(
            book="be",
            consumer=ref.consumer,
            short_code=SUBSCRIBED,
            operator=ref.operator,
            service=self.SERVICE,
            keyword="HORO",
            tariff=Tariff(
                ref.tariff_version,
                TariffSet(
                    tariff="t-old",
                    short_code=SUBSCRIBED,
                    keyword="HORO",
                    price=1_230_000,
                    currency="EUR",
                    billing_code="P1",
                    effective_from=self.CYCLE.at,
                ),
            ),
            price=1_230_000,
            occurred_at=self.CYCLE.at,
            leg="mt",
            mo="ab" * 16,
            subscription=NAME,
            cycle=date(2026, 7, 17),
            test=True,
        )

    def test_brings_the_services_text_with_all_that_it_may_name(self) -> None:
        ref: SubscriptionRef = replace(REF, price=1_230_000)
        text = content(ref, self.SERVICE, RULES)
        assert text == f"Horo|1.23 EUR|{SUBSCRIBED}|Ludobel|0800 12 345"

    @pytest.mark.parametrize(
        ("every", "text"),
        [
            (Period(1, "day"), "1 day"),
            (Period(1, "week"), "1 week"),
            (Period(2, "week"), "2 weeks"),
            (Period(12, "month"), "12 months"),
        ],
    )
    def test_comes_every(self, every: Period, text: str) -> None:
        assert every_text(every) == text


class TestRoom:
    """A text goes into one message, as long as the country has them."""

    SMALL = replace(RULES, gsm7_characters=8, ucs2_characters=3)

    @pytest.mark.parametrize(("name", "fits"), [("Horo", "Horo voo"), ("Жoro", "Жor")])
    def test_is_what_a_cycle_brings_fits_into(self, name: str, fits: str) -> None:
        service = replace(TestACycle.SERVICE, name=name, reply_text="{service} voor u")
        assert content(REF, service, self.SMALL) == fits

    def test_is_what_an_offer_fits_into(self) -> None:
        assert offer(REQUESTED, BOOK.desk.catalogue, self.SMALL) == "Horo: 2."


class TestTheOffer:
    """The text that was agreed to, whenever it is asked for."""

    def test_is_told_again_word_for_word(self) -> None:
        told = offer(REQUESTED, BOOK.desk.catalogue, RULES)
        assert told == f"Horo: 2.00 EUR per 1 week. OK naar {SUBSCRIBED}"

    def test_names_what_was_asked_for_at_its_price(self) -> None:
        other = replace(another(price=1_230_000, every=Period(2, "week")), confirm="JA")
        told = offer(other, BOOK.desk.catalogue, RULES)
        assert told == f"Meteo: 1.23 EUR per 2 weeks. JA naar {SUBSCRIBED}"

    def test_is_of_the_service_as_it_is_declared_then(self) -> None:
        found = service_of(REF, BOOK.desk.catalogue, NOON)
        assert (found.service, found.merchant) == ("horo", "ludobel")
        assert isinstance(found.subscription, SubscriptionOffer)
