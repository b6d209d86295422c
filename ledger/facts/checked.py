"""Whether a fact's fields hold what its class allows, told without writing the fact and reading it.

Making a fact checks none of its fields. Each is allowed or not by itself, and the facts of a kind
share most of theirs: a price, a code, a merchant. Those are read back once, and from then on
recognised; the few that are a fact's own (ids, times, sealed texts) are looked at each time. What
is not recognised is no fault: it is only to be read back.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from operator import attrgetter
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from msgspec import Struct

from ledger.facts.base import Consumer, ContentKind, Fact, HexId, Sealed
from ledger.facts.traffic import GatewayMessageId
from ledger.words import Instant

_KEPT = 4_096
"""Of one class; beyond that all are forgotten, and read back again as they come."""
_MOST_CHARACTERS = 128
_HEX = re.compile(r"[0-9a-f]{32}\Z")
_CONSUMER = re.compile(r"[0-9]+_[0-9a-f]{32}\Z")
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}\Z")

_Holds = Callable[[Any], bool]


# The facts of one exchange share their ids.
@lru_cache(maxsize=16_384)
def _is_hex(value: object) -> bool:
    return type(value) is str and _HEX.match(value) is not None


@lru_cache(maxsize=16_384)
def _is_consumer(value: object) -> bool:
    return type(value) is str and _CONSUMER.match(value) is not None


def _is_message_id(value: object) -> bool:
    return type(value) is str and 0 < len(value) <= _MOST_CHARACTERS


def _is_instant(value: object) -> bool:
    return type(value) is datetime and value.tzinfo is UTC


@lru_cache(maxsize=16_384)
def _is_hex_or_none(value: object) -> bool:
    return value is None or _is_hex(value)


def _is_sealed(value: object) -> bool:
    return type(value) is Sealed and type(value.box) is bytes and _is_lock(value.month, value.kind)


@lru_cache(maxsize=1_024)
def _is_lock(month: object, kind: object) -> bool:
    return type(month) is str and _MONTH.match(month) is not None and kind in get_args(ContentKind)


_OWN: tuple[tuple[object, _Holds], ...] = (
    (HexId, _is_hex),
    (Consumer, _is_consumer),
    (GatewayMessageId, _is_message_id),
    (Instant, _is_instant),
    (Sealed, _is_sealed),
)
"""The types of which nearly every fact has a value of its own."""


class Checked:
    """Remembers which fields of facts were read back, for as long as it lives."""

    def __init__(self) -> None:
        self._shapes: dict[type[Fact], _Shape | None] = {}

    def knows(self, fact: Fact) -> bool:
        """Tell whether all fields of a fact are known to be allowed."""
        shape = self._shape(type(fact))
        try:
            return shape is not None and shape.knows(fact)
        except (AttributeError, TypeError):
            return False  # a part is none, or something that cannot be looked up

    def learn(self, fact: Fact) -> None:
        """Remember the fields of a fact that was read back."""
        shape = self._shape(type(fact))
        if shape is not None:
            shape.learn(fact)

    def _shape(self, kind: type[Fact]) -> "_Shape | None":
        if kind not in self._shapes:
            fields = dict(_fields(kind, ""))
            plain = all(map(_is_plain, fields.values()))
            self._shapes[kind] = _Shape(fields) if plain else None
        return self._shapes[kind]


class _Shape:
    """How the fields of one class are looked at, and which were read back."""

    def __init__(self, fields: dict[str, Any]) -> None:
        own = {path: holds for path, hint in fields.items() if (holds := _holds(hint))}
        self._own = tuple([(attrgetter(path), holds) for path, holds in own.items()])
        shared = [path for path in fields if path not in own]
        # The class twice, so that a tuple is given where nothing is shared.
        self._shared = attrgetter("__class__", "__class__", *shared)
        self._read: dict[tuple[object, ...], tuple[type, ...]] = {}

    def knows(self, fact: Fact) -> bool:
        for get, holds in self._own:
            if not holds(get(fact)):
                return False
        shared = self._shared(fact)
        # A number and a truth may be equal, and yet no field allows both.
        return self._read.get(shared) == tuple(map(type, shared))

    def learn(self, fact: Fact) -> None:
        if len(self._read) >= _KEPT:
            self._read.clear()
        shared = self._shared(fact)
        self._read[shared] = tuple(map(type, shared))


_SCALARS: frozenset[object] = frozenset({str, int, bool, date, datetime})


def _fields(kind: type[Struct], before: str) -> Iterator[tuple[str, Any]]:
    """Give each field with its type by its path, a part's class and fields by theirs."""
    hints = get_type_hints(kind, include_extras=True)
    for name in kind.__struct_fields__:
        hint, path = hints[name], f"{before}{name}"
        if isinstance(hint, type) and issubclass(hint, Struct) and hint is not Sealed:
            yield f"{path}.__class__", str
            yield from _fields(hint, f"{path}.")
        else:
            yield path, hint


def _is_plain(hint: Any) -> bool:  # noqa: ANN401 - whatever stands behind a field's name
    """Tell whether values of a type are equal only where the same is to be written."""
    one = _but_none(hint)
    return one is Sealed or get_origin(one) is Literal or _bare(one) in _SCALARS


def _bare(hint: Any) -> object:  # noqa: ANN401 - as above
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _but_none(hint: Any) -> Any:  # noqa: ANN401 - as above
    """Give the type of a field that may be empty, without that."""
    others = [one for one in get_args(hint) if one is not NoneType]
    return others[0] if NoneType in get_args(hint) and len(others) == 1 else hint


def _holds(hint: Any) -> _Holds | None:  # noqa: ANN401 - as above
    one = _but_none(hint)
    found = next((holds for kind, holds in _OWN if kind == one), None)
    if found is None or one is hint:
        return found
    return _is_hex_or_none if one == HexId else partial(_is_none_or, found)


def _is_none_or(holds: _Holds, value: object) -> bool:
    return value is None or holds(value)
