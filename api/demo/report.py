"""What the demonstration has to show, read back from the book, and whether all of it is right."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from psycopg import Connection

from api.demo.accounted import Account, account
from api.demo.play import Played
from api.demo.refusals import Refused, refusals
from api.demo.stage import BOOK, Stage
from api.demo.story import Told, tell
from ledger.commands.desk import Desk, data_key_of
from ledger.facts.access import EvidenceDisclosed
from ledger.facts.base import Recorded
from ledger.facts.registry import REGISTRY, stored_name
from ledger.facts.traffic import MtEmitted
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from ledger.money import micros_text
from ledger.vault import unseal
from projections.balances.read import Balance, Trial, balances, trial_balance
from projections.known import PROJECTIONS
from projections.merchant_accounts.read import MerchantTotal, overview
from projections.reading import answer
from projections.rebuild import compare


class Check(NamedTuple):
    """One thing that has to be so."""

    name: str
    ok: bool
    detail: str


class Report(NamedTuple):
    """All that is shown."""

    gateway: str
    fallback: str | None
    """Why it is not the real one."""
    head: int
    facts: dict[str, int]
    trial: list[Trial]
    accounts: list[Balance]
    merchants: list[MerchantTotal]
    story: list[Told]
    disclosed: list[int]
    """The positions at which it is recorded that the story's texts were shown."""
    refused: list[Refused]
    account: Account
    unresolved: int
    checks: list[Check]

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return all(check.ok for check in self.checks)


def report(stage: Stage, played: Played, fallback: str | None = None) -> Report:
    """Read everything back and judge it."""
    with connect(stage.database.app_url) as connection:
        facts = _facts(connection)
        texts = stage.api.do(lambda desk: _answers(desk, facts))
        accounted = account(played.exchanges, played.late, facts, texts)
        trial = answer(connection, BOOK, trial_balance()).value
        return Report(
            gateway=played.gateway,
            fallback=fallback,
            head=len(facts),
            facts=dict(sorted(Counter(stored_name(type(one.fact)) for one in facts).items())),
            trial=trial,
            accounts=answer(connection, BOOK, balances()).value,
            merchants=answer(connection, BOOK, overview()).value,
            story=tell(played.story, facts, stage.rules.pack.zone),
            disclosed=[one.position for one in facts if isinstance(one.fact, EvidenceDisclosed)],
            refused=refusals(facts, played.exchanges),
            account=accounted,
            unresolved=played.unresolved,
            checks=[_balanced(trial), *_rebuilt(connection), _accounted(accounted)],
        )


def _facts(connection: Connection) -> list[Recorded]:
    log = PostgresLog(connection, BOOK)
    head, _ = log.head()
    return [REGISTRY.decode(row) for row in log.follow(0, head)]


async def _answers(desk: Desk, facts: Sequence[Recorded]) -> dict[str, str]:
    """Open the answers, to hold them against what the gateway got; they are shown to nobody."""
    answers = [one for one in facts if isinstance(one.fact, MtEmitted) and one.fact.text]
    keys = await desk.keys.find({data_key_of(one.fact) for one in answers})
    return {
        one.id: unseal(keys[data_key_of(one.fact)], one.id, one.fact.text)
        for one in answers
        if isinstance(one.fact, MtEmitted) and one.fact.text
    }


def _balanced(trial: Sequence[Trial]) -> Check:
    sides = [
        f"{one.currency} {micros_text(one.debit)} debit, {micros_text(one.credit)} credit"
        for one in trial
    ]
    ok = bool(trial) and all(one.balance == 0 for one in trial)
    return Check("the trial balance is zero", ok, "; ".join(sides) or "nothing was posted")


def _rebuilt(connection: Connection) -> Iterator[Check]:
    for projection in PROJECTIONS:
        differences = compare(connection, BOOK, projection)
        detail = differences[0] if differences else "byte for byte"
        yield Check(f"live {projection.name} equal a rebuild", not differences, detail)


def _accounted(found: Account) -> Check:
    detail = (
        f"{found.played} played: {found.messages} messages, {found.answered} answered, "
        f"{found.unanswered} silent by rule, {found.conflicts} in conflict; "
        f"{found.receipts} receipts, {found.orphans} orphan"
    )
    problems = "; ".join(found.problems)
    return Check("every message is accounted for", not problems, problems or detail)
