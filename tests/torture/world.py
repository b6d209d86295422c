"""The ledger as a world in one process: a seed for each, all that happens in it by that seed.

Commands interleave, acknowledgements are lost, processes die between reading and writing, folds
come in any batches. What is left is held against a small model. A world that goes wrong is
shortened to the acts it needs, and its seed gives it again, exactly. The controls switch one flaw
on at a time.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from tests.torture.trial import Say, Scale, Verdict, judged
from tests.torture.world_log import Flaws
from tests.torture.world_one import SOUND, Seen, drawn, play
from tests.torture.world_plan import Act, Land

WORLDS = {Scale.TINY: 25, Scale.SHORT: 1_000, Scale.LONG: 100_000}
CONTROLLED = 600
"""Worlds among which each flaw must show."""
AGAIN = 20
"""One world in so many is played twice, and must be the same."""
CHUNK = 10
MOST_SHOWN = 3

FLAWS = {
    "a log that decides nothing again": Flaws(ignores_the_tail=True),
    "a batch whose decisions do not see each other": Flaws(alone_in_the_batch=True),
    "a process that says so before it writes": Flaws(says_so_too_early=True),
    "a decision that forgets STOP": Flaws(forgets=frozenset({"opted_out.v1"})),
    "a decision that forgets what was spent": Flaws(forgets=frozenset({"charge_authorized.v1"})),
    "a refund that forgets the others": Flaws(forgets=frozenset({"charge_refunded.v1"})),
    "a counter that forgets what it allowed": Flaws(forgets=frozenset({"solicitation_allowed.v1"})),
    "an intake that forgets messages": Flaws(forgets=frozenset({"mo_received.v1"})),
    "a fold that is applied twice": Flaws(folds_unguarded=True),
    "a merge in the wrong order": Flaws(merges_backwards=True),
    "a gateway that gives a new id": Flaws(comes_under_another_name=True),
}


class Wrong(NamedTuple):
    """A world that went wrong, as short as it can be."""

    seed: int
    acts: Sequence[Act]
    wrong: Sequence[str]

    def __str__(self) -> str:
        """Say what is wrong, and what it takes."""
        acts = "; ".join(_said(act) for act in self.acts)
        return f"world {self.seed}: {self.wrong[0]} ({len(self.acts)} acts: {acts})"


class World:
    """Worlds in one process, against a small model of the ledger."""

    name = "world"
    promise = (
        "Whatever interleaves, is lost, dies or comes again, messages are taken once, money is "
        "kept, STOP and caps hold, and projections equal a rebuild"
    )

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Play many worlds; each must be right, and the same when it is played again."""
        counted: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        failures: list[str] = []
        for number, seen in enumerate(_played(_seeds(seed, WORLDS[scale])), 1):
            counted += Counter(_counts(seen))
            kinds += seen.kinds
            if seen.wrong and len(failures) < MOST_SHOWN:
                failures.append(str(shortened(seen.seed)))
            elif seen.wrong:
                failures.append(f"world {seen.seed}: {seen.wrong[0]}")
            if number % 1_000 == 0:
                say(f"world: {number:,} worlds, {counted['facts']:,} facts")
        return judged(self.name, seed, {**counted, "kinds of facts": len(kinds)}, failures)

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Switch each flaw on; passes, as it must not, if one of them shows in no world."""
        del scale
        shown: dict[str, int] = {}
        failures: list[str] = []
        for name, flaws in FLAWS.items():
            caught = first_caught(flaws, seed)
            if caught is not None:
                number, wrong = caught
                shown[name] = number
                failures.append(f"{name}: in world {number}, {wrong}")
                say(f"world: {failures[-1]}")
        missed = [name for name in FLAWS if name not in shown]
        facts = {"flaws": len(FLAWS), "shown": len(shown), "missed": ", ".join(missed) or "none"}
        summary = f"all {len(FLAWS)} flaws show within {max(shown.values(), default=0)} worlds"
        return judged(self.name, seed, facts, [] if missed else [summary, *failures])


def first_caught(flaws: Flaws, seed: int) -> tuple[int, str] | None:
    """Give the number of the first world in which a flaw shows, and how."""
    for number, one in enumerate(_seeds(seed, CONTROLLED), 1):
        seen = play(one, *drawn(one), flaws)
        if seen.wrong:
            return number, seen.wrong[0]
    return None


def shortened(seed: int, flaws: Flaws = SOUND) -> Wrong:
    """Leave out all acts of a world that went wrong without which it still does."""
    land, acts = drawn(seed)
    wrong = play(seed, land, acts, flaws).wrong
    size = len(acts) // 2
    while size:
        for start in range(0, len(acts), size):
            fewer = acts[:start] + acts[start + size :]
            found = play(seed, land, fewer, flaws).wrong
            if found:
                acts, wrong = fewer, found
                break
        else:
            size //= 2
    return Wrong(seed, acts, wrong)


def _seeds(seed: int, count: int) -> range:
    """Give the seeds of a trial's worlds: those of the next trial seed are others."""
    return range(seed * 1_000_000, seed * 1_000_000 + count)


def _played(seeds: Iterable[int]) -> Iterator[Seen]:
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as processes:
        yield from processes.map(_play, seeds, chunksize=CHUNK)


def _play(seed: int) -> Seen:
    land, acts = drawn(seed)
    seen = play(seed, land, acts)
    if seed % AGAIN == 0 and _unlike(seen, land, acts):
        return seen._replace(wrong=[*seen.wrong, "played again it is another world"])
    return seen


def _unlike(seen: Seen, land: Land, acts: Sequence[Act]) -> bool:
    return play(seen.seed, land, acts).trace != seen.trace


def _counts(seen: Seen) -> dict[str, int]:
    return {
        "worlds": 1,
        "facts": seen.facts,
        "askings": seen.asked,
        "answers unheard": seen.unheard,
        "deaths": seen.deaths,
        "wrong": bool(seen.wrong),
    }


def _said(act: Act) -> str:
    about = " ".join(filter(None, (act.what, act.where)))
    return f"{act.at} s {act.kind} {act.who} {about} x{act.times}"
