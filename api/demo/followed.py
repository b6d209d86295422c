"""Follows one message through Kannel's boxes, by what they write down."""

from api.demo.boxes import AccessLine, Boxes
from api.demo.messages import DemoMessage, Exchange

_SECONDS = 20


class Followed:
    """One message on its way through the boxes, seen in their logs from now on."""

    def __init__(self, boxes: Boxes, message: DemoMessage) -> None:
        self._boxes = boxes
        self._message = message
        self._start = len(boxes.access())

    def received(self) -> str:
        """Wait until bearerbox took the MO; gives the id under which it asks the ledger."""

        def look() -> str | None:
            taken = self._lines("Receive SMS", self._message.sender)
            return taken[0].message_id if taken else None

        return self._boxes.wait(f"{self._message.name}: the MO was not taken", look, _SECONDS)

    def answered(self, message_id: str) -> tuple[int, str]:
        """Wait for the ledger's answer to the MO: status and body."""
        what = f"{self._message.name}: the ledger did not answer"
        return self._boxes.wait(what, lambda: self._boxes.answer_to(message_id), _SECONDS)

    def sent(self) -> AccessLine:
        """Wait until bearerbox had the MT taken, or refused, by the message centre."""

        def look() -> AccessLine | None:
            found = self._lines("Sent SMS", self._message.code)
            found += self._lines("FAILED Send SMS", self._message.code)
            return found[0] if found else None

        return self._boxes.wait(f"{self._message.name}: no MT was sent", look, _SECONDS)

    def receipts(self, number: int) -> tuple[int, ...]:
        """Wait until so many receipts came in; gives their types in that order."""

        def look() -> tuple[int, ...] | None:
            kinds = [line.receipt for line in self._lines("Receive DLR", self._message.code)]
            return tuple(kinds) if len(kinds) >= number else None

        what = f"{self._message.name}: {number} receipts did not come"
        return self._boxes.wait(what, look, _SECONDS)

    def _lines(self, event: str, sender: str) -> list[AccessLine]:
        ends = {self._message.sender, self._message.code}
        return [
            line
            for line in self._boxes.access()[self._start :]
            if (line.event, line.smsc, line.sender) == (event, self._message.smsc, sender)
            and {line.sender, line.receiver} == ends
        ]

    def exchange(self, message_id: str, status: int) -> Exchange:
        """Begin the account of this message: the MO and the ledger's answer, no MT yet."""
        attempts = self._boxes.attempts_of(message_id)
        return Exchange(self._message, message_id, status, attempts, "", "", (), "http smsc")
