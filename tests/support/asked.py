"""Requests over HTTP: a right one for each route, its places altered, its answer judged.

The routes, and what may stand in a query, come from the application itself.
"""

import gzip
import json
import time
import tomllib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
from fastapi import FastAPI
from httpx2 import Response
from hypothesis import assume
from hypothesis import strategies as st

from api.answers import document
from api.imports import NDJSON
from ledger.decisions import finding
from ledger.facts.charges import ChargeCaptured
from ledger.facts.solicitations import SolicitationAllowed
from ledger.facts.traffic import MoReceived
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from ledger.words import derived_id, local_day
from tests.support.api import BOOK, GATEWAY, ORANGE, ROOT, Api
from tests.support.matrix import ROWS, SAMPLES, Endpoint
from tests.support.noise import TEXTS, altered, as_json, broken, noise
from tests.support.told import exchange_line

MOST_SECONDS = 2.0
"""Of this process's own work, whatever the machine does beside it."""
LONGEST_URL = 60_000
"""Characters; the client sends no more than a few beyond."""
PROBLEM = "application/problem+json"
KEPT = {
    *("conflicting-duplicate", "refund-not-made", "solicitation-not-allowed"),
    *("conflicting-solicitation", "subscription-ended", "renewal-not-due"),
}
"""Refusals that are facts of their own."""
REFUSED = {400, 401, 403, 404, 405, 409, 413, 422}
SHOWN = {"application/json", "text/plain", "text/csv", "application/zip", NDJSON}
SENDER = "+33612345678"
PROMISE = {"text": "Ludotel : rejouez, envoyez JEU au 81014. STOP au 81014"}


class Asked(NamedTuple):
    """One request, as bytes that a client can send."""

    method: str
    url: str
    headers: list[tuple[bytes, bytes]]
    body: bytes | None

    def send(self, api: Api) -> Response:
        """Send it, and follow no redirection: none is documented."""
        return api.client.request(
            self.method, self.url, headers=self.headers, content=self.body, follow_redirects=False
        )


class Scene(NamedTuple):
    """What there is in a book to ask for: a value for each part of a path."""

    api: Api
    parts: Mapping[str, str]
    log: PostgresLog

    @property
    def head(self) -> int:
        """The position of the last fact."""
        return self.log.head()[0]

    def right(self, one: Endpoint, **instead: str) -> Asked:
        """Ask a route for something that is there, with a key that may."""
        url = one.url(**{**self.parts, **instead})
        if url.endswith(("/mo", "/dlr")):
            url += "?" + query_of(sorted(kannel(self, one).items()))
        return Asked(one.method, url, self.headers(one), as_bytes(self.body(one)))

    def body(self, one: Endpoint) -> Any:  # noqa: ANN401 - any JSON
        """Give what is right to send to a route; none where it takes nothing."""
        if one.path.endswith("/imports"):
            return b"\n".join(map(as_json, LINES))
        body = BODIES.get(one.name, ROWS[one.name].body)
        if one.path.endswith("/audit-exports"):
            # Facts are recorded under the real clock.
            today = str(local_day(self.log.head()[1], "Europe/Paris"))
            return {**body, "first_day": today, "last_day": today}
        if one.path.endswith("{merchant}/solicitations"):
            return {**body, "mo": self.parts["mo"]}
        return body

    def headers(self, one: Endpoint) -> list[tuple[bytes, bytes]]:
        """Present a key of a role that a route is for, and say what the body is."""
        kind = NDJSON if one.path.endswith("/imports") else "application/json"
        roles = [
            role for role in ("gateway", "admin", "merchant", "finance") if role in one.declared
        ]
        key = self.api.keys[roles[0]] if roles else "x"
        return [(b"Authorization", f"Bearer {key}".encode()), (b"Content-Type", kind.encode())]


@contextmanager
def scene_of(api: Api) -> Generator[Scene]:
    """Let there be a message that was charged and delivered, a STOP, a finding, an allowance."""
    api.receipt(api.mo(), 1)
    api.mo("NIMPORTE", id="mo-2")
    api.mo("STOP", id="mo-3", **{"from": "+33612345670"})
    api.now += timedelta(minutes=1)
    asked = {"id": "s-1", "gateway": GATEWAY, "smsc": ORANGE, "sender": SENDER}
    api.post("/solicitations", asked | {"short_code": "81014", "service": "quiz"})
    sold = api.only(ChargeCaptured)
    about = finding.about_charge(sold.ref, 3_000_000, "EUR")
    opened = finding.opened(BOOK, "billed_twice", sold.ref.charge, about, api.now)
    api.record([opened])
    api.project()
    first = api.facts(MoReceived)[0].fact
    assert isinstance(first, MoReceived)
    parts = {
        "charge": sold.ref.charge,
        "consumer": first.consumer,
        "finding": opened.finding,
        "mo": first.mo,
        "solicitation": api.only(SolicitationAllowed).ref.solicitation,
        "subscription": derived_id("none"),
    }
    with connect(api.database.app_url) as connection:
        yield Scene(api, {**SAMPLES, **parts}, PostgresLog(connection, BOOK))


def catalogue() -> dict[str, Any]:
    """Give the demonstration's catalogue as it is sent over HTTP."""
    values = tomllib.loads((ROOT / "api/demo/catalogue.toml").read_text(encoding="utf-8"))
    return json.loads(json.dumps(values, default=date.isoformat))


LINES: Sequence[dict[str, Any]] = (
    exchange_line(gateway=GATEWAY, smsc=ORANGE),
    {"kind": "mo", "gateway": GATEWAY, "smsc": ORANGE, "id": "m-1", "sender": SENDER}
    | {"short_code": "81014", "text": "JEU", "sent_at": "2026-07-15T09:30:00Z"},
    {"kind": "receipt", "gateway": GATEWAY, "mt": "0" * 32, "outcome": "delivered"},
)
_STATED = {"operator_message_id": "o-1"}
BODIES: Mapping[str, Any] = {
    "POST /catalogue": catalogue(),
    "POST /messages": {**(ROWS["POST /messages"].body or {}), **_STATED}
    | {"smsc": ORANGE, "sender": SENDER, "text": "JEU x", "sent_at": "2026-07-15T09:30:00Z"},
    "POST /receipts": {**(ROWS["POST /receipts"].body or {}), **_STATED}
    | {"billed": "yes", "status": "x", "occurred_at": "2026-07-15T09:30:00Z", "part": 1},
    "POST /solicitations": {**(ROWS["POST /solicitations"].body or {})}
    | {"smsc": ORANGE, "sender": SENDER},
    "POST /solicitations/{solicitation}/message": PROMISE,
    "POST /audit-exports": {"short_code": "81014", "through_position": 9},
    "POST /test-numbers": {**(ROWS["POST /test-numbers"].body or {})}
    | {"short_code": "81014", "sender": "+33612345600"},
    "POST /merchants/{merchant}/charges/{charge}/refunds": {
        **(ROWS["POST /merchants/{merchant}/charges/{charge}/refunds"].body or {}),
        "id": "2",
    },
}
"""Bodies that say more than those of the matrix, so that there is more to alter."""

_DAYS = ("2026-07-14", "2026-07-15")
PARAMETERS: Mapping[str, Sequence[str]] = {
    "after": ("0", "9"),
    "at": ("2026-07-15T10:00:00Z", "2026-07-15T12:00:00+02:00"),
    "at_least": ("0", "1"),
    "basis": ("authorized", "earned"),
    "content": ("true", "false"),
    "cursor": ("9", "2026-07-15.9", "81014.ludotel"),
    "from": _DAYS,
    "kind": ("unattributed", "billed_twice"),
    "known_on": _DAYS,
    "limit": ("1", "100"),
    "line": ("earned", "pending"),
    "month": ("2026-07",),
    "operator": ("20801",),
    "service": ("quiz",),
    "short_code": ("81014",),
    "state": ("captured", "open", "due", "live"),
    "to": _DAYS,
    "value_day": _DAYS,
    "wait": ("0",),
}
"""What may stand in a query, by name."""
HEADERS: Mapping[bytes, Sequence[bytes]] = {
    b"Obole-At-Least": (b"0", b"1"),
    b"Idempotency-Key": (b"k-1",),
    b"Content-Encoding": (b"gzip", b"identity", b"br"),
    b"Content-Type": (b"application/json", NDJSON.encode(), b"text/plain", b"multipart/form-data"),
    b"Content-Length": (b"2",),
    b"Host": (b"testserver", b"[", b"[::1", b"a b", b":x"),
    b"Accept": (b"text/csv",),
    b"X-Forwarded-Proto": (b"https",),
}
CHARSETS = ("UTF-8", "UTF-16BE", "UCS-2", "WINDOWS-1252", "ISO-8859-1", "ISO-8859-15", "utf-7")


def kannel(scene: Scene, one: Endpoint) -> dict[str, str | bytes]:
    """Give what Kannel sends to one of its two routes."""
    shared = {"key": scene.api.keys["gateway"], "smsc": ORANGE, "meta": ""}
    if one.path.endswith("/mo"):
        told = {"id": "mo-9", "from": SENDER, "to": "81014", "text": "JEU x"}
        return shared | told | {"ts": "1784109600", "charset": "UTF-8", "binfo": ""}
    told = {"mt": "0" * 32, "type": "1", "at": "1784109600", "fid": "f-1", "sid": "k-1"}
    return shared | told | {"answer": "stat:DELIVRD err:000"}


def parameters(app: FastAPI, one: Endpoint) -> list[str]:
    """Name what a route documents for its query."""
    operations = document(app)["paths"].get(one.path, {})
    told = operations.get(one.method.lower(), {}).get("parameters", [])
    return sorted(each["name"] for each in told if each["in"] == "query")


def as_bytes(body: Any) -> bytes | None:  # noqa: ANN401 - any JSON
    """Write a body."""
    return body if body is None or isinstance(body, bytes) else as_json(body)


def quoted(value: object) -> str:
    """Write anything for an address: bytes as they are, a lone surrogate as a broken UTF-8."""
    if isinstance(value, bytes):
        return quote(value, safe="")
    text = value if isinstance(value, str) else json.dumps(value)
    return quote(text, safe="", errors="surrogatepass")


def query_of(pairs: Sequence[Sequence[object]]) -> str:
    """Write a query; what is no pair stands there as it is."""
    return "&".join("=".join(quoted(part) for part in pair) for pair in pairs)


# --- What is made of a right request ---

NEARLY = (
    *("2026-02-30", "0001-01-01", "9999-12-31", "0000-01-01", "2026-W01-1", "20260715"),
    *("0000-01", "0001-01", "9999-12", "2026-13", "2026-00", "2026-7", "2026-07-1"),
    *("2026-02-30.1", "0000-00-00.0", "9999-12-31.9999999999999999999", "0001-01-01.0"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-07-15T24:00:00Z"),
    *("2026-07-15T09:30:60Z", "2026-07-15T09:30:00+24:00", "2026-07-15T09:30:00.1234567Z"),
    *("9223372036854775807", "9223372036854775808", "-1", "0", "007", "0x10", "1.0", "1e3"),
    *("0.01", "0.000001", "9999999.999999", "0.0000001", "-0.01", "1.", ".5", "00.10"),
    *("000", "00000000", "81014.", ".ludotel", "81014.ludotel.x", "999999999_" + "0" * 32),
    *("F" * 32, "0" * 31, "0" * 33, "0_" + "0" * 32, "x" * 64, "x" * 65, "x" * 128, "x" * 129),
    *("+33612345678\n", "JEU\0", "a\r\nb", "\ufffe", "x" * 10_000, "x" * 10_001, "é" * 10_000),
)
"""What has the form of something right, and is none, or the last that is."""


def near(right: str) -> st.SearchStrategy[str]:
    """Draw a text as it is, one with a place broken, or what nearly is of some form."""
    changed = broken(st.just(right.encode()), most=2).map(lambda raw: raw.decode("latin-1"))
    return st.just(right) | st.sampled_from(NEARLY) | changed


@st.composite
def slightly(draw: st.DrawFn, right: Any) -> Any:  # noqa: ANN401 - any JSON
    """Draw a value in which at most one text is nearly right."""
    if isinstance(right, str):
        return draw(near(right))
    if not isinstance(right, dict | list) or not right:
        return right
    places = range(len(right)) if isinstance(right, list) else sorted(right)
    place = draw(st.sampled_from(places))
    changed = right.copy()
    changed[place] = draw(slightly(right[place]))
    return changed


@st.composite
def requests(draw: st.DrawFn, scene: Scene, one: Endpoint) -> Asked:
    """Draw a request that differs from a right one in some of its parts."""
    ways = draw(st.sets(st.sampled_from(["path", "query", "headers", "body"]), max_size=3))
    right = scene.right(one)
    parts = draw(_parts(one, scene)) if "path" in ways else scene.parts
    url, _, asked = scene.right(one, **parts).url.partition("?")
    if "query" in ways:
        asked = query_of(draw(queries(scene, one)))
    headers = draw(_headers(right.headers)) if "headers" in ways else right.headers
    body = draw(_bodies(scene, one)) if "body" in ways else right.body
    url += f"?{asked}" if asked else ""
    assume(len(url) < LONGEST_URL)
    return Asked(one.method, url, headers, body)


@st.composite
def _parts(draw: st.DrawFn, one: Endpoint, scene: Scene) -> dict[str, str]:
    names = [name for name in SAMPLES if "{" + name + "}" in one.path]
    changed = draw(st.sets(st.sampled_from(names), min_size=1)) if names else set()
    return {
        **scene.parts,
        **{name: quoted(draw(near(scene.parts[name]) | TEXTS)) for name in sorted(changed)},
    }


@st.composite
def queries(draw: st.DrawFn, scene: Scene, one: Endpoint) -> list[list[object]]:
    """Draw a query: what is documented, some of it missing, doubled, or something else."""
    if "/kannel/" in one.path:
        known = kannel(scene, one)
        right = [[name, known[name]] for name in sorted(known)]
    else:
        names = draw(st.sets(st.sampled_from(parameters(scene.api.client.app, one) or ["x"])))
        right = [
            [name, draw(st.sampled_from(PARAMETERS.get(name, "x")).flatmap(near))]
            for name in sorted(names)
        ]
    found = draw(altered(st.just(right)))
    pairs = found if isinstance(found, list) else [[found]]
    return [pair if isinstance(pair, list) else [pair] for pair in pairs]


@st.composite
def _headers(draw: st.DrawFn, right: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    kept = draw(st.lists(st.sampled_from(right), max_size=3))
    for name in draw(st.lists(st.sampled_from(sorted(HEADERS)), max_size=3)):
        anything = TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
        value = draw(st.sampled_from(HEADERS[name]) | anything | st.binary(max_size=20))
        # No server lets these through.
        kept.append((name, value.translate(None, b"\r\n\0").strip()))
    return kept


def _bodies(scene: Scene, one: Endpoint) -> st.SearchStrategy[bytes]:
    if one.path.endswith("/imports"):
        lines = st.lists(altered(st.sampled_from(LINES).flatmap(slightly)).map(as_json), max_size=3)
        right = lines.map(b"\n".join)
    else:
        right = altered(slightly(scene.body(one))).map(as_json)
    packed = right.map(gzip.compress)
    return right | right | right | noise(right) | noise(packed) | packed | st.sampled_from(WORST)


WORST = (
    *(b"", b"\0", b"\xff", b"\xef\xbb\xbf{}", b"null", b"[]", b'""', b"0", b"NaN", b"-", b"{}{}"),
    *(b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5_000, b'{"id":' + b"9" * 5_000 + b"}"),
    *(b"1e400", b'{"id":1e999}', b'{"id":"1","id":"2"}', b'{"id":"\\ud800"}', b'{"\\ud800":1}'),
    *(b'{"id":"\\u0000"}', b'{"text":"' + b"a" * 200_000 + b'"}', b" " * (1 << 18) + b"{}"),
)
"""Bodies that parsers break or stall at."""


# --- What an answer must be ---


def checked(scene: Scene, asked: Asked, most: float = MOST_SECONDS) -> Response:
    """Send a request, and judge all that is promised of any answer."""
    before, began = scene.head, time.process_time()
    answer = asked.send(scene.api)
    if asked.method == "HEAD":
        # Nothing but the headers of what the same address would show.
        assert not answer.content
        answer = asked._replace(method="GET").send(scene.api)
    spent = time.process_time() - began
    assert spent < most, f"took {spent:.1f} s"
    if answer.status_code == 200:
        _check_shown(answer)
    else:
        problem = _problem(answer)
        name = problem["type"].removeprefix("/problems/")
        assert name in KEPT or scene.head == before, f"{name} left something"
    return answer


def _check_shown(answer: Response) -> None:
    kind = answer.headers["Content-Type"].partition(";")[0]
    assert kind in SHOWN, kind
    if kind == "application/json":
        msgspec.json.decode(answer.content)
    if kind == NDJSON:
        told = [msgspec.json.decode(line) for line in answer.content.splitlines()]
        assert all(one["status"] != "rejected" or one["reason"] for one in told)


def _problem(answer: Response) -> dict[str, Any]:
    told = f"{answer.status_code}: {answer.text[:500]}"
    assert answer.status_code in REFUSED or answer.status_code == 503, told
    assert answer.headers["Content-Type"] == PROBLEM, told
    problem: dict[str, Any] = msgspec.json.decode(answer.content)
    assert problem["status"] == answer.status_code
    assert problem["type"]
    assert problem["title"]
    if problem["type"] == "/problems/invalid" or answer.status_code == 400:
        assert problem["errors"], told
        assert all(one["field"] and one["message"] for one in problem["errors"]), told
    if answer.status_code == 503:
        # Only what is documented says when to come again.
        assert int(answer.headers.get("Retry-After", 0)) > 0, told
    return problem
