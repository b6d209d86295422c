"""What one message of the demonstration is, and what became of it: the words of both gateways."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

# Receipts by their number. Source: Kannel user guide, "Delivery reports", bits of dlr-mask.
ACCEPTED = 8
DELIVERED = 1
FAILED = 2
BUFFERED = 4
REJECTED = 16

Fault = Literal["none", "unavailable", "answer_lost", "receipt_answer_lost"]
Expected = Literal["paid", "free", "silent", "both", "mo", "any"]
"""What is charged: the answer, nothing, nothing in silence; message and answer, the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoMessage:
    """A consumer's SMS, and how the world behaves around it.

    `receipts` are the types that follow the answer, in order; `late` those that the operator
    keeps until `deliver_late`. `same_id_as` names the message whose gateway id this one bears.
    `fault` is what the link to the ledger does to it first, see `api.demo.faults`.
    """

    name: str
    smsc: str
    sender: str
    code: str
    text: str | bytes
    receipts: tuple[int, ...] = (ACCEPTED, DELIVERED)
    late: tuple[int, ...] = ()
    fault: Fault = "none"
    same_id_as: str | None = None
    orphan: bool = False
    expect: Expected = "any"
    note: str = ""
    book: str = "fr"

    @property
    def simulated_only(self) -> bool:
        """Tell whether Kannel cannot be brought to do this.

        It gives every MO an id of its own, and drops what follows a final receipt.
        """
        finals = [kind for kind in self.receipts if kind in {DELIVERED, FAILED}]
        return self.orphan or self.same_id_as is not None or len(finals) > 1


class Endpoint(NamedTuple):
    """Where the ledger's API listens, on this machine, and as whom the gateway speaks to it."""

    port: int
    key: str
    book: str
    gateway: str

    def path(self, leaf: str) -> str:
        """Give the path of Kannel's `mo` or `dlr` endpoint."""
        return f"/v1/books/{self.book}/kannel/{self.gateway}/{leaf}"


class Exchange(NamedTuple):
    """What was handed over for one message, and what came back.

    `billing_code` is the code as the gateway's side saw it on the MT, not as we answered it.
    `status` is the last HTTP status of the MO (0: none was sent). `receipts` are the types that
    the gateway handed to the ledger, in the order in which it did.
    """

    message: DemoMessage
    message_id: str
    status: int
    attempts: int
    reply: str
    billing_code: str
    receipts: tuple[int, ...]
    via: Literal["fakesmsc", "http smsc", "direct"]


class PushedSms(NamedTuple):
    """A message that answered none, as the operator's side got it, and the receipts it gave."""

    smsc: str
    text: str
    billing_code: str
    receipts: tuple[int, ...]


class Push(NamedTuple):
    """Where a gateway takes messages that answer none: Kannel's `sendsms`, and its user."""

    url: str
    username: str
    password: str


class Gateway(Protocol):
    """What the demonstration plays its traffic through; a context manager."""

    @property
    def name(self) -> str:
        """Say which gateway it is, for a person."""
        ...

    @property
    def sendsms(self) -> Push:
        """Say where it takes messages that answer none."""
        ...

    def deliver_pushed(self, number: int) -> list[PushedSms]:
        """Wait for so many pushed messages to come through, and report on each."""
        ...

    def play(self, messages: Sequence[DemoMessage]) -> list[Exchange]:
        """Send every message and its receipts; answers stand in the order of the messages."""
        ...

    def deliver_late(self) -> list[Exchange]:
        """Hand over the receipts that were held back; each exchange names only those."""
        ...


class GatewayFailed(Exception):
    """The gateway could not be started, or did not finish in its time."""
