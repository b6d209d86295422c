"""A control: an intake that charges, and remembers in its own memory which ids it has charged.

What it does not know is whether a transaction whose answer never came was committed; so it says
503, is asked again, and charges again. Its own numbers are no help: each charge has a new one.
"""

import socket
from urllib.parse import parse_qs, urlsplit

import psycopg
from psycopg import AsyncConnection

from tests.torture.listening import Listening
from tests.torture.speech import Line

AWAY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
DONE = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class NaiveIntake(Listening):
    """Listens on a port of its own, from entering to leaving; its charges go by way of `url`."""

    COMMITTED = b"INSERT 0 1\0"
    """What the server says when it has committed a charge."""

    def __init__(self, owner_url: str, url: str) -> None:
        super().__init__()
        self._url = url
        self._known: set[str] = set()
        with psycopg.connect(owner_url) as connection:
            connection.execute("CREATE TABLE naive_charges (id bigserial PRIMARY KEY, name text)")

    async def talk(self, client: socket.socket) -> None:
        """Charge what each request names."""
        front = Line(0, client)
        connection: AsyncConnection | None = None
        try:
            while True:
                head = await front.until(b"\r\n\r\n")
                (name,) = parse_qs(urlsplit(head.split(b" ", 2)[1].decode()).query)["id"]
                if connection is None or connection.closed:
                    connection = await AsyncConnection.connect(self._url, autocommit=True)
                await front.say(await self._charged(connection, name))
        except (OSError, EOFError, psycopg.OperationalError):
            pass
        finally:
            front.close()
            if connection is not None:
                await connection.close()

    async def _charged(self, connection: AsyncConnection, name: str) -> bytes:
        """Charge, unless it is known to have been charged."""
        if name in self._known:
            return DONE
        try:
            await connection.execute("INSERT INTO naive_charges (name) VALUES (%s)", (name,))
        except psycopg.OperationalError:
            return AWAY
        self._known.add(name)
        return DONE
