"""What a receipt does, in the model: to its message, and to the charge that rides on it."""

from typing import Literal

from api.market.dealing import ORPHAN_OF_NONE, ORPHAN_OF_ONE, Orphan
from api.market.people import Charge, Message
from api.market.trade import Trade

Effect = Literal["capture", "release", ""]
_ENDS = {"failed", "rejected"}


class Receipts:
    """Takes receipts in."""

    def __init__(self, trade: Trade) -> None:
        self._trade = trade
        trade.on_orphan = self._join

    def report(self, name: str, message: Message | None, told: Orphan) -> None:
        """Take a receipt in; `message` is the one of that name, if it was emitted."""
        if message is None or told.gateway != self._trade.shop.gateway:
            self._keep(name, told, known=message is not None)
            return
        if not self._is_new(message, told):
            return
        if message.pushed and message in message.who.pushed:
            message.who.pushed.remove(message)
        if message.charge is not None:
            self._settle(message, message.charge, told)

    def _is_new(self, message: Message, told: Orphan) -> bool:
        """Record a receipt, if it says what none said before."""
        if told.outcome == "submitted":
            known, name = told.billed in message.accepted, "mt_submitted"
            message.accepted.append(told.billed)
        else:
            said = (told.outcome, told.billed)
            known, name = said in message.said, "delivery_received"
            message.said.append(said)
        if not known:
            self._trade.fact(name)
        return not known

    def _join(self, message: Message, orphan: Orphan) -> None:
        self.report(message.id, message, orphan)

    def _keep(self, name: str, told: Orphan, *, known: bool) -> None:
        kept = self._trade.orphans.setdefault(name, [])
        if any(one[:3] == told[:3] for one in kept):
            return
        kept.append(told)
        self._trade.fact("delivery_orphaned")
        self._trade.truth.counts[ORPHAN_OF_ONE if known else ORPHAN_OF_NONE] += 1

    def _settle(self, message: Message, charge: Charge, told: Orphan) -> None:
        effect = self._effect(charge, told)
        if effect == "capture":
            self._capture(message, charge, told.at)
        elif effect == "release" and self._rides_on(message, charge):
            self._release(charge, told.at)

    @staticmethod
    def _rides_on(message: Message, charge: Charge) -> bool:
        """Tell whether a charge is pending on this message: on a later one its failing is old."""
        pending = charge.state in {"authorized", "unresolved"}
        return pending and charge.carried_by == message.id

    def _capture(self, message: Message, charge: Charge, at: int) -> None:
        till = self._trade.till
        if charge.state == "captured":
            again = charge.again or set()
            if charge.captured_by not in {"", message.id} and message.id not in again:
                till.capture_again(charge, at, message)
            return
        till.capture(charge, at, message.id)
        if charge.failed == "open":
            charge.failed = "closed"
            till.close("leg_failed", charge.id)

    def _release(self, charge: Charge, at: int) -> None:
        self._trade.till.release(charge, at)
        if charge.other_leg and not charge.failed:
            charge.failed = "open"
            self._trade.till.find("leg_failed", charge.id)

    def _effect(self, charge: Charge, told: Orphan) -> Effect:
        """Say what a receipt means, by what captures a charge of that operator."""
        outcome, billed = told.outcome, told.billed
        if self._trade.captures[charge.who.operator.operator] == "billed_flag":
            if billed == "unknown":
                return "release" if outcome == "rejected" else ""
            return "capture" if billed == "yes" else "release"
        if outcome == "delivered":
            return "" if billed == "no" else "capture"
        return "release" if outcome in _ENDS else ""
