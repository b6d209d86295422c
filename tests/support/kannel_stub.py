"""A ledger of a few lines, to try gateways against: answers MOs, notes what it was asked.

Run as a program it serves on 127.0.0.1 and prints its port; `/seen` gives its notes as JSON.
"""

import asyncio
import json
import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from api.demo.faults import FaultyLink
from api.demo.traffic import TRAFFIC
from ledger.words import derived_id

WORDS = {"81014": ("JEU", "HOROSCOPE"), "72100": ("LOGO",), "41234": ("VOTE",)}
ESCAPES = "&type=%d&at=%T&smsc=%i&fid=%F&sid=%I&answer=%A&meta=%D"


class Stub:
    """Knows a few words and repeats its answer to an id; notes every request."""

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        self.recorded: dict[str, dict[str, str]] = {}
        self.stopped: set[tuple[str, str]] = set()

    async def mo(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.requests.append({"path": "mo", **asked})
        first = self.recorded.setdefault(asked["id"], asked)
        reply, code = self.reply(first)
        if not reply:
            return PlainTextResponse("")
        url = request.url_for("dlr", **request.path_params)
        headers = {
            "X-Kannel-DLR-Url": f"{url}?key={asked['key']}&mt={derived_id(asked['id'])}{ESCAPES}",
            "X-Kannel-DLR-Mask": "31",
            "X-Kannel-BInfo": code,
        }
        return PlainTextResponse(reply, headers=headers)

    def reply(self, asked: dict[str, str]) -> tuple[str, str]:
        word = asked["text"].strip().upper().partition(" ")[0]
        consumer = (asked["from"], asked["to"])
        if word == "STOP" and consumer in self.stopped:
            return "", ""
        if word == "STOP":
            self.stopped.add(consumer)
            return "Vous ne recevrez plus rien.", "FREE"
        if word in WORDS.get(asked["to"], ()):
            return f"Reçu : {asked['text'].strip()[:40]}", f"T{asked['to']}"
        return "Mot inconnu. Rien n'est facturé.", "FREE"

    async def dlr(self, request: Request) -> Response:
        self.requests.append({"path": "dlr", **request.query_params})
        return PlainTextResponse("ok")

    async def seen(self, _request: Request) -> Response:
        return JSONResponse(self.requests)


def application() -> FaultyLink:
    stub = Stub()
    prefix = "/v1/books/{book}/kannel/{gateway}"
    routes = [
        Route(f"{prefix}/mo", stub.mo, name="mo"),
        Route(f"{prefix}/dlr", stub.dlr, name="dlr"),
        Route("/seen", stub.seen),
    ]
    return FaultyLink(Starlette(routes=routes), TRAFFIC)


def serve() -> None:
    """Serve until our standard input ends, so that no stub outlives its test."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(), log_level="warning"))

    async def run() -> None:
        serving = asyncio.create_task(server.serve([listener]))
        sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        server.should_exit = True
        await serving

    asyncio.run(run())


if __name__ == "__main__":
    serve()
