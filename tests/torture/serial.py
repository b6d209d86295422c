"""Transactions of several keys on one log, judged as elle judges: none comes before itself.

Each reads the lists of some keys and appends to one of them, all with one decision. The log gives
each decision the history that its query names, as it stands under the book's lock. The control
reads first and writes then, in two transactions, as most do who take a queue for a ledger.
"""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import msgspec
import psycopg
from psycopg import Connection

from ledger.log.batch import AnyRow, Outcome, Proposal
from ledger.log.postgres import PostgresLog
from ledger.log.rows import Interest, Row
from ledger.log.session import log_conninfo
from tests.support.database import add_template, clone, new_server
from tests.torture.histories import History, operations
from tests.torture.histories_cycles import cycle_failures
from tests.torture.processes import rest
from tests.torture.trial import Say, Scale, Verdict, dice, judged

BOOK = "fr"
CLIENTS = 8
KEYS = ("a", "b", "c", "d")
ERA = 400
"""After so many transactions they go on with new keys: each reads whole lists, however long."""
THINKS_SECONDS = 0.001
"""How long the control takes between what it reads and what it writes."""
TRANSACTIONS = {Scale.TINY: 200, Scale.SHORT: 800, Scale.LONG: 20_000}

Lists = dict[str, list[int]]


class Serial:
    """Eight clients whose decisions rest on each other's."""

    name = "serial"
    promise = "Decisions that rest on each other are made as if one after another, in real order"

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Decide on our log."""
        with new_server(durable=True) as server:
            add_template(server)
            with clone(server) as database:
                url = log_conninfo(database.app_url)
                with closing(Connection.connect(url, autocommit=True)) as connection:
                    PostgresLog(connection, BOOK).open_book()
                return self._judged(url, OnLog, TRANSACTIONS[scale], seed, say)

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Read and write in two transactions of a table."""
        with new_server(durable=False) as server:
            url = server.url(name="postgres")
            with psycopg.connect(url) as connection:
                connection.execute("CREATE TABLE naive (id bigserial, key text, number int)")
            return self._judged(url, OnTable, TRANSACTIONS[scale], seed, say)

    def _judged(
        self, url: str, kind: "type[OnLog | OnTable]", transactions: int, seed: int, say: Say
    ) -> Verdict:
        history = History()

        def work(client: int) -> None:
            with closing(Connection.connect(url, autocommit=True)) as connection:
                chance = dice(f"{self.name} {client}", seed)
                numbers = range(client, transactions, CLIENTS)
                transact(kind(connection), history, client, numbers, chance)

        with ThreadPoolExecutor(CLIENTS) as threads:
            list(threads.map(work, range(CLIENTS)))
        history.keep(f"{self.name}-{kind.__name__}")
        failures = cycle_failures(operations(history.lines))
        say(f"{self.name}: {transactions:,} transactions judged")
        facts = {"transactions": transactions, "keys": _keys(transactions), "clients": CLIENTS}
        return judged(self.name, seed, facts, failures)


def _keys(transactions: int) -> int:
    return len(KEYS) * -(-transactions // ERA)


class OnLog:
    """Lists on the ledger's log: a tag to a key, and one decision."""

    def __init__(self, connection: Connection) -> None:
        self._log = PostgresLog(connection, BOOK)

    def append(self, read: Sequence[str], key: str, number: int) -> Lists:
        """Decide once; what it rested on is its answer."""
        seen: Lists = {}

        def decide(history: Sequence[AnyRow]) -> list[Row]:
            seen.clear()
            seen.update({one: [] for one in read})
            for row in history:
                seen[row.tags[0].removeprefix("key:")].append(msgspec.json.decode(row.data))
            return [Row("noted.v1", (f"key:{key}",), msgspec.json.encode(number))]

        query = tuple(Interest((f"key:{one}",)) for one in read)
        (outcome,) = self._log.submit([Proposal(query, decide)])
        assert isinstance(outcome, Outcome), outcome
        return seen


class OnTable:
    """Lists in a table: read, then write."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, read: Sequence[str], key: str, number: int) -> Lists:
        """Read in one transaction and write in the next."""
        seen: Lists = {one: [] for one in read}
        rows = self._connection.execute(
            "SELECT key, number FROM naive WHERE key = ANY(%s) ORDER BY id", (list(read),)
        )
        for one, found in rows:
            seen[one].append(found)
        rest(THINKS_SECONDS)
        self._connection.execute("INSERT INTO naive (key, number) VALUES (%s, %s)", (key, number))
        return seen


def transact(
    lists: OnLog | OnTable,
    history: History,
    client: int,
    numbers: Sequence[int],
    chance: random.Random,
) -> None:
    """Carry out a client's transactions, each told in the history."""
    for number in numbers:
        keys = [f"{key}{number // ERA}" for key in KEYS]
        read = sorted(chance.sample(keys, chance.randint(1, 3)))
        key = chance.choice(keys)
        asked = [*(["r", one, None] for one in read), ["append", key, number]]
        history.say("invoke", "txn", asked, client)
        seen = lists.append(read, key, number)
        told = [*(["r", one, seen[one]] for one in read), ["append", key, number]]
        history.say("ok", "txn", told, client)
