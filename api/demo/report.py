"""What the demonstration has to show, read back from its books, and whether all of it is right."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from psycopg import Connection

from api.demo.accounted import Account, account
from api.demo.books import DEMO_BOOKS
from api.demo.documents import Documents
from api.demo.events import Event, events
from api.demo.play import Played, Plays, facts_of
from api.demo.refusals import Refused, refusals
from api.demo.stage import Stage
from api.demo.story import Told, subscription_story, tell
from ledger.commands.desk import Desk, data_key_of
from ledger.facts.access import EvidenceDisclosed
from ledger.facts.base import Recorded
from ledger.facts.registry import stored_name
from ledger.facts.traffic import MtEmitted
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


class BookReport(NamedTuple):
    """All that is shown of one book."""

    book: str
    zone: str
    settings: Mapping[str, Any]
    """What no rule pack can know, as it was set."""
    head: int
    facts: dict[str, int]
    trial: list[Trial]
    accounts: list[Balance]
    merchants: list[MerchantTotal]
    story: list[Told]
    disclosed: list[int]
    """The positions at which it is recorded that the story's texts were shown."""
    events: list[Event]
    refused: list[Refused]
    account: Account
    unresolved: int
    checks: list[Check]


class Report(NamedTuple):
    """All that is shown."""

    gateway: str
    fallback: str | None
    """Why it is not the real one."""
    books: tuple[BookReport, ...]
    documents: Documents | None

    @property
    def checks(self) -> list[Check]:
        """Every check, of both books and of the documents."""
        return [
            *(check for one in self.books for check in one.checks),
            *(_verified(self.documents) if self.documents else ()),
        ]

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return all(check.ok for check in self.checks)


def report(
    stage: Stage,
    plays: Plays,
    gateway: str,
    fallback: str | None = None,
    documents: Documents | None = None,
) -> Report:
    """Read everything back and judge it."""
    books = tuple(_book(stage, book, played) for book, played in plays.items())
    return Report(gateway, fallback, books, documents)


def _book(stage: Stage, book: str, played: Played) -> BookReport:
    rules, facts = stage.rules[book], facts_of(stage, book)
    texts = stage.api.do(lambda desk: _answers(desk, facts), book)
    accounted = account(DEMO_BOOKS[book], played, facts, texts)
    story = (
        tell(played.story, facts, rules.pack.zone)
        if played.story
        else subscription_story(facts, rules.pack.zone)
    )
    with connect(stage.database.app_url) as connection:
        trial = answer(connection, book, trial_balance()).value
        return BookReport(
            book=book,
            zone=rules.pack.zone,
            settings=rules.settings.values(),
            head=len(facts),
            facts=dict(sorted(Counter(stored_name(type(one.fact)) for one in facts).items())),
            trial=trial,
            accounts=answer(connection, book, balances()).value,
            merchants=answer(connection, book, overview()).value,
            story=story,
            disclosed=[one.position for one in facts if isinstance(one.fact, EvidenceDisclosed)],
            events=events(facts),
            refused=refusals(facts, played.exchanges),
            account=accounted,
            unresolved=played.unresolved,
            checks=[
                _balanced(book, trial),
                *_rebuilt(connection, book),
                _accounted(book, accounted),
            ],
        )


async def _answers(desk: Desk, facts: Sequence[Recorded]) -> dict[str, str]:
    """Open the answers, to hold them against what the gateway got; they are shown to nobody."""
    answers = [one for one in facts if isinstance(one.fact, MtEmitted) and one.fact.text]
    keys = await desk.keys.find({data_key_of(one.fact) for one in answers})
    return {
        one.id: unseal(keys[data_key_of(one.fact)], one.id, one.fact.text)
        for one in answers
        if isinstance(one.fact, MtEmitted) and one.fact.text
    }


def _balanced(book: str, trial: Sequence[Trial]) -> Check:
    sides = [
        f"{one.currency} {micros_text(one.debit)} debit, {micros_text(one.credit)} credit"
        for one in trial
    ]
    ok = bool(trial) and all(one.balance == 0 for one in trial)
    detail = "; ".join(sides) or "nothing was posted"
    return Check(f"{book}: the trial balance is zero", ok, detail)


def _rebuilt(connection: Connection, book: str) -> Iterator[Check]:
    for projection in PROJECTIONS:
        differences = compare(connection, book, projection)
        detail = differences[0] if differences else "byte for byte"
        name = f"{book}: live {projection.name} equal a rebuild"
        yield Check(name, not differences, detail)


def _accounted(book: str, found: Account) -> Check:
    detail = (
        f"{found.played} played: {found.messages} messages, {found.answered} answered, "
        f"{found.unanswered} silent by rule, {found.conflicts} in conflict; {found.pushed} pushed; "
        f"{found.receipts} receipts, {found.orphans} orphan"
    )
    problems = "; ".join(found.problems)
    return Check(f"{book}: every message is accounted for", not problems, problems or detail)


def _verified(documents: Documents) -> Iterator[Check]:
    for one in documents.books:
        found = one.verified
        ok = not found.problems
        detail = f"{found.facts} facts in {found.files} files" if ok else "; ".join(found.problems)
        yield Check(f"{one.book}: the audit export verifies", ok, detail)
        yield Check(
            f"{one.book}: the statement and the payouts agree", one.agree, "the same on every line"
        )
