"""A control: an intake that says 200 as soon as it has heard, and only then hands over.

It is what "acknowledge, then write" would be. Whatever dies in between loses what was
acknowledged, so a trial that does not see that sees nothing.
"""

import socket

from tests.torture.listening import Listening
from tests.torture.speech import Line

DONE = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Hasty(Listening):
    """Stands before an API on a port of its own, from entering to leaving."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._to = port

    async def talk(self, client: socket.socket) -> None:
        """Acknowledge each request, then hand it over."""
        front, back = Line(0, client), Line(self._to)
        try:
            while True:
                head = await front.until(b"\r\n\r\n")
                await front.say(DONE)
                await back.ask(head.split(b" ", 2)[1].decode())
        except (OSError, EOFError):
            pass
        finally:
            front.close()
            back.close()
