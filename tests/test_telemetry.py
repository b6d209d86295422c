"""What a process tells of itself: figures that account for everything, and nothing of anybody."""

import json
import logging
import re
import signal
import threading
from collections.abc import Generator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest

from api.cli.logs import JsonLines
from api.telemetry.exposing import AddressInvalid, exposed, registry
from api.telemetry.routes import UNKNOWN, route_of
from api.telemetry.standing import Standing
from projections.known import PROJECTIONS
from tests.support.cli import ROOT, Obole, gateway_key, obole_at
from tests.support.database import TestDatabase
from tests.support.running import Running
from tests.support.telling import figures, free_port

SENDER, TEXT = "33698765432", "JEU unverwechselbar"
"""A number and a text that may stand in no log, figure or trace."""


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    return obole_at(database, tmp_path)


@pytest.fixture
def key(obole: Obole) -> str:
    """Give a gateway's key to an open book."""
    return gateway_key(obole)


@pytest.fixture
def collector() -> Generator["Collector"]:
    made = Collector()
    yield made
    made.stop()


def kannel(key: str, text: str, number: int) -> str:
    sent = {"key": key, "id": f"m-{number}", "smsc": "orange-fr", "from": SENDER, "to": "81014"}
    return f"/v1/books/fr/kannel/kannel-fr/mo?{urlencode(sent | {'text': text})}"


class TestAddress:
    """Where figures are told."""

    @pytest.mark.parametrize("address", ["9101", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999"])
    def test_is_a_host_and_a_port(self, address: str) -> None:
        with pytest.raises(AddressInvalid, match=re.escape(address)), exposed(address, registry()):
            pass

    def test_that_is_taken_is_refused_by_name(self) -> None:
        with exposed("127.0.0.1:0", registry()) as port:
            taken = f"127.0.0.1:{port}"
            with pytest.raises(AddressInvalid, match=taken), exposed(taken, registry()):
                pass


class TestRoute:
    """What a request is counted under."""

    def test_is_the_template_and_not_what_was_written_in_it(self) -> None:
        scope = {"path": "/v1/books/fr/consumers/1_ab/trail", "endpoint": object()}
        scope["path_params"] = {"book": "fr", "consumer": "1_ab"}
        assert route_of(scope) == "/v1/books/{book}/consumers/{consumer}/trail"

    def test_of_a_file_keeps_the_kind_of_file_alone(self) -> None:
        scope = {"path": f"/v1/books/fr/statements/{SENDER}.csv", "endpoint": object()}
        scope["path_params"] = {"book": "fr", "month": SENDER}
        assert route_of(scope) == "/v1/books/{book}/statements/{month}.csv"

    def test_that_matched_nothing_has_no_name_of_the_callers_making(self) -> None:
        assert route_of({"path": f"/{SENDER}"}) == UNKNOWN


class TestJsonLines:
    """Logs for programs."""

    def test_tell_an_exceptions_class_and_place_but_not_its_words(self) -> None:
        try:
            int(TEXT)
        except ValueError as error:
            info = (type(error), error, error.__traceback__)
        record = logging.LogRecord("api.x", logging.ERROR, __file__, 1, "not %s", ("done",), info)
        told = json.loads(JsonLines().format(record))
        assert told["message"] == "not done"
        assert told["exception"] == "ValueError"
        assert told["at"].startswith("TestJsonLines.test_tell")
        assert TEXT not in json.dumps(told)


class Collector:
    """A stand-in for what takes traces: it keeps what is sent to it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        bodies = self.bodies

        class Taking(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Taking)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def conflicting(api: Running, key: str) -> None:
    """Send a message, the same again, and another under its id; then what nobody can read."""
    for text in (TEXT, TEXT, "JEU anders"):
        assert api.get(kannel(key, text, 1)).status == 200
    assert api.get(kannel("obole_wrong", TEXT, 2)).status == 401
    assert api.get(f"/v1/books/{SENDER}/trial-balance", key).status == 404
    assert api.get(f"/v1/books/fr/consumers/{SENDER}/trail", key).status in {403, 422}
    assert api.get(f"/v1/books/fr/merchants/x/statements/{SENDER}.csv", key).status in {403, 422}
    assert api.get(f"/{SENDER}").status == 404


def test_the_api_counts_what_it_does_and_tells_of_nobody(
    obole: Obole, key: str, collector: Collector
) -> None:
    port = free_port()
    speaking = replace(
        obole,
        environ={
            **obole.environ,
            "OBOLE_LOG": "json",
            "OBOLE_TRACES": f"http://127.0.0.1:{collector.server.server_port}/v1/traces",
        },
    )
    with Running(speaking, "api", "--port", "0", "--metrics", f"127.0.0.1:{port}") as api:
        api.serves().get_until("/readyz")
        conflicting(api, key)
        told = figures(port)
        assert api.stop(signal.SIGTERM) == 0
    appended = "obole_facts_appended_total"
    assert told[f'{appended}{{book="fr",type="mo_received.v1"}}'] == 1
    assert told[f'{appended}{{book="fr",type="conflicting_duplicate_received.v1"}}'] == 1
    route = "/v1/books/{book}/kannel/{gateway}/mo"
    assert told[f'obole_http_request_seconds_count{{route="{route}",status="200"}}'] == 3
    assert told['obole_http_request_seconds_count{route="unknown",status="404"}'] == 1
    assert told['obole_batch_decisions_count{book="fr"}'] >= 2
    traces = b"".join(collector.bodies)
    assert route.encode() in traces
    for secret in (SENDER, TEXT.split()[1], "anders", key, "obole_wrong"):
        assert secret not in api.output
        assert secret.encode() not in traces
        assert secret not in json.dumps(told)


def test_the_worker_accounts_for_everything_accepted(obole: Obole, key: str) -> None:
    port = free_port()
    with Running(obole, "api", "--port", "0") as api:
        api.serves().get_until("/readyz")
        conflicting(api, key)
        with Running(obole, "work", "--metrics", f"127.0.0.1:{port}") as worker:
            worker.says("fr: projected to position")
            told = figures(port)
    for projection in PROJECTIONS:
        labels = f'{{book="fr",projection="{projection.name}"}}'
        parts = [told[f"obole_facts_{part}{labels}"] for part in ("projected", "parked", "pending")]
        assert told[f"obole_facts_accepted{labels}"] == sum(parts) > 0
        assert told[f"obole_projection_lag_seconds{labels}"] >= 0
    waiting = 'obole_charges_waiting{age="day",book="fr",state="authorized"}'
    assert told[waiting] in {0, 1}


def test_figures_say_so_when_the_database_is_away() -> None:
    made = registry()
    made.register(Standing("host=/nowhere dbname=none", ["fr"]))
    with exposed("127.0.0.1:0", made) as port:
        assert figures(port)["obole_database_up"] == 0


def test_the_dashboard_asks_for_figures_that_there_are() -> None:
    folder = ROOT / "api/telemetry"
    code = "".join(path.read_text() for path in folder.glob("*.py"))
    board = json.loads((folder / "grafana/obole.json").read_text())
    asked = {
        name
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"obole_[a-z_]+", target["expr"])
    }
    bare = {re.sub("_(total|bucket|sum|count)$", "", name) for name in asked}
    stems = {
        re.sub("^obole_facts_(accepted|projected|parked|pending)$", "obole_facts_{name}", one)
        for one in bare
    }
    assert len(stems) > 5
    assert [name for name in stems if f'"{name}"' not in code] == []
