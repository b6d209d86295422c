"""One receipt on its way through: to which message it belongs, and what it then means."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from ledger.commands.desk import Desk, Learn
from ledger.commands.incoming import IncomingReceipt, receipt_of
from ledger.decisions import receipt
from ledger.decisions.effect import Receipt
from ledger.facts.base import Draft, Recorded
from ledger.facts.charges import ChargeAuthorized
from ledger.facts.imported import ExchangeImported
from ledger.facts.registry import REGISTRY, stored_name
from ledger.facts.tags import TRADE, tag
from ledger.facts.traffic import MtEmitted
from ledger.log.rows import Interest, Query

_EMITTED = frozenset({stored_name(MtEmitted)})
_OF_THE_EXCHANGE = frozenset({stored_name(ChargeAuthorized), stored_name(ExchangeImported)})
"""The other leg, where the operator charges both; and what another platform said of this one."""


class ChargeUnread(Learn):
    """The message appeared after its charge was looked for, so its charge was not read."""


class About(NamedTuple):
    """What a message answers, and the charge that it carries or, before it is there, may carry."""

    mo: str | None
    charge: str | None


class Report:
    """The decision on one receipt; `about` is its message, None where nobody knows it yet.

    Raises:
        UnknownGateway: the gateway was not declared in this book.
        RulesOutdated: this process decides by other rules than the book.
    """

    def __init__(
        self, desk: Desk, incoming: IncomingReceipt, arrived_at: datetime, about: About | None
    ) -> None:
        self._report: Receipt = receipt_of(desk, incoming, arrived_at)
        self._zone = desk.known(arrived_at).rules.zone
        self._book = desk.book
        self._trade = Interest((TRADE,), after=desk.catalogue.position)
        self._about = about

    @property
    def query(self) -> Query:
        """What the decision rests on."""
        query = [Interest((tag("mt", self._report.mt),)), self._trade]
        about = self._about
        if about is not None and about.charge is not None:
            query.append(Interest((tag("charge", about.charge),)))
            if about.mo is not None:
                query.append(Interest((tag("mo", about.mo),), _OF_THE_EXCHANGE))
        return tuple(query)

    def decide(self, history: list[Recorded]) -> list[Draft]:
        """Decide.

        Raises:
            ChargeUnread: the message carries another charge than was looked for.
        """
        mt = self._report.mt
        facts = (one.fact for one in history)
        known = receipt.message(facts, mt, _exchange_of(history, mt))
        charge = self._about.charge if self._about else None
        if known.emitted and known.emitted.ref.charge not in {None, charge}:
            raise ChargeUnread
        return receipt.receive(self._report, known, self._book, self._zone)


def _exchange_of(history: Iterable[Recorded], mt: str) -> str | None:
    return next(
        (
            one.exchange
            for one in history
            if isinstance(one.fact, MtEmitted) and one.fact.ref.mt == mt
        ),
        None,
    )


async def find_messages(desk: Desk, mts: Iterable[str]) -> Mapping[str, About]:
    """Find what messages are about, in one reading; that never changes once they are there."""
    query = tuple(Interest((tag("mt", mt),), _EMITTED) for mt in dict.fromkeys(mts))
    rows, _ = await desk.log.read(query)
    found = (REGISTRY.decode(row).fact for row in rows)
    refs = (fact.ref for fact in found if isinstance(fact, MtEmitted))
    return {ref.mt: About(ref.mo, ref.charge) for ref in refs}
