"""One world from one seed: played, ended, and held against the model and against what was told."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import NamedTuple

import msgspec

from ledger.decisions.story import mo_id
from ledger.facts.base import Recorded
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    DeliveryOrphaned,
    DeliveryReceived,
    MoReceived,
    MtSubmitted,
)
from ledger.vault import DataKeyId
from tests.support.book import MemoryKeys
from tests.torture.world_folds import Folded
from tests.torture.world_log import Flaws, Process, WorldLog
from tests.torture.world_loop import Loop
from tests.torture.world_model import Model, modelled
from tests.torture.world_people import GATEWAY, Memory, People
from tests.torture.world_plan import CAP_MICROS, Act, Land, plan

SOUND = Flaws()


class Seen(NamedTuple):
    """What came of one world."""

    seed: int
    acts: int
    facts: int
    kinds: Counter[str]
    asked: int
    unheard: int
    deaths: int
    trace: str
    """A hash over every fact in its place: the same for a seed, whenever it is played."""
    wrong: list[str]


class WorldKeys(MemoryKeys):
    """Data keys that follow from their names, so that a seed makes the same ones."""

    async def ensure(self, wanted: DataKeyId, address: str | None = None) -> bytes:
        """Give a key."""
        self.keys.setdefault(wanted, sha256(repr(wanted).encode()).digest())
        return await super().ensure(wanted, address)


def drawn(seed: int) -> tuple[Land, list[Act]]:
    """Draw what happens in a world."""
    return plan(_chance("plan", seed))


def play(seed: int, land: Land, acts: Sequence[Act], flaws: Flaws = SOUND) -> Seen:
    """Let acts happen, then look at all that there is."""
    loop = Loop(_chance("turns", seed), land.rows[-1].recorded_at + timedelta(seconds=1))
    log = WorldLog(land.rows, loop, flaws)
    folded = Folded(log, land.rules, flaws)
    processes = [Process(log, loop, flaws) for _ in range(2)]
    keys = WorldKeys()
    for process in processes:
        process.serve(keys, land.rules)
    people = People(loop, processes, folded, land, flaws)
    for act in acts:
        loop.spawn(people.do(act))
    try:
        loop.run()
        wrong = [f"{loop.stuck} wait for ever"] if loop.stuck else []
    finally:
        loop.close()
    wrong += _judged(folded, people.memory, land, loop.chance)
    return Seen(
        seed=seed,
        acts=len(acts),
        facts=len(folded.facts),
        kinds=Counter(type(one.fact).__name__ for one in folded.facts),
        asked=people.memory.asked,
        unheard=people.memory.unheard,
        deaths=sum(process.deaths for process in processes),
        trace=_trace(folded.facts),
        wrong=wrong,
    )


def _judged(folded: Folded, memory: Memory, land: Land, chance: random.Random) -> list[str]:
    model = modelled(folded.facts, CAP_MICROS if land.name == "fr" else None)
    folded.catch_up()
    unlike = folded.unlike_rebuilt(chance)
    return [
        *model.wrong,
        *memory.broken,
        *_in_order(folded.facts),
        *_once_each(folded.facts, memory),
        *_answered_alike(memory),
        *_receipts_kept(folded.facts, memory),
        *(f"{name} is not what a rebuild makes of it" for name in unlike),
        *_tables_agree(folded, model),
    ]


def _in_order(facts: Sequence[Recorded]) -> list[str]:
    wrong: list[str] = []
    if [one.position for one in facts] != list(range(1, len(facts) + 1)):
        wrong.append("positions have a gap")
    times = [one.recorded_at for one in facts if one.recorded_at]
    if times != sorted(times):
        wrong.append("recorded_at runs backwards")
    twice = [name for name, count in Counter(one.id for one in facts).items() if count > 1]
    return wrong + [f"fact {name} is there twice" for name in twice]


def _once_each(facts: Sequence[Recorded], memory: Memory) -> list[str]:
    """Compare the messages that were sent with those that are there."""
    book = facts[0].book
    sent = {mo_id(book, GATEWAY, name): words for name, words in memory.sent.items()}
    received = {one.fact.mo for one in facts if isinstance(one.fact, MoReceived)}
    kept = Counter(
        one.fact.mo for one in facts if isinstance(one.fact, ConflictingDuplicateReceived)
    )
    wrong = [f"message {mo[:12]} is lost" for mo in sent.keys() - received]
    wrong += [f"message {mo[:12]} was never sent" for mo in received - sent.keys()]
    return wrong + [
        f"message {mo[:12]} came in {len(words)} ways, {kept[mo]} are kept as conflicts"
        for mo, words in sent.items()
        if kept[mo] != len(words) - 1
    ]


def _answered_alike(memory: Memory) -> list[str]:
    return [
        f"{asked} was answered in {len(answers)} ways: {sorted(map(str, answers))}"
        for asked, answers in memory.told.items()
        if len(answers) > 1
    ]


def _receipts_kept(facts: Sequence[Recorded], memory: Memory) -> list[str]:
    known: set[str] = set()
    for one in facts:
        match one.fact:
            case DeliveryReceived(ref=ref) | MtSubmitted(ref=ref):
                known.add(ref.mt)
            case DeliveryOrphaned(mt=mt):
                known.add(mt)
            case _:
                pass
    return [f"a receipt of {mt[:12]} is lost" for mt in memory.delivered - known]


def _tables_agree(folded: Folded, model: Model) -> list[str]:
    """Compare what projections say with what the model counted."""
    wrong: list[str] = []
    moved = folded.tables["balances"]
    if sum(one.debit - one.credit for one in moved.values()):
        wrong.append("the books do not balance")
    owed = sum(
        one.debit - one.credit
        for account, one in moved.items()
        if account.account == "operator_receivable_accrued"
    )
    if owed != sum(model.earned.values()):
        wrong.append(f"operators owe {owed}, the model says {sum(model.earned.values())}")
    states = {
        charge: row.standing.state
        for charge, row in folded.tables["charges"].items()
        if row.standing is not None
    }
    if states != model.states:
        wrong.append("the charges stand elsewhere than in the model")
    refunded = {charge: row.refunded for charge, row in folded.tables["charges"].items()}
    if {name: sum_ for name, sum_ in refunded.items() if sum_} != dict(model.refunded):
        wrong.append("what was given back is not what the model counted")
    return wrong


def _trace(facts: Sequence[Recorded]) -> str:
    """Hash every fact in its place, but for the sealed texts, which are never the same."""
    digest = sha256()
    for one in facts:
        digest.update(f"{one.position} {one.id} {one.recorded_at} {one.caused_by}".encode())
        fact = one.fact
        if getattr(fact, "text", None) is not None:
            fact = msgspec.structs.replace(fact, text=None)
        digest.update(msgspec.json.encode(fact))
    return digest.hexdigest()


def _chance(what: str, seed: int) -> random.Random:
    return random.Random(f"world {what} {seed}")  # noqa: S311 - chance that can be repeated
