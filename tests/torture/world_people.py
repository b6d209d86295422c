"""The people of a world: they ask, hear nothing, ask again, and remember what they were told."""

import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ledger.commands.catalogue import resume_service, suspend_service
from ledger.commands.charges import age_charge
from ledger.commands.desk import Desk
from ledger.commands.incoming import IncomingMo, IncomingReceipt
from ledger.commands.notices import send_notice
from ledger.commands.refunds import refund_charge, write_off_charge
from ledger.commands.solicitations import (
    Asker,
    GatewayAsks,
    ask_solicitation,
    expire_solicitation,
    use_solicitation,
)
from ledger.commands.subscriptions import renew_subscription, stop_subscription
from ledger.commands.traffic import receive_mo, receive_receipt
from ledger.decisions.refund import RefundRequest
from ledger.decisions.refusals import ConflictingDuplicate, Refusal
from ledger.decisions.solicitation import solicitation_id
from ledger.decisions.story import mo_id, mt_id
from ledger.decisions.write_off import WriteOffRequest
from ledger.facts.base import Fact
from ledger.facts.charges import ChargeAuthorized
from ledger.facts.notices import NoticeDue
from ledger.facts.registry import Origin
from ledger.facts.subscriptions import SubscriptionStarted
from ledger.log.errors import LogOverloaded, LogUnavailable
from tests.support.builders import ON_DELIVERED
from tests.torture.world_folds import Folded
from tests.torture.world_log import Flaws, Process
from tests.torture.world_loop import Loop
from tests.torture.world_plan import Act, Land

HEARS_NOTHING = 0.15
"""How often an answer is lost on its way, although all went well."""
GATEWAY = "kannel"
TRIES = 60
Command = Callable[[Desk, int], Awaitable[object]]
"""What is asked of a desk; the number counts how often it was asked before."""


class Words(NamedTuple):
    """What a message says, which its id must not say twice."""

    sender: str
    short_code: str
    text: str


class Memory:
    """What people know at the end: all that they sent, and what they were told."""

    def __init__(self) -> None:
        self.sent: defaultdict[str, set[Words]] = defaultdict(set)
        """By the id of the message at its gateway."""
        self.told: defaultdict[object, set[object]] = defaultdict(set)
        """All answers to one asking; a set of one, if it was always answered as the first time."""
        self.delivered: set[str] = set()
        """The messages for which the ledger took a receipt in."""
        self.mts: list[str] = []
        self.asked = 0
        self.unheard = 0
        self.broken: list[str] = []


class People:
    """Carries acts out: each is asked until it is answered, some of them several times."""

    def __init__(
        self, loop: Loop, processes: list[Process], folded: Folded, land: Land, flaws: Flaws
    ) -> None:
        self.memory = Memory()
        self._loop, self._processes, self._folded, self._land = loop, processes, folded, land
        self._flaws = flaws
        self._book = land.rows[0].book
        self._chance: random.Random = loop.chance

    async def do(self, act: Act) -> None:
        """Do one act at its time."""
        await self._loop.let_pass(act.at)
        for _ in range(act.times):
            self._loop.spawn(self._once(act))

    async def _once(self, act: Act) -> None:
        await self._loop.let_pass(self._chance.choice((0, 0, 0.01, 2, 400)))
        if act.kind == "fold":
            await self._folded.advance(self._chance)
        elif act.kind == "rebuild":
            unlike = self._folded.unlike_rebuilt(self._chance)
            self.memory.broken += [f"{name} is not what a rebuild makes of it" for name in unlike]
        else:
            command = getattr(self, f"_{act.kind}")(act)
            if command is not None:
                await self._persist(act, command)

    async def _persist(self, act: Act, command: Command) -> None:
        for number in range(TRIES):
            if await self._is_answered(act, command, number):
                return
            self.memory.unheard += 1
            await self._loop.let_pass(self._chance.choice((0, 0.5, 30)))
        self.memory.broken.append(f"{act.kind} was never answered")

    async def _is_answered(self, act: Act, command: Command, number: int) -> bool:
        """Ask once, of either process; a refusal is an answer, and some answers get lost."""
        self.memory.asked += 1
        try:
            await command(self._chance.choice(self._processes).desk, number)
        except (LogUnavailable, LogOverloaded):
            return False
        except Refusal:
            return True
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no refusal
            self.memory.broken.append(f"{act.kind} broke: {type(error).__name__}: {error}")
            return True
        return self._chance.random() >= HEARS_NOTHING

    def _origin(self, act: Act) -> Origin:
        return Origin(self._book, "world", f"act-{act.n}")

    def _sender(self, act: Act) -> str:
        return f"alias-{act.who % 3}" if self._land.name == "fr" else f"3247000000{act.who % 3}"

    # --- Traffic ---

    def _message(self, act: Act) -> Command:
        # An id comes again now and then, with the same words or with others.
        name = f"again-{act.who}" if act.who < 2 else f"m-{act.n}"
        words = Words(self._sender(act), act.where, act.what)
        self.memory.sent[name].add(words)

        async def command(desk: Desk, number: int) -> None:
            renamed = number and self._flaws.comes_under_another_name
            mo = IncomingMo(
                *(GATEWAY, self._land.smsc, f"{name}-{number}" if renamed else name, *words),
                stated_at=None,
            )
            try:
                answer = await receive_mo(desk, mo, self._origin(act), self._loop.now)
            except ConflictingDuplicate:
                self.memory.told[name, words].add("in conflict")
                raise
            self.memory.told[name, words].add((answer.mt, answer.text, answer.billing_code))
            if answer.mt and answer.mt not in self.memory.mts:
                self.memory.mts.append(answer.mt)

        return command

    def _receipt(self, act: Act) -> Command:
        mts = self.memory.mts
        # Some come before their message, and of some there never is one.
        early = mt_id(self._book, mo_id(self._book, GATEWAY, f"m-{act.n + act.who}"))
        mt = mts[-1 - act.who % len(mts)] if mts and act.who < 11 else early

        async def command(desk: Desk, _: int) -> None:
            report = IncomingReceipt(mt, GATEWAY, act.what, act.where, "raw", None)  # type: ignore[arg-type]
            await receive_receipt(desk, report, self._origin(act), self._loop.now)
            self.memory.delivered.add(mt)

        return command

    # --- Solicitations and notices ---

    def _asked(self, act: Act) -> str:
        return f"a-{act.who % 6}"

    def _ask(self, act: Act) -> Command:
        sender = f"alias-{act.who % 6 % 3}"
        asks = GatewayAsks(self._asked(act), GATEWAY, "orange", sender, ON_DELIVERED, "quiz")

        async def command(desk: Desk, _: int) -> None:
            told = await ask_solicitation(desk, asks, self._origin(act), self._loop.now)
            self.memory.told[asks].add((type(told.fact).__name__, told.fact.occurred_at))

        return command

    def _solicitation(self, act: Act) -> str:
        return solicitation_id(self._book, f"gateway {GATEWAY}", self._asked(act))

    def _use(self, act: Act) -> Command:
        name, asker = self._solicitation(act), Asker(GATEWAY)
        return lambda desk, _: use_solicitation(
            desk, name, "Rejouez", asker, origin=self._origin(act), now=self._loop.now
        )

    def _expire(self, act: Act) -> Command:
        name = self._solicitation(act)
        return lambda desk, _: expire_solicitation(desk, name, self._origin(act), self._loop.now)

    def _notice(self, act: Act) -> Command | None:
        due = self._pick(act, NoticeDue)
        if due is None:
            return None
        return lambda desk, _: send_notice(desk, due.subject, self._origin(act), self._loop.now)

    # --- Money ---

    def _age(self, act: Act) -> Command | None:
        charge = self._pick(act, ChargeAuthorized)
        if charge is None:
            return None
        return lambda desk, _: age_charge(desk, charge.subject, self._origin(act), self._loop.now)

    def _refund(self, act: Act) -> Command | None:
        charge = self._pick(act, ChargeAuthorized)
        if charge is None:
            return None
        ours = act.who % 2 == 0
        request = RefundRequest(
            id=f"r-{act.n}",
            charge=charge.subject,
            by="aggregator" if ours else "operator",
            channel="transfer" if ours else "bill",
            reason="asked for",
            price=1_100_000 if ours and act.who % 4 == 0 else None,
        )
        return lambda desk, _: refund_charge(desk, request, self._origin(act), self._loop.now)

    def _write_off(self, act: Act) -> Command | None:
        charge = self._pick(act, ChargeAuthorized)
        if charge is None:
            return None
        request = WriteOffRequest(f"w-{act.n}", charge.subject, "unpaid", "never paid")
        return lambda desk, _: write_off_charge(desk, request, self._origin(act), self._loop.now)

    # --- Subscriptions and the catalogue ---

    def _renew(self, act: Act) -> Command | None:
        started = self._pick(act, SubscriptionStarted)
        if started is None:
            return None
        request = f"p-{act.n}" if act.who % 3 == 0 else None
        return lambda desk, _: renew_subscription(
            desk, started.subject, self._origin(act), self._loop.now, request
        )

    def _end(self, act: Act) -> Command | None:
        started = self._pick(act, SubscriptionStarted)
        if started is None:
            return None
        return lambda desk, _: stop_subscription(
            desk, started.subject, "merchant", "asked", self._origin(act), self._loop.now
        )

    def _service(self) -> str:
        return "quiz" if self._land.name == "fr" else "jeu"

    def _suspend(self, act: Act) -> Command:
        service = self._service()
        return lambda desk, _: suspend_service(
            desk, service, "complaints", self._origin(act), self._loop.now
        )

    def _resume(self, act: Act) -> Command:
        service = self._service()
        return lambda desk, _: resume_service(desk, service, self._origin(act), self._loop.now)

    def _pick(self, act: Act, kind: type[Fact]) -> Fact | None:
        found = [one.fact for one in self._folded.facts if isinstance(one.fact, kind)]
        return found[-1 - act.who % len(found)] if found else None
