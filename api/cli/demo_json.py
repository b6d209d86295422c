"""The demonstration's report for a program: everything, as one value."""

from typing import Any

from api.cli.demo_tables import LATER, STATES
from api.cli.show import money
from api.demo.documents import Documents
from api.demo.play import DAYS_LATER
from api.demo.report import BookReport, Report
from projections.merchant_accounts.read import MerchantTotal, Money


def report_json(report: Report, seconds: float) -> dict[str, Any]:
    """Write the report for a program."""
    return {
        "ok": report.ok,
        "seconds": round(seconds, 1),
        "gateway": {"name": report.gateway, "fallback": report.fallback},
        "fictional": True,
        "books": {one.book: _book_json(one) for one in report.books},
        "documents": report.documents and _documents_json(report.documents),
        "checks": [check._asdict() for check in report.checks],
    }


def _book_json(one: BookReport) -> dict[str, Any]:
    return {
        "settings": one.settings,
        "head": one.head,
        "facts": one.facts,
        "trial_balance": [_sides(each.debit, each.credit, each.currency) for each in one.trial],
        "balances": [
            {"account": each.account, "party": each.party or None}
            | _sides(each.debit, each.credit, each.currency)
            for each in one.accounts
        ],
        "merchants": [_merchant_json(each) for each in one.merchants],
        "story": [each._asdict() for each in one.story],
        "disclosed_at": one.disclosed,
        "events": [each._asdict() for each in one.events],
        "refused": [each._asdict() for each in one.refused],
        "played": one.account._asdict(),
        "unresolved_after_days": {"days": DAYS_LATER, "charges": one.unresolved},
    }


def _sides(debit: int, credit: int, currency: str) -> dict[str, Any]:
    sides = {"debit": debit, "credit": credit, "balance": debit - credit}
    return {side: money(micros, currency) for side, micros in sides.items()}


def _merchant_json(one: MerchantTotal) -> dict[str, Any]:
    states: dict[str, Any] = {}
    for state in (*STATES, *LATER):
        found: Money | None = getattr(one.position, state)
        states[state] = found and {
            "charges": found.charges,
            "share": money(found.micros, one.currency),
        }
    not_recorded = [state for state in LATER if states[state] is None]
    return {"merchant": one.merchant, **states, "not_recorded": not_recorded}


def _documents_json(documents: Documents) -> dict[str, Any]:
    return {
        "folder": str(documents.folder.absolute()),
        "books": {
            one.book: {
                "merchant": one.merchant,
                "payouts": one.payouts,
                "statement": one.statement,
                "export": one.verified._asdict(),
            }
            for one in documents.books
        },
    }
