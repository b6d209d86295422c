"""A subscription renewed through real boxes; prints what became of it as JSON.

`kannel_renewal.py APP_URL OWNER_URL` must be started in a namespace. A consumer behind fakesmsc
subscribes while our clock stands eight days back, so that a week later is yesterday. Then
`obole work --once` finds the renewal due, pushes it through smsbox, and its receipt comes back.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from api.books import load_rules
from api.clock import system_clock
from api.demo.boxes import FAKE_PORT, Boxes, child, running_boxes
from api.demo.messages import DemoMessage, Endpoint
from api.demo.operators import FAKESMSC, play_by_fakesmsc
from api.demo.stage import BOOK, GATEWAY, ApiThread, issue
from api.serving import Setup
from ledger.commands.desk import Desk
from ledger.facts.base import Draft, Fact
from ledger.facts.charges import ChargeCaptured
from ledger.facts.handover import MtHandedOver
from ledger.facts.registry import REGISTRY, Origin
from ledger.facts.traffic import MtEmitted
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from ledger.vault import FileMasterKey
from tests.support.belgium import PROXIMUS, SUBSCRIBED, catalogue_be
from tests.support.builders import gateway
from tests.support.packs import BELGIAN_SETTINGS
from tests.support.subscribers import sold_again_and_again

SENDER, LINK = "32470000001", "orange-fr"
AGO = timedelta(days=8)
_SECONDS = 20


class Clock:
    """The system's clock, set back by some time."""

    behind = AGO

    def __call__(self) -> datetime:
        return system_clock() - self.behind


@contextmanager
def served(folder: Path, app_url: str, clock: Clock) -> Iterator[tuple[ApiThread, str]]:
    """Serve a Belgian book whose one link is Kannel's fakesmsc; gives it and the gateway's key."""
    (folder / "settings").mkdir()
    shutil.copy(BELGIAN_SETTINGS, folder / "settings" / f"{BOOK}.toml")
    rules = load_rules({"OBOLE_SETTINGS": str(folder / "settings")})
    master = FileMasterKey.create(folder / "master.key")
    links = gateway(GATEWAY, operators={LINK: PROXIMUS})
    facts: list[Fact] = [links, *catalogue_be(), *sold_again_and_again()]

    async def load(desk: Desk) -> None:
        await desk.settle((), lambda _: [Draft(fact) for fact in facts], Origin(BOOK, "test"))
        await desk.refresh()

    with ApiThread(Setup(app_url, rules, master, clock), lambda app: app) as api:
        api.do(load)
        yield api, api.do(lambda desk: issue(desk, "gateway")).text


def work(folder: Path, owner_url: str, sendsms: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
    """Run `obole work --once` as whoever runs a ledger does."""
    lines = [f"[{BOOK}.{GATEWAY}]", *(f"{name} = {json.dumps(sendsms[name])}" for name in sendsms)]
    gateways = folder / "gateways.toml"
    gateways.touch(0o600)
    gateways.write_text("\n".join(lines))
    environ = {
        "OBOLE_DATABASE_URL": owner_url,
        "OBOLE_SETTINGS": str(folder / "settings"),
        "OBOLE_MASTER_KEY_FILE": str(folder / "master.key"),
        "OBOLE_HOME": str(folder / "home"),
    }
    argv = [sys.executable, "-m", "api.cli.main", "work", "--once", "--json"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[0]


def renewed(boxes: Boxes, folder: Path, clock: Clock, push: Any) -> dict[str, Any]:  # noqa: ANN401 - a call
    """Subscribe, let a week pass, and have the renewal pushed and delivered."""
    order = DemoMessage(name="order", smsc=LINK, sender=SENDER, code=SUBSCRIBED, text="HORO")
    offer = play_by_fakesmsc(boxes, order).reply
    options = ["-H", "127.0.0.1", "-r", str(FAKE_PORT), "-i", "0", "-m", "1"]
    printed = folder / "printed"
    with child([FAKESMSC, *options, f"{SENDER} {SUBSCRIBED} text OK"], printed):
        seen(boxes, "Receive DLR", 4)  # the offer's two, and the first cycle's
        settle(boxes)
        clock.behind = timedelta(0)
        worked = push()
        seen(boxes, "Receive DLR", 6)
        settle(boxes)
        again = push()
        codes = [line.billing_code for line in boxes.access() if line.event == "Sent SMS"]
        shown = printed.read_text("utf-8", errors="replace")
        return {"offer": offer, "worked": worked, "again": again, "codes": codes, "shown": shown}


def seen(boxes: Boxes, event: str, number: int) -> None:
    def look() -> bool | None:
        return sum(line.event == event for line in boxes.access()) >= number or None

    boxes.wait(f"{number} times {event} did not come", look, _SECONDS)


def settle(boxes: Boxes) -> None:
    boxes.wait("the ledger has not answered", lambda: not boxes.unanswered() or None, _SECONDS)


def journey(app_url: str, owner_url: str) -> dict[str, Any]:
    clock = Clock()
    with (
        tempfile.TemporaryDirectory(prefix="obole-renewal-") as name,
        served(Path(name), app_url, clock) as (api, key),
        running_boxes(Endpoint(api.port, key, BOOK, GATEWAY)) as boxes,
    ):
        sendsms = {
            **boxes.sendsms._asdict(),
            "receipt_key": key,
            "public_url": f"http://127.0.0.1:{api.port}",
        }
        folder = Path(name)
        told = renewed(boxes, folder, clock, lambda: work(folder, owner_url, sendsms))
    return told | {"facts": facts_of(app_url)}


def facts_of(app_url: str) -> list[dict[str, Any]]:
    """Tell what was recorded of messages and captures, in order."""
    with connect(app_url) as connection:
        rows = PostgresLog(connection, BOOK).follow(0, 10_000)
    told: list[dict[str, Any]] = []
    for fact in (REGISTRY.decode(row).fact for row in rows):
        match fact:
            case MtEmitted():
                what = {"kind": fact.kind, "pushed": fact.pushed, "charge": fact.ref.charge}
                told.append({"fact": "emitted", "mt": fact.ref.mt, **what})
            case MtHandedOver():
                told.append({"fact": "handed_over", "mt": fact.ref.mt, "raw": fact.raw_status})
            case ChargeCaptured():
                told.append({"fact": "captured", "mt": fact.mt, "charge": fact.ref.charge})
            case _:
                pass
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(journey(*sys.argv[1:])))
