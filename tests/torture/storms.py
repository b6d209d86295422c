"""Storms: the database restarts, and its backends are ended, again and again."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from time import monotonic

import psycopg

from api.embedded import Embedded
from tests.support.database import new_server
from tests.torture.checks import examined
from tests.torture.hasty import Hasty
from tests.torture.load import Load
from tests.torture.processes import rest, serving, urls_of
from tests.torture.trial import Say, Scale, Verdict, dice, judged

SECONDS = {Scale.TINY: 1.0, Scale.SHORT: 8.0, Scale.LONG: 1_800.0}
LONGEST_PAUSE_SECONDS = 0.25
LONGEST_AWAY_SECONDS = 0.5
PROGRESS = 20
PROCESSES = 2
"""Of the API, on the one book: what one of them has lost, the other may have appended."""
TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE
    datname = current_database() AND pid <> pg_backend_pid()
    AND (%(all)s OR pid = (
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
        ORDER BY random() LIMIT 1
    ))
"""


class Storms:
    """Ends backends and restarts the server while clients hand messages over."""

    name = "storms"
    promise = "However often the database goes away, answers are 200 and kept, or 503"

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Storm for so long, then see that it goes on by itself."""
        return self._stormed(SECONDS[scale], seed, say, hasty=False)

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Do so behind an intake that acknowledges before it hands over."""
        del scale
        return self._stormed(SECONDS[Scale.TINY], seed, say, hasty=True)

    def _stormed(self, seconds: float, seed: int, say: Say, *, hasty: bool) -> Verdict:
        with (
            new_server(durable=True) as server,
            serving(urls_of(server.url), answering=PROCESSES) as ledger,
        ):
            with (
                Hasty(ledger.port) if hasty else nullcontext(ledger) as before,
                Load(before.port, ledger.key, seed) as load,
            ):
                wanted = load.told.acknowledged + PROGRESS
                ledger.until(lambda: load.told.acknowledged >= wanted, "acknowledging")
                done = _storm(server, seconds, dice(self.name, seed))
                say(f"storms: {dict(done)}, {load.told.acknowledged} acknowledged")
                more = load.told.acknowledged + PROGRESS
                ledger.until(lambda: load.told.acknowledged >= more, "acknowledging again")
            counted, failures = examined(ledger, urls_of(server.url), load.told)
        unanswered = load.told.statuses[0]
        if unanswered:
            failures.append(f"{unanswered} requests were not answered at all")
        facts = {**done, **counted, "answers 503": load.told.statuses[503]}
        facts["s longest silence"] = load.told.silence
        return judged(self.name, seed, facts, failures)


def _storm(server: Embedded, seconds: float, chance: random.Random) -> Counter[str]:
    done: Counter[str] = Counter()
    until = monotonic() + seconds
    while monotonic() < until:
        kind = chance.choice(tuple(STORMS))
        done[kind] += STORMS[kind](server, chance)
        rest(chance.uniform(0, LONGEST_PAUSE_SECONDS))
    return done


def _terminate(server: Embedded, *, every: bool) -> int:
    with (
        suppress(psycopg.OperationalError),
        psycopg.connect(server.url(), autocommit=True) as connection,
    ):
        ((ended,),) = connection.execute(TERMINATE, {"all": every}).fetchall()
        return int(ended)
    return 0


def _restart(server: Embedded, chance: random.Random) -> int:
    with server.away():
        rest(chance.uniform(0, LONGEST_AWAY_SECONDS))
    return 1


STORMS: Mapping[str, Callable[[Embedded, random.Random], int]] = {
    "backends ended": lambda server, _: _terminate(server, every=False),
    "backends ended together": lambda server, _: _terminate(server, every=True),
    "restarts": _restart,
}
