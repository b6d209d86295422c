"""The demonstration's real gateway: Kannel between the operators and our API.

bearerbox and smsbox run as they would for an aggregator, with the configuration in kannel.conf;
on the other side stand fakesmsc and an HTTP message centre. Everything listens inside a network
namespace, see `api.demo.namespace`.
"""

import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from api.demo.boxes import BEARERBOX, SMSBOX, Boxes, running_boxes
from api.demo.gateway import SimulatedGateway, play_by_operator
from api.demo.messages import (
    DemoMessage,
    Endpoint,
    Exchange,
    GatewayFailed,
    Push,
    PushedSms,
)
from api.demo.namespace import is_isolated, namespace_refusal
from api.demo.operators import FAKESMSC, HttpOperators, play_by_fakesmsc

_SETTLE_SECONDS = 20


def kannel_available() -> str | None:
    """Say why real Kannel traffic is not possible on this machine, or None when it is.

    When it is possible and `is_isolated()` is false, the caller must first move into a namespace.
    """
    missing = [path for path in (BEARERBOX, SMSBOX, FAKESMSC) if not Path(path).exists()]
    if missing:
        return f"Kannel is not installed: no {', '.join(missing)}"
    return None if is_isolated() else namespace_refusal()


class KannelGateway:
    """Plays traffic through running boxes; a context manager that starts and stops them.

    What Kannel cannot be brought to do (`DemoMessage.simulated_only`) goes to the API directly,
    and its exchange says so.
    """

    _boxes: Boxes
    _operators: HttpOperators

    def __init__(self, *endpoints: Endpoint) -> None:
        self._endpoints = endpoints
        self._direct = SimulatedGateway(*endpoints)
        self._receipts = 0
        self._ids: dict[str, str] = {}
        self._stack = ExitStack()
        self.name = f"{_version()}: bearerbox, smsbox, fakesmsc, HTTP message centre"

    def __enter__(self) -> Self:
        """Start the boxes.

        Raises:
            GatewayFailed: outside a namespace, or a box does not get ready.
        """
        if not is_isolated():
            raise GatewayFailed("Kannel listens on every interface: start it in a namespace")
        with ExitStack() as stack:
            self._boxes = stack.enter_context(running_boxes(*self._endpoints))
            self._operators = stack.enter_context(HttpOperators(self._boxes))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what was started."""
        self._stack.close()

    def play(self, messages: Sequence[DemoMessage]) -> list[Exchange]:
        """Send every message and its receipts; returns when the ledger has taken them all.

        Raises:
            GatewayFailed: something did not come, or was not taken, in its time.
        """
        exchanges = play_by_operator(messages, self._exchange)
        self._settle()
        return exchanges

    def deliver_late(self) -> list[Exchange]:
        """Have the operators report what they held back, until the ledger has taken it.

        Raises:
            GatewayFailed: a report was not taken in its time.
        """
        late = [*self._operators.deliver_late(), *self._direct.deliver_late()]
        self._settle()
        return late

    @property
    def sendsms(self) -> Push:
        """Say where smsbox takes messages that answer none."""
        return self._boxes.sendsms

    def deliver_pushed(self, number: int) -> list[PushedSms]:
        """Have the operators report on so many pushed messages, until the ledger has taken it.

        Raises:
            GatewayFailed: a message did not come through, or a report was not taken.
        """
        pushed = self._operators.deliver_pushed(number)
        wanted = self._receipts + sum(len(one.receipts) for one in pushed)
        what = "receipts of what was pushed did not come"
        self._boxes.wait(what, lambda: self._boxes.receipts() >= wanted or None, _SETTLE_SECONDS)
        self._settle()
        return pushed

    def _exchange(self, message: DemoMessage) -> Exchange:
        if message.simulated_only:
            done = self._direct.exchange(message, self._ids.get(message.same_id_as or ""))
        elif message.smsc == "orange-fr":
            done = play_by_fakesmsc(self._boxes, message)
        else:
            done = self._operators.play(message)
        self._ids[message.name] = done.message_id
        return done

    def _settle(self) -> None:
        what = "the ledger has not taken everything"
        self._boxes.wait(what, lambda: None if self._boxes.unanswered() else True, _SETTLE_SECONDS)
        self._receipts = self._boxes.receipts()


def _version() -> str:
    told = subprocess.run([BEARERBOX, "--version"], check=False, capture_output=True, text=True)  # noqa: S603 - Kannel's own program
    first = told.stdout.partition("\n")[0]
    return first.replace("bearerbox version ", "").replace("`", "").replace("'", "").rstrip(".")
