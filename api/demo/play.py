"""The demonstration's plot: traffic, then days of waiting, then what the operators held back.

Time is real, and a charge without a receipt grows old in days only; so the worker alone is told
a later hour, once.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any, NamedTuple

from api.clock import system_clock
from api.demo.messages import ACCEPTED, DemoMessage, Exchange, Gateway, GatewayFailed
from api.demo.stage import BOOK, Stage
from api.demo.traffic import TRAFFIC
from api.serving import LOOPBACK
from api.worker import age
from ledger.decisions.story import mo_id
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from projections.known import PROJECTIONS
from projections.reading import wait_for

STORY = "horoscope"
"""The message whose story is told."""
DAYS_LATER = 4
CATCH_UP_SECONDS = 60.0
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
    """What went through the gateway, and what happened between."""

    gateway: str
    exchanges: Sequence[Exchange]
    late: Sequence[Exchange]
    """Those again whose receipts came late, with these receipts only."""
    unresolved: int
    """How many charges nobody had answered for in time."""
    story: dict[str, Any]
    """One exchange, as the API tells it to a regulator who asks for its texts."""


def play(stage: Stage, gateway: Gateway) -> Played:
    """Play everything; returns once the projections have come to the head.

    Raises:
        GatewayFailed: something did not come, or was not taken, in its time.
        NotReached: the projections did not come to the head in a minute.
    """
    exchanges = gateway.play(TRAFFIC)
    reach_head(stage)
    later = system_clock() + timedelta(days=DAYS_LATER)
    unresolved = asyncio.run(age(stage.database.app_url, BOOK, stage.rules, later))
    late = gateway.deliver_late()
    exchanges = [*exchanges, *gateway.play(LAST)]
    told = next(one for one in exchanges if one.message.name == STORY)
    story = read_story(stage, mo_id(BOOK, stage.endpoint.gateway, told.message_id))
    reach_head(stage)
    return Played(gateway.name, exchanges, late, unresolved, story)


def reach_head(stage: Stage) -> None:
    """Wait until every projection has taken all that is recorded now.

    Raises:
        NotReached: that took more than a minute, or one of them is parked.
    """
    with connect(stage.database.app_url) as connection:
        head, _ = PostgresLog(connection, BOOK).head()
        for projection in PROJECTIONS:
            wait_for(connection, BOOK, projection.name, head, CATCH_UP_SECONDS)


def read_story(stage: Stage, mo: str) -> dict[str, Any]:
    """Ask the API for one exchange with its texts, as a regulator may; it records that it did.

    Raises:
        GatewayFailed: the API does not give it.
    """
    path = f"/v1/books/{BOOK}/exchanges/{mo}?content=true"
    headers = {"Authorization": f"Bearer {stage.keys['regulator'].text}"}
    port = stage.api.port
    with closing(HTTPConnection(LOOPBACK, port, timeout=_READ_SECONDS)) as connection:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read().decode()
    if response.status != _OK:
        raise GatewayFailed(f"the story of {mo} was answered {response.status}: {body}")
    return json.loads(body)
