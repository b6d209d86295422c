"""Plays the demonstration's traffic through a gateway into the stub; prints all of it as JSON.

`kannel_journey.py kannel` runs the real boxes and must be started in a namespace;
`kannel_journey.py simulated` needs nothing.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from api.demo.gateway import SimulatedGateway
from api.demo.kannel import KannelGateway
from api.demo.messages import Endpoint, Exchange
from api.demo.traffic import TRAFFIC


@contextmanager
def running_stub() -> Iterator[int]:
    program = [sys.executable, "-P", str(Path(__file__).parent / "kannel_stub.py")]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stub:
        yield json.loads(stub.stdout.readline())["port"]
        stub.stdin.close()
        stub.wait(10)


def written(exchange: Exchange) -> dict[str, object]:
    return {**exchange._asdict(), "message": exchange.message.name}


def journey(kind: str) -> dict[str, object]:
    gateways = {"kannel": KannelGateway, "simulated": SimulatedGateway}
    with running_stub() as port:
        endpoint = Endpoint(port, "demo-key_1", "fr", "kannel-fr")
        began = time.monotonic()
        with gateways[kind](endpoint) as gateway:
            played = gateway.play(TRAFFIC)
            before_late = len(seen(port))
            late = gateway.deliver_late()
            requests = seen(port)
        return {
            "gateway": gateway.name,
            "seconds": time.monotonic() - began,
            "played": [written(exchange) for exchange in played],
            "late": [written(exchange) for exchange in late],
            "requests": requests,
            "before_late": before_late,
        }


def seen(port: int) -> list[dict[str, str]]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/seen")
        return json.loads(connection.getresponse().read())


if __name__ == "__main__":
    sys.stdout.write(json.dumps(journey(sys.argv[1])))
