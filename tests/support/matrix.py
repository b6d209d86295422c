"""The routes of the real application, whom each says that it is for, and a request for each.

What a route says is what it declares beside itself, by `Allow`; which kind of callers that is,
and what may be sent to it, stands here, a line a route. One that has no line fails by its name.
"""

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple, get_type_hints

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from httpx2 import Response

from api.access import Allow
from tests.support.api import BOOK, GATEWAY, MERCHANT, Api

BELOW = "/v1/books/{book}"
NOTHING = "0" * 32
"""The id of nothing at all."""

KINDS: Mapping[str, frozenset[str]] = {
    "anybody": frozenset(),
    "gateways": frozenset({"gateway"}),
    "gateways and office": frozenset({"gateway", "finance", "admin"}),
    "importers": frozenset({"gateway", "admin"}),
    "sellers": frozenset({"merchant"}),
    "sellers and admin": frozenset({"merchant", "admin"}),
    "sellers and office": frozenset({"merchant", "finance", "admin"}),
    "sellers and supervisors": frozenset({"merchant", "regulator", "admin"}),
    "sellers and auditors": frozenset({"merchant", "finance", "regulator", "admin"}),
    "auditors": frozenset({"finance", "regulator", "admin"}),
    "supervisors": frozenset({"regulator", "admin"}),
    "office": frozenset({"finance", "admin"}),
    "admin": frozenset({"admin"}),
}
"""Kinds of callers, by their roles; where it is anybody, no key is asked for."""

SAMPLES: Mapping[str, str] = {
    "book": BOOK,
    "charge": NOTHING,
    "consumer": f"1_{NOTHING}",
    "finding": NOTHING,
    "gateway": GATEWAY,
    "merchant": MERCHANT,
    "mo": NOTHING,
    "month": "2026-07",
    "name": "invalid",
    "service": "quiz",
    "solicitation": NOTHING,
    "subscription": NOTHING,
}
"""What stands for each part of a path."""


class Row(NamedTuple):
    """Whom a route is for, and what may be sent to it."""

    kind: str
    body: Mapping[str, Any] | None = None
    query: str = ""


class Endpoint(NamedTuple):
    """A method of a route, as the application serves it."""

    method: str
    path: str
    declared: frozenset[str]
    """The roles that the route itself names; empty where it asks for no key."""

    @property
    def name(self) -> str:
        """Its name in the table, such as `GET /facts`."""
        return f"{self.method} {self.path.removeprefix(BELOW)}"

    def url(self, **instead: str) -> str:
        """Fill the path, and what its query must hold."""
        return self.path.format(**{**SAMPLES, **instead}) + ROWS[self.name].query


_DAYS = "?from=2026-07-01&to=2026-07-31"
_ASKED = {"id": "1", "gateway": GATEWAY, "smsc": "x", "sender": "1", "short_code": "81014"}
_WHY = {"reason": "x"}

ROWS: Mapping[str, Row] = {
    "GET /livez": Row("anybody"),
    "GET /readyz": Row("anybody"),
    "GET /openapi.json": Row("anybody"),
    "HEAD /openapi.json": Row("anybody"),
    "GET /problems/{name}": Row("anybody"),
    "HEAD /problems/{name}": Row("anybody"),
    # What gateways hand over and ask.
    "GET /kannel/{gateway}/mo": Row("gateways"),
    "GET /kannel/{gateway}/dlr": Row("gateways"),
    "POST /messages": Row("gateways", _ASKED | {"text": ""}),
    "POST /receipts": Row("gateways", {"gateway": GATEWAY, "mt": NOTHING, "outcome": "delivered"}),
    "POST /imports": Row("importers"),
    "POST /solicitations": Row("gateways", _ASKED | {"service": "quiz"}),
    "POST /solicitations/{solicitation}/message": Row("gateways", {"text": "x"}),
    "GET /outbox": Row("gateways and office"),
    # A merchant's own.
    "GET /merchants/{merchant}/statements/{month}": Row("sellers and auditors"),
    "GET /merchants/{merchant}/statements/{month}.csv": Row("sellers and auditors"),
    "GET /merchants/{merchant}/charges": Row("sellers and auditors"),
    "GET /merchants/{merchant}/catalogue": Row("sellers and auditors"),
    "GET /merchants/{merchant}/subscriptions": Row("sellers and auditors"),
    "GET /merchants/{merchant}/payouts/{month}": Row("sellers and office"),
    "GET /merchants/{merchant}/payouts/{month}/facts": Row(
        "sellers and office", query="?line=earned"
    ),
    "GET /merchants/{merchant}/rates": Row("sellers and office", query=_DAYS),
    "GET /merchants/{merchant}/counters": Row("sellers and supervisors"),
    "POST /merchants/{merchant}/solicitations": Row(
        "sellers", {"id": "1", "mo": NOTHING, "service": "quiz"}
    ),
    "POST /merchants/{merchant}/solicitations/{solicitation}/message": Row(
        "sellers", {"text": "x"}
    ),
    "POST /merchants/{merchant}/charges/{charge}/refunds": Row(
        "sellers",
        {
            "id": "1",
            "channel": "voucher",
            "amount": {"amount": "0.01", "currency": "EUR"},
            "reason": "x",
        },
    ),
    "POST /merchants/{merchant}/subscriptions/{subscription}/stop": Row("sellers and admin", _WHY),
    # Of all merchants.
    "GET /payouts/{month}": Row("office"),
    "GET /expected/{month}": Row("office"),
    "GET /rates": Row("office", query=_DAYS),
    "GET /balances": Row("auditors"),
    "GET /trial-balance": Row("auditors"),
    "GET /findings": Row("auditors"),
    "GET /findings/kinds": Row("auditors"),
    "GET /findings/{finding}": Row("auditors"),
    "POST /findings/{finding}/close": Row("office", {"how": "no_fault", "note": "x"}),
    "POST /charges/{charge}/refunds": Row(
        "office", {"id": "1", "by": "operator", "channel": "bill", "reason": "x"}
    ),
    "POST /charges/{charge}/write-offs": Row(
        "office", {"id": "1", "reason": "unpaid", "note": "x"}
    ),
    "GET /subscriptions/{subscription}": Row("auditors"),
    "POST /subscriptions/{subscription}/stop": Row("supervisors", _WHY),
    "POST /subscriptions/{subscription}/renewals": Row("office", {"request": "x"}),
    # Of consumers, and of everything.
    "GET /exchanges/{mo}": Row("auditors"),
    "GET /consumers/{consumer}/trail": Row("auditors"),
    "GET /consumers/{consumer}/opt-outs": Row("auditors"),
    "GET /consumers/{consumer}/counters": Row("supervisors"),
    "GET /opt-outs": Row("auditors"),
    "GET /opt-outs/months": Row("auditors"),
    "GET /facts": Row("auditors"),
    "POST /audit-exports": Row(
        "supervisors", {"first_day": "2000-01-01", "last_day": "2000-01-01"}
    ),
    # What is sold.
    "GET /catalogue": Row("auditors"),
    "POST /catalogue": Row("admin", {"book": "other", "effective_from": "2026-01-01"}),
    "POST /services/{service}/suspension": Row("supervisors", _WHY),
    "POST /services/{service}/resumption": Row("admin"),
    "POST /test-numbers": Row(
        "admin", {"operator": "20801", "short_code": "1", "sender": "1", "label": "x"}
    ),
    "DELETE /test-numbers/{consumer}": Row("admin"),
}
"""Every method of every route. Where no body is sent, none is wanted, or it is not JSON."""


def endpoints(app: FastAPI) -> list[Endpoint]:
    """Give every method of every route that an application serves, from its own route table."""
    return [
        Endpoint(method, context.path or "", _declared(context))
        for context in iter_route_contexts(app.routes)
        for method in sorted(context.methods or {"*"})
    ]


def guarded(app: FastAPI) -> list[Endpoint]:
    """Give those below a book."""
    return [one for one in endpoints(app) if one.path.startswith(BELOW)]


def send(
    api: Api, one: Endpoint, headers: Mapping[str, str], body: object = None, **instead: str
) -> Response:
    """Ask a route for what its row says, with other parts of its path or another body."""
    wanted = ROWS[one.name].body if body is None else body
    return api.client.request(one.method, one.url(**instead), headers=headers, json=wanted)


def _declared(context: RouteContext) -> frozenset[str]:
    """Find the roles that a route names by `Allow`, whether it stands beside it or around it."""
    endpoint = inspect.unwrap(context.endpoint)
    hints = get_type_hints(endpoint, include_extras=True).values()
    beside = (marked for hint in hints for marked in getattr(hint, "__metadata__", ()))
    around = inspect.getclosurevars(endpoint).nonlocals.values()
    named = [*(getattr(one, "dependency", None) for one in beside), *around]
    guards = [one for one in named if isinstance(one, Allow)]
    assert len(guards) <= 1, f"{context.path} is guarded {len(guards)} times"
    return guards[0].roles if guards else frozenset()
