"""What time itself brings about in one book, list by list.

Each list is read from a projection, page by page, and every entry is proposed to a command that
decides again from facts. So a list that is behind, read twice or by two workers at once doubles
nothing, nor does a clock that jumped back; and what fails in one list stops no other.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple, TypeVar

import psycopg
from psycopg import AsyncConnection

from api.clock import Clock
from api.push import Pushing, is_absent
from ledger.commands.charges import age_charge
from ledger.commands.desk import Desk, Settled
from ledger.commands.notices import send_notice
from ledger.commands.pushing import Reply, doubt_handover, offer_mt, record_reply
from ledger.commands.solicitations import expire_solicitation
from ledger.commands.subscriptions import renew_subscription
from ledger.decisions.outbound import IN_DOUBT
from ledger.decisions.refusals import RulesOutdated
from ledger.facts.registry import Origin
from ledger.log.errors import LogOverloaded, LogUnavailable
from projections.charges import read as charges
from projections.outbox import read as outbox
from projections.reading import NotProjected, Read, answer_async
from projections.solicitation_counters import read as solicitations
from projections.subscriptions import read as subscriptions

T = TypeVar("T")

_log = logging.getLogger(__name__)

PAGE = 200
"""Entries of a list read at a time."""
AT_ONCE = 8
"""Messages handed to gateways at a time; each waits for its gateway's answer."""
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, LogUnavailable, LogOverloaded)
"""A broken world ends a turn; whatever else a single entry meets is that entry's own."""


class Turn(NamedTuple):
    """What one turn of a book's lists is made with; the connection is its own."""

    connection: AsyncConnection
    desk: Desk
    clock: Clock
    gateways: Mapping[str, Pushing] = {}
    """By name, those that messages can be pushed to."""
    stop: asyncio.Event | None = None
    """Once it is set, no further message is offered."""

    @property
    def origin(self) -> Origin:
        """Whom the facts that come of it name."""
        return Origin(self.desk.book, "worker")


class DueList(NamedTuple):
    """One kind of thing that falls due; `work` does what there is and tells how much that was."""

    name: str
    work: Callable[[Turn], Awaitable[int]]


async def take_turn(turn: Turn, lists: Sequence[DueList] | None = None) -> dict[str, int]:
    """Work through every list once; gives how many entries of each led to something.

    Raises:
        RulesOutdated: the book follows other rules than these, so nothing is decided.
        LogError, psycopg.OperationalError: the database is away.
    """
    await turn.desk.refresh()
    turn.desk.adopted()
    return {one.name: await _work(one, turn) for one in lists or LISTS}


async def _work(one: DueList, turn: Turn) -> int:
    try:
        return await one.work(turn)
    except NotProjected:
        return 0  # its projection is only just being made
    except (RulesOutdated, *AWAY):
        raise
    except Exception:  # noqa: BLE001 - whatever it is, it is this list's own
        _log.exception(
            "%s: the list of %s cannot be worked; trying again", turn.desk.book, one.name
        )
        return 0


async def _propose(
    turn: Turn,
    ask: Callable[[T | None], Read[list[T]]],
    propose: Callable[[T], Awaitable[bool]],
) -> int:
    """Propose each entry of a list, page by page; gives how many led to something."""
    done, last = 0, None
    while page := (await answer_async(turn.connection, turn.desk.book, ask(last))).value:
        # All of a page are heard out, so that no gateway's answer is lost because of another's.
        each = (_safely(turn, one, propose) for one in page)
        results = await asyncio.gather(*each, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
            done += result
        last = page[-1]
    return done


async def _safely(turn: Turn, one: T, propose: Callable[[T], Awaitable[bool]]) -> bool:
    """Propose one entry; what is wrong with it alone stops none of the others."""
    try:
        return await propose(one)
    except (RulesOutdated, *AWAY):
        raise
    except Exception:  # noqa: BLE001 - whatever it is, it is this entry's own
        _log.exception("%s: %s cannot be worked; trying again", turn.desk.book, one)
        return False


def _appended(settled: Settled | None) -> bool:
    return settled is not None and bool(settled.appended)


async def unresolved(turn: Turn) -> int:
    """Let charges that nobody answered for in time become unresolved."""
    now = turn.clock()
    delay = timedelta(seconds=turn.desk.known(now).rules.unresolved_after_seconds)

    async def propose(one: charges.Waiting) -> bool:
        return _appended(await age_charge(turn.desk, one.charge, turn.origin, now))

    return await _propose(turn, lambda last: charges.waiting(now - delay, PAGE, last), propose)


async def renewals(turn: Turn) -> int:
    """Charge the subscriptions whose cycle begins, or is to be tried again."""
    now = turn.clock()
    rules = turn.desk.known(now).rules.subscriptions
    if rules is None:
        return 0
    retry = subscriptions.Retry(now - timedelta(seconds=rules.retry_after_seconds), rules.attempts)

    async def propose(one: subscriptions.Due) -> bool:
        return _appended(await renew_subscription(turn.desk, one.subscription, turn.origin, now))

    return await _propose(turn, lambda last: subscriptions.due(now, PAGE, last, retry), propose)


async def expiring(turn: Turn) -> int:
    """Let allowances to solicit run out that nobody used."""
    now = turn.clock()

    async def propose(one: solicitations.Expiring) -> bool:
        settled = await expire_solicitation(turn.desk, one.solicitation, turn.origin, now)
        return _appended(settled)

    return await _propose(turn, lambda last: solicitations.expiring(now, PAGE, last), propose)


async def notices(turn: Turn) -> int:
    """Send the notices that fell due."""
    now = turn.clock()

    async def propose(one: outbox.Due) -> bool:
        return _appended(await send_notice(turn.desk, one.item, turn.origin, now))

    return await _propose(turn, lambda last: outbox.notices_due(PAGE, last, now), propose)


async def pushed(turn: Turn) -> int:
    """Hand the messages whose turn has come to their gateways, a few at a time.

    A gateway that is away or keeps silent is asked no more in this turn: each further attempt
    would cost its whole delay, and leave one more message of which nobody knows whether it came.
    """
    now, places, silent = turn.clock(), asyncio.Semaphore(AT_ONCE), set[str]()

    async def propose(one: outbox.Due) -> bool:
        push = turn.gateways.get(one.gateway)
        if push is None:
            return False  # nobody said how; it waits, and the outbox shows it
        async with places:
            if one.gateway in silent or (turn.stop and turn.stop.is_set()):
                return False
            reply = await _hand_over(turn, one.item, push)
            if reply is not None and is_absent(reply):
                silent.add(one.gateway)
            return reply is not None

    return await _propose(turn, lambda last: outbox.waiting(now, PAGE, last), propose)


async def _hand_over(turn: Turn, mt: str, push: Pushing) -> Reply | None:
    """Claim an attempt, make it, record what came of it; None where it must not be made."""
    claimed = await offer_mt(turn.desk, mt, turn.origin, turn.clock())
    if claimed is None:
        return None
    reply = await push(claimed)
    if reply.outcome != "taken":
        told = "%s: message %s, attempt %s: %s (%s)"
        _log.warning(told, turn.desk.book, mt, claimed.attempt, reply.outcome, reply.raw_status)
    await record_reply(turn.desk, claimed, reply, turn.origin, turn.clock())
    return reply


async def in_doubt(turn: Turn) -> int:
    """Open a finding for each charged message whose handover has been unknown for too long."""
    now = turn.clock()

    async def propose(one: outbox.Due) -> bool:
        return _appended(await doubt_handover(turn.desk, one.item, turn.origin, now))

    def ask(last: outbox.Due | None) -> Read[list[outbox.Due]]:
        return outbox.unknown_charged(now - IN_DOUBT, PAGE, last)

    return await _propose(turn, ask, propose)


LISTS = (
    DueList("unresolved", unresolved),
    DueList("renewals", renewals),
    DueList("expired", expiring),
    DueList("notices", notices),
    DueList("pushed", pushed),
    DueList("in_doubt", in_doubt),
)
"""In this order, so that what falls due in one turn goes out in the next."""
