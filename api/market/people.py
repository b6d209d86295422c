"""What the model remembers: consumers, messages, charges and subscriptions, nothing of a ledger's.

Instants are whole seconds; amounts are micros.
"""

from typing import Literal

from api.market.goods import Operator, Service
from api.market.parts import Parts
from api.market.truth import Truth

ChargeState = Literal["authorized", "unresolved", "released", "captured"]
Scope = tuple[str, str | None]
"""A code, and one service of it or all."""


class Stop:
    """A STOP that was said, and whether it still stands."""

    __slots__ = ("at", "mo", "scope", "stands")

    def __init__(self, mo: str, scope: Scope, at: int) -> None:
        self.mo, self.scope, self.at, self.stands = mo, scope, at, True


class Allowance:
    """A permission to solicit; its instants are in microseconds."""

    __slots__ = ("at", "id", "until", "used")

    def __init__(self, name: str, at: int, until: int) -> None:
        self.id, self.at, self.until, self.used = name, at, until, False


class Consumer:
    """One consumer as the ledger names them, and all that a decision about them rests on."""

    __slots__ = (
        "allowances",
        "asked",
        "given",
        "lane",
        "last",
        "lifted",
        "operator",
        "paid",
        "pushed",
        "recent",
        "scopes",
        "spent",
        "stops",
        "subscriptions",
        "sums",
        "told",
        "wrote",
    )

    def __init__(self, operator: Operator, lane: int) -> None:
        self.operator, self.lane = operator, lane
        self.wrote = False
        self.scopes: dict[Scope, int] = {}
        """What is stopped, and since when."""
        self.lifted: dict[Scope, int] = {}
        self.stops: list[Stop] = []
        self.last: dict[str, Service] = {}
        """By code, what was last asked for."""
        self.asked: dict[tuple[str, str], int] = {}
        """By code and merchant, when something was last asked for."""
        self.spent: dict[str, int] = {}
        """By month."""
        self.given: dict[tuple[str, str], int] = {}
        """By month and merchant, on codes for donations."""
        self.sums: dict[str, int] = {}
        """By service."""
        self.told: dict[str, int] = {}
        """By service, up to which threshold a notice has told."""
        self.paid: dict[tuple[str, str, str], int] = {}
        """By merchant, code and service, when the last was allowed that was captured."""
        self.recent: list[Bought] = []
        self.pushed: list[Message] = []
        """What waits for a gateway."""
        self.subscriptions: list[Subscription] = []
        self.allowances: dict[tuple[str, str], list[Allowance]] = {}

    def say(self, truth: Truth) -> None:
        """Say how everything of theirs stands."""
        for stop in self.stops:
            truth.thing("stop", stop.mo, "stands" if stop.stands else "lifted")
        for one in self.subscriptions:
            truth.thing("subscription", one.id, one.written)
        for standing in self.allowances.values():
            for allowance in standing:
                truth.thing("allowance", allowance.id, "used" if allowance.used else "open")


class Charge:
    """One charge of one leg; without a service nobody sold it."""

    __slots__ = (
        "again",
        "at",
        "captured_by",
        "carried_by",
        "code",
        "day",
        "failed",
        "first_at",
        "id",
        "mo",
        "other_leg",
        "parts",
        "service",
        "since",
        "state",
        "subscription",
        "who",
    )

    def __init__(
        self, name: str, who: Consumer, code: str, service: Service | None, parts: Parts
    ) -> None:
        self.id, self.who, self.code, self.service, self.parts = name, who, code, service, parts
        self.state: ChargeState = "authorized"
        self.at = self.first_at = 0
        self.day = self.since = ""
        self.carried_by = ""
        """The latest message that it rides on."""
        self.captured_by = ""
        self.mo = ""
        self.other_leg = False
        """Whether the message itself was charged as well."""
        self.failed = ""
        """Open or closed: the finding that this leg failed while the other was charged."""
        self.again: set[str] | None = None
        """Further messages on it that were billed."""
        self.subscription: tuple[Subscription, str] | None = None
        """And the day of its cycle."""


class Bought:
    """A purchase that the same words, soon after, would repeat."""

    __slots__ = ("at", "charge", "service", "text")

    def __init__(self, at: int, service: Service, text: str, charge: Charge | None) -> None:
        self.at, self.service, self.text, self.charge = at, service, text, charge


class Message:
    """A message to a consumer, and what its receipts have said."""

    __slots__ = ("accepted", "charge", "code", "id", "pushed", "said", "service", "who")

    def __init__(
        self, name: str, who: Consumer, code: str, service: Service | None, charge: Charge | None
    ) -> None:
        self.id, self.who, self.code, self.service, self.charge = name, who, code, service, charge
        self.pushed = False
        self.accepted: list[str] = []
        """What was said of the billing by each *submitted*."""
        self.said: list[tuple[str, str]] = []
        """Outcome and billing."""


class Cycle:
    """One cycle of a subscription: how often it was tried, and what came of that."""

    __slots__ = ("attempts", "charge", "sent", "since", "state")

    def __init__(self) -> None:
        self.state, self.since = "", 0
        self.attempts = self.sent = 0
        self.charge: Charge | None = None


class Subscription:
    """A subscription, from the offer on."""

    __slots__ = (
        "by",
        "cycles",
        "expires",
        "id",
        "next_due",
        "number",
        "open",
        "service",
        "started",
        "who",
    )

    def __init__(self, name: str, who: Consumer, service: Service, expires: int) -> None:
        self.id, self.who, self.service, self.expires = name, who, service, expires
        self.open = True
        """Offered, and waiting for a confirmation."""
        self.started = 0
        self.number = 0
        self.next_due = 0
        self.by = ""
        """Who stopped it."""
        self.cycles: dict[str, Cycle] = {}

    @property
    def live(self) -> bool:
        """Whether it is charged again and again."""
        return bool(self.started) and not self.by

    @property
    def written(self) -> str:
        """How it stands: its state, the cycles that began, and what became of the last one."""
        if not self.started:
            return "requested"
        day = max(self.cycles)
        cycle = self.cycles[day]
        state = f"stopped by {self.by}" if self.by else "live"
        return f"{state}|{self.number}|{day}|{cycle.state}|{cycle.attempts}"
