"""What a book holds, for whoever asks at random: without it, nearly all asked for is not there."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

from tests.torture.load import BOOK
from tests.torture.processes import awaited

MERCHANT = "ludotel"
SERVICES = ("quiz", "logo", "horoscope")
NAMES = ("mo", "charge", "consumer", "finding")
MOST = 20
"""How many of a kind are told."""


def known_of(port: int, key: str, month: str) -> Mapping[str, Sequence[str]]:
    """Read the feed with a key, and give the values of each path's parameter.

    A key that was just issued is known to a process that serves the book a little later.
    """
    told: list[dict[str, Any]] = []
    assert awaited(lambda: told.extend(_feed(port, key)) or bool(told)), "the key opens nothing"
    found: dict[str, dict[str, None]] = {name: {} for name in NAMES}
    for fact in told:
        for name, value in _named(fact["data"]):
            if name in found and isinstance(value, str) and value:
                found[name][value] = None
    given = {"merchant": [MERCHANT], "service": list(SERVICES), "month": [month]}
    return {**given, **{name: list(values)[:MOST] for name, values in found.items() if values}}


def _named(value: object) -> Iterator[tuple[str, object]]:
    """Give every name in an object, however deep, with what it names."""
    match value:
        case dict():
            for name, inner in value.items():
                yield str(name), inner
                yield from _named(inner)
        case list():
            for inner in value:
                yield from _named(inner)
        case _:
            return


def _feed(port: int, key: str) -> list[dict[str, Any]]:
    """Give the first facts; none where they are not told."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        path = f"/v1/books/{BOOK}/facts?limit=1000"
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        told = json.loads(connection.getresponse().read())
    return list(told.get("facts", []))
