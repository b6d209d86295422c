"""What becomes of lines: each kind goes through the door that it would have come by itself.

Lines that follow each other and share a door are taken through it together. The order of the file
is the order of the book: nothing overtakes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from api.clock import Clock
from api.importing.bytes import Numbered
from api.importing.elsewhere import imported
from api.importing.lines import (
    MAX_LINE_BYTES,
    Exchange,
    Line,
    LineRefused,
    Mo,
    Receipt,
    Solicitation,
    StopSubscription,
    Turn,
    read_line,
)
from api.importing.results import Result, Status, rejected, told_of
from api.importing.times import clock_tolerance, untimely
from api.importing.turning import Turning
from ledger.commands.desk import Desk
from ledger.commands.imported import Imported, import_all
from ledger.commands.incoming import IncomingMo, IncomingReceipt
from ledger.commands.received import Arrived, Receiving
from ledger.commands.solicitations import Asker, GatewayAsks, ask_solicitation, use_solicitation
from ledger.commands.subscriptions import stop_subscription
from ledger.facts.registry import Origin
from ledger.facts.solicitations import SolicitationAllowed

TOGETHER = 1_024
"""Lines that go through a door at a time."""
_ALONE = (Turn, Solicitation, StopSubscription)


class Who(NamedTuple):
    """On whose word lines are taken; a gateway's key speaks for itself, and of now alone."""

    origin: Origin
    gateway: str | None = None

    def may_say(self, line: Line) -> str | None:
        """Tell why a line is not this caller's to say; None if it is."""
        match line:
            case Mo() | Receipt() | Exchange() if self.gateway in {None, line.gateway}:
                said = None if isinstance(line, Exchange) else line.arrived_at
                return "only an admin says when a line arrived" if self.gateway and said else None
            case _ if self.gateway is None:
                return None
            case _:
                return "this is not for the key of this gateway"


class _Run(NamedTuple):
    """Lines that go through one door together; `receiving` where that is the one of messages."""

    door: int
    lines: Sequence[tuple[int, Line]]
    receiving: Receiving | None = None


class Begun:
    """Lines that an importer has begun; `results` are of those that were refused already."""

    def __init__(self, importer: "Importer", results: list[Result], runs: Sequence[_Run]) -> None:
        self.runs = runs
        self._importer = importer
        self._results = results

    async def finish(self, decided: Callable[[], None] = lambda: None) -> list[Result]:
        """Take them, as `Importer.take` does; `decided` is called when only writing is left."""
        results = [*self._results]
        for place, run in enumerate(self.runs, 1):
            last = place == len(self.runs)
            results += await self._importer.through(run, decided if last else lambda: None)
        return sorted(results)


class Importer:
    """Takes lines into one book; `turning` is for lines that let time pass, where that is done."""

    def __init__(
        self,
        desk: Desk,
        who: Who,
        clock: Clock,
        turning: Turning | None = None,
        together: int = TOGETHER,
    ) -> None:
        self._desk = desk
        self._together = together
        self._who = who
        self._clock = clock
        self._turning = turning

    async def take(self, lines: Iterable[Numbered]) -> list[Result]:
        """Take lines in order; gives what became of each, in order.

        Raises: what is in `ENDING`, with the lines before recorded, and those after not.
        """
        return await (await self.begin(lines)).finish()

    async def begin(self, lines: Iterable[Numbered]) -> "Begun":
        """Read lines, and do of them what rests on nothing before them.

        Raises: what is in `ENDING`.
        """
        begun = self._read_all(lines)
        for run in begun.runs:
            if run.receiving is not None:
                await run.receiving.begin()
        return begun

    def _read_all(self, lines: Iterable[Numbered]) -> "Begun":
        results: list[Result] = []
        good: list[tuple[int, Line]] = []
        for one in lines:
            read = self._read(one)
            if isinstance(read, Result):
                results.append(read)
            else:
                good.append((one.number, read))
        return Begun(self, results, [self._run(*one) for one in _runs(good, self._together)])

    def _run(self, door: int, lines: Sequence[tuple[int, Line]]) -> "_Run":
        if door != _DECIDED_HERE:
            return _Run(door, lines)
        arrived = [self._arrived(line) for _, line in lines]
        return _Run(door, lines, Receiving(self._desk, arrived, self._who.origin))

    def _read(self, one: Numbered) -> Line | Result:
        if one.raw is None:
            return rejected(one.number, f"the line is longer than {MAX_LINE_BYTES:,} bytes")
        try:
            line = read_line(one.raw)
        except LineRefused as refused:
            return rejected(one.number, refused.why, str(refused))
        why = self._who.may_say(line) or self._untimely(line)
        return rejected(one.number, why) if why else line

    def _untimely(self, line: Line) -> str | None:
        now, gateway = self._clock(), self._who.gateway
        return untimely(line, now, clock_tolerance(self._desk, gateway, now) if gateway else None)

    async def through(self, run: "_Run", decided: Callable[[], None]) -> list[Result]:
        """Take lines through their door; gives what became of each.

        Raises: what is in `ENDING`.
        """
        if run.receiving is not None:
            became = await run.receiving.receive(decided)
        elif run.door == _DECIDED_ELSEWHERE:
            lines = [self._imported(line) for _, line in run.lines if isinstance(line, Exchange)]
            became = await import_all(self._desk, lines, self._who.origin)
        else:
            return [await self._alone(number, line) for number, line in run.lines]
        return [told_of(number, one) for (number, _), one in zip(run.lines, became, strict=True)]

    def _arrived(self, line: Line) -> Arrived:
        assert isinstance(line, Mo | Receipt)
        now = self._clock()
        if isinstance(line, Mo):
            at = line.arrived_at or (None if self._who.gateway else line.sent_at)
            return Arrived(_mo(line), at or now)
        at = line.arrived_at or (None if self._who.gateway else line.occurred_at)
        return Arrived(_receipt(line), at or now)

    def _imported(self, line: Exchange) -> Imported:
        known = self._desk.catalogue.gateway(line.gateway, line.sent_at)
        recycles = known is not None and known.recycles_ids
        return imported(self._desk.book, line, recycles_ids=recycles)

    async def _alone(self, number: int, line: Line) -> Result:
        try:
            recorded, position = await self._work(line)
        except Exception as failure:  # noqa: BLE001 - it is that line's own, or ends the import
            return told_of(number, failure)
        otherwise: Status = "without_effect" if isinstance(line, Turn) else "repeated"
        return Result(number, "recorded" if recorded else otherwise, position)

    async def _work(self, line: Line) -> tuple[bool, int]:
        match line:
            case Turn():
                if self._turning is None:
                    raise LineRefused("time passes by the command alone, and not over HTTP")
                return await self._turning.pass_until(self._desk, line.at, pushed=line.pushed)
            case Solicitation():
                return await self._solicit(line)
            case StopSubscription():
                about = (line.subscription, line.by, line.reason)
                at = line.arrived_at
                settled = await stop_subscription(self._desk, *about, self._who.origin, at)
                return bool(settled.appended), settled.head
            case _:
                raise AssertionError(line)

    async def _solicit(self, line: Solicitation) -> tuple[bool, int]:
        desk, origin, at = self._desk, self._who.origin, line.arrived_at
        asks = GatewayAsks(
            line.id, line.gateway, line.smsc, line.sender, line.short_code, line.service
        )
        told = await ask_solicitation(desk, asks, origin, at)
        if line.text is None or not isinstance(told.fact, SolicitationAllowed):
            return not told.repeated, told.position
        name, asker = told.fact.ref.solicitation, Asker(gateway=line.gateway)
        sent = await use_solicitation(desk, name, line.text, asker, origin=origin, now=at)
        return not (told.repeated and sent.repeated), sent.position


_DECIDED_HERE, _DECIDED_ELSEWHERE, _BY_ITSELF = range(3)


def _door(line: Line) -> int:
    if isinstance(line, _ALONE):
        return _BY_ITSELF
    return _DECIDED_ELSEWHERE if isinstance(line, Exchange) else _DECIDED_HERE


def _runs(
    lines: Iterable[tuple[int, Line]], together: int
) -> Iterator[tuple[int, list[tuple[int, Line]]]]:
    """Cut lines into runs of the same door, none longer than what goes through at a time."""
    key: Callable[[tuple[int, Line]], int] = lambda one: _door(one[1])  # noqa: E731 - typed so
    for door, run in groupby(lines, key=key):
        whole = list(run)
        for start in range(0, len(whole), together):
            yield door, whole[start : start + together]


def _mo(line: Mo) -> IncomingMo:
    return IncomingMo(
        gateway=line.gateway,
        smsc=line.smsc,
        gateway_message_id=line.id,
        sender=line.sender,
        short_code=line.short_code,
        text=line.text,
        stated_at=line.sent_at,
        operator_message_id=line.operator_message_id,
    )


def _receipt(line: Receipt) -> IncomingReceipt:
    return IncomingReceipt(
        mt=line.mt,
        gateway=line.gateway,
        outcome=line.outcome,
        billed=line.billed,
        raw_status=line.status,
        stated_at=line.occurred_at,
        operator_message_id=line.operator_message_id,
        part=line.part,
    )
