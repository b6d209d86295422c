"""Turns of the scheduler in a served book, and gateways that answer what they are told to."""

from collections.abc import Mapping, Sequence

from api.push import Pushing
from api.scheduler import DueList, Turn, take_turn
from ledger.commands.desk import Desk
from ledger.commands.pushing import Push, Reply
from ledger.log.session import connect_async
from tests.support.api import BOOK, GATEWAY, Api

TAKEN = Reply("taken", "202 0: Accepted for delivery")


class Smsbox:
    """What messages are pushed to; notes each, and answers as it is told to."""

    def __init__(self, reply: Reply | Exception = TAKEN) -> None:
        self.reply = reply
        self.pushed: list[Push] = []

    async def __call__(self, push: Push) -> Reply:
        self.pushed.append(push)
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    @property
    def gateways(self) -> Mapping[str, Pushing]:
        """The gateways that a turn may push to: this one."""
        return {GATEWAY: self}


def desk_of(api: Api) -> Desk:
    return api.books.by_name[BOOK].desk


def restarted(api: Api) -> Desk:
    """Give the desk of a process that has just begun, and has read nothing."""
    desk = desk_of(api)
    return Desk(desk.book, desk.log, desk.keys, desk.rules)


def turn(
    api: Api,
    smsbox: Smsbox | None = None,
    lists: Sequence[DueList] | None = None,
    desk: Desk | None = None,
) -> dict[str, int]:
    """Work through every list once, at the time that it is; gives only what was done."""

    async def once() -> dict[str, int]:
        async with await connect_async(api.database.app_url) as connection:
            gateways = smsbox.gateways if smsbox else {}
            made = Turn(connection, desk or desk_of(api), api.clock, gateways)
            return await take_turn(made, lists)

    return {name: number for name, number in api.portal.call(once).items() if number}


def worked(api: Api, smsbox: Smsbox | None = None) -> list[dict[str, int]]:
    """Project and take turns until nothing is left to do; gives what each turn did."""
    done: list[dict[str, int]] = []
    api.project()
    while found := turn(api, smsbox):
        done.append(found)
        api.project()
    return done
