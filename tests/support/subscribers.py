"""A Belgian book with subscriptions, and the steps of stories about them."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ledger.commands.traffic import IncomingMo
from ledger.facts.base import Fact
from ledger.facts.catalogue import ServiceDeclared, SubscriptionOffer
from ledger.facts.traffic import MtEmitted
from ledger.rules.resolve import RuleBook
from ledger.spans import Period
from tests.support.belgium import BELGIAN, SUBSCRIBED, be_mo, belgian
from tests.support.book import Book
from tests.support.builders import keyword, service, tariff
from tests.support.given import Step

OFFER = "{service}: {price} per {every}. {confirm} naar {code}"
PRICE = 2_000_000


def subscribing(name: str, every: Period, **fields: Any) -> ServiceDeclared:  # noqa: ANN401 - fields of every type
    """Declare a service that is sold as a subscription."""
    offer = SubscriptionOffer(every=every, offer_text=OFFER)
    defaults = {"reply_text": "{service} voor u, {price}", "subscription": offer}
    return service(name, "ludobel", **{**defaults, **fields})


def sold_again_and_again() -> list[Fact]:
    """Give what is sold on the code for subscriptions: by week, by month, by day, and once."""
    return [
        subscribing("horo", Period(1, "week")),
        subscribing("meteo", Period(1, "month")),
        subscribing("moppen", Period(1, "day")),
        *keyword("HORO", "horo", "ludobel", on=SUBSCRIBED),
        *keyword("METEO", "meteo", "ludobel", on=SUBSCRIBED),
        *keyword("MOP", "moppen", "ludobel", on=SUBSCRIBED),
        *keyword("JEU", "jeu", "ludobel", on=SUBSCRIBED),
        tariff(SUBSCRIBED, PRICE),
    ]


def subscribers(*more: Fact, rules: RuleBook = BELGIAN) -> Book:
    """Open a Belgian book in memory that sells subscriptions."""
    return belgian(*sold_again_and_again(), *more, rules=rules)


def sms(text: str = "HORO", **fields: Any) -> IncomingMo:  # noqa: ANN401 - fields of every type
    """Make a message to the code for subscriptions."""
    return be_mo(text, **{"short_code": SUBSCRIBED, **fields})


def brussels(text: str) -> datetime:
    """Read a local time; a final `+` means the second of two such."""
    local = datetime.fromisoformat(text.rstrip("+"))
    aware = local.replace(tzinfo=ZoneInfo("Europe/Brussels"), fold=int(text.endswith("+")))
    return aware.astimezone(UTC)


def on(text: str) -> Step:
    """Set the clock to a local time."""

    def step(book: Book) -> None:
        book.clock.now = brussels(text)

    return step


def last_mt(book: Book) -> str:
    """Give the id of the message that was emitted last."""
    *_, last = book.facts(MtEmitted)
    assert isinstance(last, MtEmitted)
    return last.ref.mt
