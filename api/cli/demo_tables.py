"""The demonstration's report as tables, for a person."""

from collections.abc import Iterable, Iterator
from typing import Any, cast

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from api.cli.demo_documents import show_documents
from api.cli.show import console, print_table, table
from api.demo.play import DAYS_LATER
from api.demo.report import BookReport, Report
from api.demo.traffic import OPERATORS
from api.demo.traffic_be import OPERATORS_BE
from ledger.money import MICROS_PER_UNIT
from projections.merchant_accounts.read import MerchantTotal, Money

_LINKS = {operator: link for link, operator in (*OPERATORS.items(), *OPERATORS_BE.items())}
NOT_RECORDED = "not recorded"
"""What stands where facts would be needed that this ledger does not have yet: never a 0."""


def show_report(report: Report) -> None:
    """Print everything, the verdict last."""
    out = console()
    _introduce(out, report)
    french, belgian = report.books
    print_table(_settings(report), out)
    _show_french(out, french)
    _show_belgian(out, belgian)
    if report.documents is not None:
        show_documents(out, report.documents)
    _verdict(out, report)


def _introduce(out: Console, report: Report) -> None:
    """Say what it is, and first of all what is not real about it."""
    why = f"\n         instead of Kannel: {report.fallback}" if report.fallback else ""
    out.print(Text(f"Gateway: {report.gateway}{why}"), soft_wrap=True)
    out.print(
        Text(
            "Books:   fr and be, a demonstration. Merchants, numbers and contracts are fictional, "
            "above all\n         the shares: no operator's real terms are known to this project.\n"
        ),
        soft_wrap=True,
    )


def _settings(report: Report) -> Table:
    """Show what had to be set, and that it was."""
    names = list(dict.fromkeys(name for one in report.books for name in one.settings))
    rows = [
        (name.replace("_", " "), *(_setting(one.settings.get(name)) for one in report.books))
        for name in names
    ]
    title = "Set by settings/fr.toml and settings/be.toml: no pack knows these, none has a default"
    return table(title, ("=setting", *(one.book for one in report.books)), rows)


def _setting(value: Any) -> str:  # noqa: ANN401 - a setting of any type
    """Write a setting in words; of what captures, what each leg waits for."""
    match value:
        case None:
            return "no subscriptions here"
        case []:
            return "none"
        case list():
            each = cast("list[dict[str, str]]", value)
            return _words(sorted({f"{one['leg']}: {one['on']}" for one in each}))
        case dict():
            terms = cast("dict[str, int]", value)
            return _words(f"{name} {found}" for name, found in terms.items())
        case _:
            return str(value)


def _words(parts: Iterable[str]) -> str:
    return ", ".join(parts).replace("_", " ")


def _show_french(out: Console, one: BookReport) -> None:
    _title(out, "France (book fr): aliases, charged on the answer, no subscriptions")
    for part in (_facts(one), _balances(one), _merchants(one)):
        print_table(part, out)
    _note(
        out,
        f"Unresolved lies within pending: nobody said in time what became of these charges. The "
        f"worker alone was told that {DAYS_LATER} days had passed; {one.unresolved} charges "
        f"became unresolved, and late receipts then settled some of them. Declared, collected and "
        f"payable need facts that this ledger does not record yet.",
    )
    print_table(_story(one, "One consumer's story"), out)
    where = ", ".join(map(str, one.disclosed))
    _note(
        out,
        f"These texts are personal: sealed in the book, opened here for a regulator's key, and "
        f"that they were shown is a fact of its own, at position {where}.",
    )
    print_table(_events(one), out)
    print_table(_refused(one), out)


def _show_belgian(out: Console, one: BookReport) -> None:
    _title(out, "Belgium (book be): numbers, charged on message and answer, subscriptions")
    for part in (_facts(one), _balances(one), _merchants(one)):
        print_table(part, out)
    print_table(_story(one, "One subscription's story"), out)
    _note(
        out,
        "The clock of the whole ledger was set a month ahead for the renewal: the worker found it "
        "due, charged it, and pushed its message to the gateway. What Astravox has pending waits "
        "for a receipt that says whether it was billed, as the settings ask of that operator.",
    )
    print_table(_events(one), out)


def _title(out: Console, text: str) -> None:
    out.rule(Text(text, style="bold"), align="left")
    out.print()


def _facts(one: BookReport) -> Table:
    """Lay types out in two columns: the list is long."""
    facts = list(one.facts.items())
    half = (len(facts) + 1) // 2
    rows = [
        (*left, *right)
        for left, right in zip(
            facts[:half], [*facts[half:], *[("", "")] * (2 * half - len(facts))], strict=True
        )
    ]
    title = f"Facts by type, {one.head} in all"
    return table(title, ("=fact", "#count", "=fact", "#count"), rows)


def _balances(report: BookReport) -> Table:
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


STATES = ("pending", "unresolved", "released", "earned", "refunded")
LATER = ("declared", "collected", "payable")
"""States that need facts which this ledger does not record yet; they share a column."""


def _merchants(report: BookReport) -> Table:
    columns = ("=merchant", *(f"#{state}" for state in STATES), ", ".join(LATER))
    rows = [(one.merchant, *_cells(one)) for one in report.merchants]
    return table("Merchants: charges in each state, and the merchant's share", columns, rows)


def _cells(one: MerchantTotal) -> Iterator[str]:
    for state in STATES:
        yield _cell(getattr(one.position, state))
    later = dict.fromkeys(_cell(getattr(one.position, state)) for state in LATER)
    yield ", ".join(later)


def _cell(found: Money | None) -> str:
    return NOT_RECORDED if found is None else f"{found.charges}\n{_exact(found.micros)}"


def _story(report: BookReport, what: str) -> Table:
    rows = [
        (
            one.position,
            f"{one.at:%H:%M:%S}",
            f"{one.at:%Y-%m-%d}",
            one.type.partition(".")[0],
            _detail(one.detail, one.text),
        )
        for one in report.story
    ]
    columns = ("#position", "=time", "=day", "=fact", "what it says")
    return table(f"{what} (times of {report.zone})", columns, rows)


def _exact(micros: int) -> str:
    """Write an amount to the micro, so that a column lines up."""
    units, rest = divmod(abs(micros), MICROS_PER_UNIT)
    return f"{'-' if micros < 0 else ''}{units}.{rest:06d}"


def _detail(detail: str, text: str | None) -> str:
    return detail if text is None else f"{detail}: “{text}”"


def _events(report: BookReport) -> Table:
    title = "Allowed, refused, told, found, given back"
    return table(title, ("what", "what came of it"), report.events)


def _refused(report: BookReport) -> Table:
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
