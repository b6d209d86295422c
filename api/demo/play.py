"""The demonstration's plot: traffic in two countries, desks at work, and time that goes by.

Time is real, and a charge without a receipt grows old in days only; so the worker of the French
book is told a later hour, once. At the end the whole ledger's clock is set a month ahead, and
the Belgian subscription is renewed.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any, NamedTuple

from api.demo.ahead import grow_old, let_time_work, reach_head
from api.demo.books import BELGIAN, DEMO_BOOKS, FRENCH
from api.demo.messages import ACCEPTED, DemoMessage, Exchange, Gateway, GatewayFailed, PushedSms
from api.demo.office import REFUNDED, TRANSFER, UNSOLD, Back, give_back, solicit
from api.demo.stage import Stage
from api.demo.traffic import TRAFFIC
from api.demo.traffic_be import STOP_BE, TRAFFIC_BE
from api.serving import LOOPBACK
from ledger.decisions.story import mo_id
from ledger.facts.access import Role
from ledger.facts.base import Recorded
from ledger.facts.charges import ChargeAuthorized
from ledger.facts.registry import REGISTRY
from ledger.facts.subscriptions import SubscriptionRenewed
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect

STORY = "horoscope"
"""The message whose story is told."""
DAYS_LATER = 4
_READ_SECONDS = 30.0
_OK = 200

LAST: tuple[DemoMessage, ...] = (
    DemoMessage(
        name="last",
        smsc="sfr-fr",
        sender="33000200002",
        code="81014",
        text="JEU encore",
        receipts=(ACCEPTED,),
        expect="paid",
        note="sent just before the tables are drawn: its charge is pending, nothing is late yet",
    ),
)
"""What is played after the days of waiting."""


class Played(NamedTuple):
    """What went through the gateway of one book, and what happened between."""

    exchanges: Sequence[Exchange]
    late: Sequence[Exchange]
    """Those again whose receipts came late, with these receipts only."""
    pushed: Sequence[PushedSms]
    """What answered no message."""
    unresolved: int = 0
    """How many charges nobody had answered for in time."""
    story: Mapping[str, Any] | None = None
    """One exchange, as the API tells it to a regulator who asks for its texts."""


Plays = Mapping[str, Played]
"""By book."""


def play(stage: Stage, gateway: Gateway) -> Plays:
    """Play everything; returns once the projections have come to the head.

    Raises:
        GatewayFailed: something did not come, or was not taken, in its time.
        NotReached: the projections did not come to the head in a minute.
    """
    french = _play_french(stage, gateway)
    belgian = _play_belgian(stage, gateway)
    solicit(stage)
    french = french._replace(pushed=let_time_work(stage, gateway, FRENCH.book))
    belgian = _a_month_later(stage, gateway, belgian)
    for book in DEMO_BOOKS:
        reach_head(stage, book)
    return {FRENCH.book: french, BELGIAN.book: belgian}


def _play_french(stage: Stage, gateway: Gateway) -> Played:
    book = FRENCH.book
    exchanges = gateway.play(TRAFFIC)
    unresolved = grow_old(stage, book, stage.clock() + timedelta(days=DAYS_LATER))
    late = gateway.deliver_late()
    exchanges = [*exchanges, *gateway.play(LAST)]
    story = read_story(stage, _mo(exchanges, STORY))
    give_back(stage, book, Back(_charge(stage, exchanges), "aggregator", "transfer", TRANSFER))
    return Played(exchanges, late, [], unresolved, story)


def _play_belgian(stage: Stage, gateway: Gateway) -> Played:
    book = BELGIAN.book
    exchanges = gateway.play(TRAFFIC_BE)
    give_back(stage, book, Back(_charge(stage, exchanges), "operator", "bill", UNSOLD))
    return Played(exchanges, [], [])


def _a_month_later(stage: Stage, gateway: Gateway, played: Played) -> Played:
    """Go to the day that the subscription's next cycle begins; then its consumer has enough."""
    facts = (one.fact for one in facts_of(stage, BELGIAN.book))
    (first,) = [fact for fact in facts if isinstance(fact, SubscriptionRenewed)]
    stage.clock.go_to(first.next_due_at)
    pushed = let_time_work(stage, gateway, BELGIAN.book)
    exchanges = [*played.exchanges, *gateway.play([STOP_BE])]
    return played._replace(exchanges=exchanges, pushed=pushed)


def _mo(exchanges: Sequence[Exchange], name: str) -> str:
    one = next(one for one in exchanges if one.message.name == name)
    return mo_id(one.message.book, DEMO_BOOKS[one.message.book].gateway, one.message_id)


def _charge(stage: Stage, exchanges: Sequence[Exchange]) -> str:
    """Find the charge that is to be given back."""
    book = exchanges[0].message.book
    mo = _mo(exchanges, REFUNDED[book])
    charges = (one.fact for one in facts_of(stage, book) if isinstance(one.fact, ChargeAuthorized))
    return next(fact.ref.charge for fact in charges if fact.ref.mo == mo)


def facts_of(stage: Stage, book: str) -> list[Recorded]:
    """Read all facts of a book, in order."""
    with connect(stage.database.app_url) as connection:
        log = PostgresLog(connection, book)
        head, _ = log.head()
        return [REGISTRY.decode(row) for row in log.follow(0, head)]


def read_story(stage: Stage, mo: str) -> dict[str, Any]:
    """Ask the French API for one exchange with its texts; it records that it did.

    Raises:
        GatewayFailed: the API does not give it.
    """
    return json.loads(fetch(stage, FRENCH.book, "regulator", f"exchanges/{mo}?content=true"))


def fetch(
    stage: Stage, book: str, role: Role, path: str, wanted: Mapping[str, str] | None = None
) -> bytes:
    """Ask a book's API as one of its readers; something `wanted` is asked for by POST.

    Raises:
        GatewayFailed: the answer is not 200.
    """
    headers = {
        "Authorization": f"Bearer {stage.keys[book][role].text}",
        "Content-Type": "application/json",
    }
    body = None if wanted is None else json.dumps(wanted)
    method = "GET" if body is None else "POST"
    with closing(HTTPConnection(LOOPBACK, stage.api.port, timeout=_READ_SECONDS)) as connection:
        connection.request(method, f"/v1/books/{book}/{path}", body, headers)
        response = connection.getresponse()
        answer = response.read()
    if response.status != _OK:
        raise GatewayFailed(f"{path} was answered {response.status}: {answer.decode()}")
    return answer
