"""Writes a market's lines: what gateways hand over, in the order in which it arrives.

Beside each line stands whose it is, as four bytes: lines of one consumer keep their order, whoever
plays them.
"""

import json
from array import array
from typing import IO

from api.market.calendars import written

BUFFER = 8_192
_ALONE = 0
"""Whose lines are nobody's."""


class Lines:
    """The file of lines, and the file of whose they are."""

    def __init__(self, lines: IO[str], lanes: IO[bytes], gateway: str) -> None:
        self._lines, self._lanes, self._gateway = lines, lanes, gateway
        self._whose = array("I")
        self.count = 0

    def mo(self, lane: int, sent: tuple[str, str, str, str, str], at: int, came: int) -> None:
        """Write a message: id, link, sender, code and text; `came` is when it arrived."""
        number, link, sender, code, text = sent
        arrived = "" if at == came else f',"arrived_at":"{written(came)}"'
        self._write(
            lane,
            f'{{"kind":"mo","gateway":"{self._gateway}","smsc":"{link}","id":"{number}",'
            f'"sender":"{sender}","short_code":"{code}","text":{json.dumps(text)},'
            f'"sent_at":"{written(at)}"{arrived}}}\n',
        )

    def receipt(self, lane: int, told: tuple[str, str, str, str], at: int, came: int) -> None:
        """Write a receipt: gateway, message, outcome and billing."""
        gateway, message, outcome, billed = told
        arrived = "" if at == came else f',"arrived_at":"{written(came)}"'
        said = "" if billed == "unknown" else f',"billed":"{billed}"'
        self._write(
            lane,
            f'{{"kind":"receipt","gateway":"{gateway}","mt":"{message}",'
            f'"outcome":"{outcome}"{said},"occurred_at":"{written(at)}"{arrived}}}\n',
        )

    def solicitation(self, lane: int, asked: dict[str, str], at: int) -> None:
        """Write that a consumer is to be solicited."""
        line = {"kind": "solicitation", "gateway": self._gateway, **asked}
        text = json.dumps({**line, "arrived_at": written(at)}, separators=(",", ":"))
        self._write(lane, text + "\n")

    def turn(self, at: int) -> None:
        """Write that time has passed."""
        self._write(_ALONE, f'{{"kind":"turn","at":"{written(at)}"}}\n')

    def _write(self, lane: int, line: str) -> None:
        self._lines.write(line)
        self._whose.append(lane)
        self.count += 1
        if len(self._whose) >= BUFFER:
            self.close()

    def close(self) -> None:
        """Write what is still held."""
        self._whose.tofile(self._lanes)
        self._whose = array("I")
