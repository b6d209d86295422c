"""What a book must hold once everything has come, however often: counted in its log."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg import Connection

from ledger.decisions.story import mo_id, mt_id
from ledger.facts.base import Fact, Recorded
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured
from ledger.facts.registry import REGISTRY
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    DeliveryReceived,
    MoReceived,
    MtEmitted,
)
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from tests.torture.checks import PAGE, SHOWN, is_projected, projection_failures
from tests.torture.histories import History, bank_failures, operations, set_failures
from tests.torture.load import BOOK, GATEWAY
from tests.torture.processes import Ledger, Urls
from tests.torture.repeats_plan import Plan, Send

READER = 1_000
"""The process that reads, in a history."""
PATIENCE_SECONDS = 180.0
"""How long the worker may take to project all of it."""


@dataclass
class Counted:
    """How often the log holds each."""

    facts: int = 0
    ids: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    conflicts: Counter[str] = field(default_factory=Counter)
    authorized: Counter[str | None] = field(default_factory=Counter)
    captured: Counter[str | None] = field(default_factory=Counter)
    reports: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    earned: int = 0
    """What the operator owes for what was captured, in micros."""

    def note(self, one: Recorded) -> None:
        """Count a fact."""
        self.facts += 1
        self.ids[one.id] += 1
        match one.fact:
            case MoReceived(mo=mo):
                self.received[mo] += 1
            case ConflictingDuplicateReceived(mo=mo):
                self.conflicts[mo] += 1
            case DeliveryReceived(ref=ref):
                self.reports[ref.mt] += 1
            case fact:
                self._note_effect(fact)

    def _note_effect(self, fact: Fact) -> None:
        match fact:
            case ChargeAuthorized(ref=ref):
                self.authorized[ref.mo] += 1
            case ChargeCaptured(ref=ref, amounts=amounts):
                self.captured[ref.mo] += 1
                self.earned += amounts.reversement
            case MtEmitted(ref=ref) if ref.mo is not None and not fact.pushed:
                self.answers[ref.mt] += 1
            case _:
                pass


def verdict_of(
    ledger: Ledger, urls: Urls, plan: Plan, heard: Mapping[Send, tuple[str, str]], history: History
) -> tuple[dict[str, int], list[str]]:
    """Let the worker catch up, then hold log and projections against what was sent and heard."""
    with connect(urls.app) as connection:
        ledger.until(lambda: is_projected(connection), "projected", PATIENCE_SECONDS)
        counted = Counted()
        for one in _facts(connection):
            counted.note(one)
        failures = [
            *log_failures(counted, plan),
            *answer_failures(plan, heard),
            *projection_failures(connection),
            *money_failures(connection, counted.earned),
        ]
        read_accounts(connection, history)
    read_messages(counted, plan, history)
    failures += history_failures(history)
    facts = {
        "ids": len(plan.ids),
        "facts": counted.facts,
        "received": counted.received.total(),
        "conflicts": counted.conflicts.total(),
        "captured": counted.captured.total(),
    }
    return facts, failures


def read_accounts(connection: Connection, history: History) -> None:
    """Read all accounts at one moment, as one of those whose history is kept."""
    history.say("invoke", "accounts", None, READER)
    rows = connection.execute(
        "SELECT account, sum(debit - credit)::bigint FROM balances WHERE book = %s"
        " GROUP BY account",
        (BOOK,),
    )
    history.say("ok", "accounts", dict(rows.fetchall()), READER)


def read_messages(counted: Counted, plan: Plan, history: History) -> None:
    """Read all messages, by the ids that their gateway gave them."""
    names = {mo_id(BOOK, GATEWAY, name): name for name in plan.ids}
    history.say("invoke", "read", None, READER)
    found = [names.get(mo, mo) for mo in counted.received.elements()]
    history.say("ok", "read", found, READER)


def history_failures(history: History) -> list[str]:
    """Judge messages as a set, and the accounts as a bank."""
    done = operations(history.lines)
    accounts = [one._replace(f="read") for one in done if one.f == "accounts"]
    return [
        *set_failures([one for one in done if one.f != "accounts"]),
        *bank_failures(accounts),
    ]


def log_failures(counted: Counted, plan: Plan) -> list[str]:
    """Say what is there too often, too seldom, or without having been sent."""
    mos = {name: mo_id(BOOK, GATEWAY, name) for name in plan.ids}
    conflicting = {mos[name] for name in plan.conflicting}
    delivered = {mos[name] for name in plan.delivered}
    answered = {mt_id(BOOK, mo) for mo in mos.values()}
    return [
        *_once("messages", counted.received, set(mos.values())),
        *_once("conflicts", counted.conflicts, conflicting),
        *_once("answers", counted.answers, answered),
        *_once("charges", counted.authorized, set(mos.values())),
        *_once("captures", counted.captured, delivered),
        *_once("receipts", counted.reports, {mt_id(BOOK, mo) for mo in delivered}),
        *_once("facts", counted.ids, set(counted.ids)),
    ]


def answer_failures(plan: Plan, answers: Mapping[Send, tuple[str, str]]) -> list[str]:
    """Hold what was answered against what each must be: one text for an id, and it names the MT."""
    texts: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for send, (mt, text) in answers.items():
        if not send.is_receipt and (mt or text):
            texts[send.id].append((mt, text))
    wrong = [name for name in plan.ids if len(texts[name]) != 1]
    other = [one.id for one in answers if texts[one.id] and texts[one.id][0][0] != one.mt]
    return [
        *_some("messages were not answered by one text", wrong),
        *_some("messages were answered by another MT than theirs", other),
    ]


def money_failures(connection: Connection, earned: int) -> list[str]:
    """Hold the operator's account against what the log says was captured."""
    row = connection.execute(
        "SELECT coalesce(sum(debit - credit), 0) FROM balances"
        " WHERE book = %s AND account = 'operator_receivable_accrued'",
        (BOOK,),
    ).fetchone()
    assert row is not None
    if int(row[0]) == earned:
        return []
    return [f"the operator owes {row[0]} micros, and {earned} were captured"]


def naive_failures(url: str) -> tuple[dict[str, int], list[str]]:
    """Count what an intake without derived ids charged twice."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT name, count(*) FROM naive_charges GROUP BY name")
        charged: dict[str, int] = dict(rows.fetchall())
    doubled = [name for name, times in charged.items() if times > 1]
    facts = {"ids": len(charged), "doubled": len(doubled)}
    return facts, _some("messages were charged twice", doubled)


def _facts(connection: Connection) -> Iterator[Recorded]:
    log, after = PostgresLog(connection, BOOK), 0
    while rows := log.follow(after, PAGE):
        yield from (REGISTRY.decode(row) for row in rows)
        after = rows[-1].position


def _once(what: str, counted: Mapping[str | None, int], wanted: Collection[str]) -> list[str]:
    """Say which are there more than once, which are missing, and which nobody sent."""
    more = [str(one) for one, times in counted.items() if times > 1]
    return [
        *_some(f"{what} are there more than once", more),
        *_some(f"{what} are missing", set(wanted) - counted.keys()),
        *_some(f"{what} were never sent", {str(one) for one in counted.keys() - set(wanted)}),
    ]


def _some(what: str, which: Collection[str]) -> list[str]:
    if not which:
        return []
    return [f"{len(which):,} {what}, such as {', '.join(sorted(which)[:SHOWN])}"]
