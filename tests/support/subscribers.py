"""A Belgian book with subscriptions, and the steps of stories about them."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ledger.commands.desk import Settled
from ledger.commands.subscriptions import renew_subscription, stop_subscription
from ledger.commands.traffic import IncomingMo
from ledger.facts.base import Fact
from ledger.facts.catalogue import ServiceDeclared, SubscriptionOffer
from ledger.facts.subscriptions import Stopper, SubscriptionStarted
from ledger.facts.traffic import MtEmitted
from ledger.rules.resolve import RuleBook
from ledger.spans import Period
from tests.support.belgium import BELGIAN, SUBSCRIBED, be_mo, belgian
from tests.support.book import ORIGIN, Book, ChangedRules
from tests.support.builders import dlr, keyword, service, tariff
from tests.support.given import Step, given

OFFER = "{service}: {price} per {every}. {confirm} naar {code}"
PRICE = 2_000_000


class ChangedBelgian(ChangedRules):
    """The Belgian rules, some of them changed."""

    def __init__(self, **changes: object) -> None:
        super(ChangedRules, self).__init__(BELGIAN.pack, BELGIAN.settings)
        self._changes = changes


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


def the_subscription(book: Book, number: int = -1) -> str:
    """Give the id of the subscription that started last, or of another one."""
    return book.facts(SubscriptionStarted)[number].subject


def renew(request: str | None = None, name: str | None = None) -> Step:
    """Ask for the renewal of the last subscription, or of one by its id; a person's with a name."""

    def step(book: Book) -> Settled:
        wanted = name or the_subscription(book)
        now = book.clock.now
        return book.run(renew_subscription(book.desk, wanted, ORIGIN, now, request))

    return step


def end(by: Stopper = "merchant", reason: str = "asked", name: str | None = None) -> Step:
    """Let a merchant or regulator end the last subscription, or one by its id."""

    def step(book: Book) -> Settled:
        wanted = name or the_subscription(book)
        return book.run(stop_subscription(book.desk, wanted, by, reason, ORIGIN, book.clock.now))

    return step


def told(outcome: str) -> Step:
    """Let the last message have a receipt."""
    return lambda book: book.report(dlr(last_mt(book), outcome))


def subscriber(at: str = "2026-07-10T12:00", text: str = "HORO") -> Book:
    """Give a book in which a consumer started a subscription and has paid for its first cycle."""
    book = given(on(at), sms(text), sms("OK"), told("delivered"), book=subscribers()).book
    (started,) = book.facts(SubscriptionStarted)
    assert started.occurred_at == brussels(at)
    return book
