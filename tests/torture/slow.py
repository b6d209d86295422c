"""A disk that takes its time for each fsync: answers wait for it, and the service goes on."""

from collections.abc import Mapping
from datetime import timedelta

from tests.torture.checks import examined
from tests.torture.cluster import Server, create_database, ended_after, home
from tests.torture.load import Load, percentile
from tests.torture.processes import rest, serving
from tests.torture.shim import Shim
from tests.torture.trial import Say, Scale, Verdict, dice, judged

ROUNDS = {Scale.TINY: 1, Scale.SHORT: 3, Scale.LONG: 400}
ROUND_SECONDS = 2.5
DELAYS_MS = (30, 80, 200)
PATIENCE_MS = 5_000
"""No answer may take longer: a slow disk is a slow answer, not a queue that only grows."""


class Slow:
    """Slows the disk down while clients hand messages over."""

    name = "slow"
    promise = "However slow fsync is, nothing is answered 200 before it, and answers still come"

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Hand over at several speeds of the disk, and compare each wait with it."""
        return self._slowed(ROUNDS[scale], seed, say, {})

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Do so where nothing waits for the disk."""
        del scale
        return self._slowed(1, seed, say, {"fsync": "off"})

    def _slowed(self, rounds: int, seed: int, say: Say, settings: Mapping[str, str]) -> Verdict:
        chance = dice(self.name, seed)
        failures: list[str] = []
        slowest = 0.0
        with home() as folder:
            shim = Shim(folder)
            server = Server(folder, settings, shim.environ)
            with ended_after(server):
                server.create()
                server.start()
                create_database(server)
                with serving(server.urls) as ledger:
                    with Load(ledger.port, ledger.key, seed, pause=0.02) as load:
                        for number in range(rounds):
                            delay = chance.choice(DELAYS_MS)
                            waits = _round(shim, load, delay)
                            slowest = max([slowest, *waits])
                            failures += _judged(waits, delay)
                            say(f"slow: round {number + 1} of {rounds}, {delay} ms")
                        shim.slow_down(timedelta())
                    counted, found = examined(ledger, server.urls, load.told)
        facts = {
            "rounds": rounds,
            **counted,
            "ms fsync at most": max(DELAYS_MS),
            "ms p50": percentile(load.waits_of(0), 0.5),
            "ms longest wait": slowest,
        }
        return judged(self.name, seed, facts, [*failures, *found])


def _round(shim: Shim, load: Load, delay: int) -> list[float]:
    """Give the waits, in milliseconds, of what was begun and ended while the disk was that slow."""
    shim.slow_down(timedelta(milliseconds=delay))
    begun = load.begun
    rest(ROUND_SECONDS)
    return load.waits_of(begun)


def _judged(waits: list[float], delay: int) -> list[str]:
    failures: list[str] = []
    if not waits:
        return [f"nothing was answered where an fsync takes {delay} ms"]
    if min(waits) < delay:
        early = min(waits)
        failures.append(f"answered after {early:.1f} ms, where an fsync takes {delay} ms")
    if max(waits) > PATIENCE_MS:
        failures.append(f"an answer took {max(waits):.0f} ms, where an fsync takes {delay} ms")
    return failures
