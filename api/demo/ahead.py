"""What time brings about in the plot: turns of the worker's lists, at the hour the clock is set to.

The turns are those that `obole work` takes, at the desk of the API's own process.
"""

from collections.abc import Sequence
from datetime import datetime

from pydantic import SecretStr

from api.clock import Clock
from api.demo.messages import Gateway, PushedSms
from api.demo.stage import Stage
from api.gateways import Sendsms
from api.push import Pushing, through_kannel
from api.scheduler import DueList, Turn, take_turn, unresolved
from api.serving import LOOPBACK
from ledger.commands.desk import Desk
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect, connect_async
from projections.known import PROJECTIONS
from projections.reading import wait_for

CATCH_UP_SECONDS = 60.0
AGING = (DueList("unresolved", unresolved),)


def reach_head(stage: Stage, book: str) -> None:
    """Wait until every projection of a book has taken all that is recorded now.

    Raises:
        NotReached: that took more than a minute, or one of them is parked.
    """
    with connect(stage.database.app_url) as connection:
        head, _ = PostgresLog(connection, book).head()
        for projection in PROJECTIONS:
            wait_for(connection, book, projection.name, head, CATCH_UP_SECONDS)


def grow_old(stage: Stage, book: str, now: datetime) -> int:
    """Let charges that nobody answered for by then become unresolved; gives how many did."""
    reach_head(stage, book)
    return _turn(stage, book, {}, lambda: now, AGING)["unresolved"]


def let_time_work(stage: Stage, gateway: Gateway, book: str) -> list[PushedSms]:
    """Take turns until nothing is due any more; gives what was pushed meanwhile.

    Raises:
        GatewayFailed: something pushed did not come through.
    """
    endpoint, sendsms = stage.endpoint(book), gateway.sendsms
    address = Sendsms(
        url=sendsms.url,
        username=sendsms.username,
        password=SecretStr(sendsms.password),
        receipt_key=SecretStr(endpoint.key),
        public_url=f"http://{LOOPBACK}:{endpoint.port}",
    )
    push = {endpoint.gateway: through_kannel(book, endpoint.gateway, address)}
    pushed: list[PushedSms] = []
    while True:
        reach_head(stage, book)
        done = _turn(stage, book, push, stage.clock)
        pushed += gateway.deliver_pushed(done["pushed"])
        if not any(done.values()):
            return pushed


def _turn(
    stage: Stage,
    book: str,
    push: dict[str, Pushing],
    clock: Clock,
    lists: Sequence[DueList] | None = None,
) -> dict[str, int]:
    async def turn(desk: Desk) -> dict[str, int]:
        async with await connect_async(stage.database.app_url) as connection:
            return await take_turn(Turn(connection, desk, clock, push), lists)

    return stage.api.do(turn, book)
