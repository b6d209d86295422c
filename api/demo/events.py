"""What else happened in a book, in a line each: allowed, refused, told, given back, found."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ledger.facts.base import Fact, Recorded
from ledger.facts.charges import ChargeRefunded, ChargeRefused
from ledger.facts.findings import FindingClosed, FindingOpened
from ledger.facts.notices import NoticeSent
from ledger.facts.solicitations import SolicitationAllowed, SolicitationRefused
from ledger.money import micros_text


class Event(NamedTuple):
    """What happened, and what came of it."""

    what: str
    detail: str


def events(facts: Iterable[Recorded]) -> list[Event]:
    """Gather them by kind, and within one in the order of their words.

    Not in that of positions: several links play at once, so it differs from run to run.
    """
    told = [one.fact for one in facts]
    lines = [
        line
        for kind, tell in _TELL.items()
        for line in sorted(tell(fact) for fact in told if type(fact) is kind)
    ]
    return list(dict.fromkeys(_counted(lines)))


def _counted(lines: list[Event]) -> Iterable[Event]:
    """Tell alike ones in one line."""
    for line in lines:
        number = lines.count(line)
        yield line._replace(what=f"{line.what} ({number} times)") if number > 1 else line


def _allowed(fact: SolicitationAllowed) -> Event:
    detail = f"{fact.ref.service}: {fact.count} of {fact.limit} without a return"
    return Event("solicitation allowed", f"{detail}, in the hours of {fact.charter}")


def _solicitation_refused(fact: SolicitationRefused) -> Event:
    detail = f"{fact.ref.service}: {fact.rule.replace('_', ' ')}, {fact.count} of {fact.limit}"
    return Event("solicitation refused", detail)


def _notice(fact: NoticeSent) -> Event:
    return Event("notice sent, free", f"{fact.ref.service}: {fact.ref.name}")


def _charge_refused(fact: ChargeRefused) -> Event:
    detail = f"{fact.rule.replace('_', ' ')}: {micros_text(fact.amount)} {fact.currency}"
    if fact.cap is not None and fact.spent is not None and fact.limit is not None:
        detail += f" asked, {micros_text(fact.spent)} of {micros_text(fact.limit)} spent"
        detail += f" ({fact.cap})"
    return Event("charge refused", detail)


def _refunded(fact: ChargeRefunded) -> Event:
    by = f"by the {fact.by}, {fact.channel}, borne by {fact.borne_by.replace('_', ' ')}"
    return Event(f"given back: {micros_text(fact.price)} {fact.currency}", by)


def _opened(fact: FindingOpened) -> Event:
    amount = f", {micros_text(fact.amount)} {fact.currency}" if fact.amount is not None else ""
    return Event("finding opened", f"{fact.kind.replace('_', ' ')} on {fact.short_code}{amount}")


def _closed(fact: FindingClosed) -> Event:
    return Event("finding closed", f"{fact.kind.replace('_', ' ')}: {fact.how}")


_TELL: Mapping[type[Fact], Callable[[Any], Event]] = {
    SolicitationAllowed: _allowed,
    SolicitationRefused: _solicitation_refused,
    NoticeSent: _notice,
    ChargeRefused: _charge_refused,
    FindingOpened: _opened,
    FindingClosed: _closed,
    ChargeRefunded: _refunded,
}
