"""The demonstration's report: as tables for a person, and as JSON for a program."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from api.cli.show import console, money, table
from api.demo.play import DAYS_LATER
from api.demo.report import Report
from api.demo.traffic import OPERATORS
from ledger.money import MICROS_PER_UNIT
from projections.merchant_accounts.read import MerchantTotal, Money

_LINKS = {operator: link for link, operator in OPERATORS.items()}
NOT_RECORDED = "not recorded"
"""What stands where facts would be needed that this ledger does not have yet: never a 0."""


def show_report(report: Report) -> None:
    """Print everything, the verdict last."""
    out = console()
    _introduce(out, report)
    for part in (_facts(report), _balances(report), _merchants(report)):
        out.print(part)
    _note(
        out,
        f"Unresolved lies within pending: nobody said in time what became of these charges. The "
        f"worker alone was told that {DAYS_LATER} days had passed; {report.unresolved} charges "
        f"became unresolved, and late receipts then settled some of them. Declared, collected and "
        f"payable need facts that this ledger does not record yet.",
    )
    out.print(_story(report))
    where = ", ".join(map(str, report.disclosed))
    _note(
        out,
        f"These texts are personal: sealed in the book, opened here for a regulator's key, and "
        f"that they were shown is a fact of its own, at position {where}.",
    )
    out.print(_refused(report))
    _verdict(out, report)


def _introduce(out: Console, report: Report) -> None:
    """Say what it is, and first of all what is not real about it."""
    why = f"\n         instead of Kannel: {report.fallback}" if report.fallback else ""
    out.print(Text(f"Gateway: {report.gateway}{why}"), soft_wrap=True)
    out.print(
        Text(
            "Book:    fr, a demonstration. Its merchants, numbers and contracts are fictional, "
            "above all the shares:\n         no operator's real terms are known to this project.\n"
        ),
        soft_wrap=True,
    )


def _facts(report: Report) -> Table:
    """Lay types out in two columns: the list is long."""
    facts = list(report.facts.items())
    half = (len(facts) + 1) // 2
    rows = [
        (*left, *right)
        for left, right in zip(
            facts[:half], [*facts[half:], *[("", "")] * (2 * half - len(facts))], strict=True
        )
    ]
    title = f"Facts by type, {report.head} in all"
    return table(title, ("=fact", "#count", "=fact", "#count"), rows)


def _balances(report: Report) -> Table:
    rows = [
        (
            one.account.replace("_", " "),
            f"{one.party} ({_LINKS[one.party]})" if one.party in _LINKS else one.party,
            _exact(one.debit),
            _exact(one.credit),
            f"{_exact(one.balance)} {one.currency}",
        )
        for one in report.accounts
    ]
    columns = ("account", "party", "#debit", "#credit", "#balance")
    laid_out = table("Balances: what operators owe us, and what we owe, net of tax", columns, rows)
    laid_out.add_section()
    for one in report.trial:
        sums = (_exact(one.debit), _exact(one.credit))
        balance = f"{_exact(one.balance)} {one.currency}"
        laid_out.add_row("trial balance", "", *sums, balance, style="bold")
    return laid_out


_STATES = ("pending", "unresolved", "released", "earned")
_LATER = ("declared", "collected", "payable")
"""States that need facts which this ledger does not record yet; they share a column."""


def _merchants(report: Report) -> Table:
    columns = ("=merchant", *(f"#{state}" for state in _STATES), ", ".join(_LATER))
    rows = [(one.merchant, *_cells(one)) for one in report.merchants]
    return table("Merchants: charges in each state, and the merchant's share", columns, rows)


def _cells(one: MerchantTotal) -> Iterator[str]:
    for state in _STATES:
        yield _cell(getattr(one.position, state))
    later = dict.fromkeys(_cell(getattr(one.position, state)) for state in _LATER)
    yield ", ".join(later)


def _cell(found: Money | None) -> str:
    return NOT_RECORDED if found is None else f"{found.charges}\n{_exact(found.micros)}"


def _story(report: Report) -> Table:
    rows = [
        (
            one.position,
            f"{one.at:%H:%M:%S}",
            one.type.partition(".")[0],
            _detail(one.detail, one.text),
        )
        for one in report.story
    ]
    day = f"{report.story[0].at:%Y-%m-%d}, times of {report.story[0].at.tzinfo}"
    title = f"One consumer's story ({day})"
    return table(title, ("#position", "time", "fact", "what it says"), rows)


def _exact(micros: int) -> str:
    """Write an amount to the micro, so that a column lines up."""
    units, rest = divmod(abs(micros), MICROS_PER_UNIT)
    return f"{'-' if micros < 0 else ''}{units}.{rest:06d}"


def _detail(detail: str, text: str | None) -> str:
    return detail if text is None else f"{detail}: “{text}”"


def _refused(report: Report) -> Table:
    rows = [
        (one.what, one.followed, len(one.messages), ", ".join(one.messages))
        for one in report.refused
    ]
    columns = ("what, and why", "what followed", "#count", "messages of the script")
    return table("Refused, or not charged", columns, rows)


def _verdict(out: Console, report: Report) -> None:
    for check in report.checks:
        mark = "ok     " if check.ok else "WRONG  "
        out.print(Text(f"{mark}{check.name}: {check.detail}"), soft_wrap=True)
    if not report.ok:
        out.print(Text("\nThis demonstration failed: see what is WRONG above.", style="bold"))


def _note(out: Console, text: str) -> None:
    out.print(Padding(Text(text, style="dim"), (0, 2, 1, 2), expand=False))


def report_json(report: Report, seconds: float) -> dict[str, Any]:
    """Write the report for a program."""
    return {
        "ok": report.ok,
        "seconds": round(seconds, 1),
        "gateway": {"name": report.gateway, "fallback": report.fallback},
        "fictional": True,
        "head": report.head,
        "facts": report.facts,
        "trial_balance": [_sides(one.debit, one.credit, one.currency) for one in report.trial],
        "balances": [
            {"account": one.account, "party": one.party or None}
            | _sides(one.debit, one.credit, one.currency)
            for one in report.accounts
        ],
        "merchants": [_merchant_json(one) for one in report.merchants],
        "story": [one._asdict() for one in report.story],
        "disclosed_at": report.disclosed,
        "refused": [one._asdict() for one in report.refused],
        "played": report.account._asdict(),
        "unresolved_after_days": {"days": DAYS_LATER, "charges": report.unresolved},
        "checks": [check._asdict() for check in report.checks],
    }


def _sides(debit: int, credit: int, currency: str) -> dict[str, Any]:
    sides = {"debit": debit, "credit": credit, "balance": debit - credit}
    return {side: money(micros, currency) for side, micros in sides.items()}


def _merchant_json(one: MerchantTotal) -> dict[str, Any]:
    states: dict[str, Any] = {}
    for state in (*_STATES, *_LATER):
        found: Money | None = getattr(one.position, state)
        states[state] = found and {
            "charges": found.charges,
            "share": money(found.micros, one.currency),
        }
    not_recorded = [state for state in _LATER if states[state] is None]
    return {"merchant": one.merchant, **states, "not_recorded": not_recorded}
