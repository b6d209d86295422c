"""Reads facts that the log holds without checking again what was checked when they were written.

The patterns of ids and the ranges of amounts cost three quarters of the time that reading takes,
and no stored byte changes. All else is held to: a field that is missing, unknown or of another
kind is an error, in the fact and around it, and so are a word that is none of those a field allows
and an instant without a zone. What is read is a subclass of the fact, so that a fold sees no
difference.
"""

from collections.abc import Sequence
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from ledger.facts.base import Fact
from ledger.facts.registry import AnyFact
from ledger.log.rows import StoredRow


class Wrapped(Struct, gc=False, forbid_unknown_fields=True):
    """What stands in a row's `data`; see `ledger.facts.registry.Envelope`."""

    id: str
    actor: str
    fact: Any
    exchange: str | None = None
    caused_by: str | None = None
    request: str | None = None


def _unchecked(kind: Any) -> Any:  # noqa: ANN401 - any annotation that a field may have
    """Give a field's type without its patterns and ranges."""
    origin: Any = get_origin(kind)
    if origin is Annotated:
        # The zone of an instant costs nothing to ask for, and its day hangs on it.
        return kind if get_args(kind)[0] is datetime else _unchecked(get_args(kind)[0])
    if origin is Literal:
        return kind
    if origin in (Union, UnionType):
        members = [_unchecked(member) for member in get_args(kind)]
        return cast("Any", Union[tuple(members)])  # noqa: UP007 - made of what is only known now
    return _quick(kind) if _is_struct(kind) else kind


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


_known: dict[type[Struct], type[Struct]] = {}


def _quick(kind: type[Struct]) -> type[Struct]:
    """Make a subclass whose fields are not checked beyond their kind."""
    if kind not in _known:
        hints = get_type_hints(kind, include_extras=True)
        fields = [
            _field(field.name, hints[field.name], field.default, field.default_factory)
            for field in msgspec.structs.fields(kind)
        ]
        config = kind.__struct_config__
        _known[kind] = msgspec.defstruct(
            kind.__name__,
            fields,
            bases=(kind,),
            frozen=True,
            gc=False,
            kw_only=not config.array_like,
            tag=config.tag,
            tag_field=config.tag_field,
        )
    return _known[kind]


def _field(name: str, kind: object, default: Any, factory: Any) -> Any:  # noqa: ANN401 - msgspec's own
    if default is not msgspec.NODEFAULT:
        return name, _unchecked(kind), default
    if factory is not msgspec.NODEFAULT:
        return name, _unchecked(kind), msgspec.field(default_factory=factory)
    return name, _unchecked(kind)


def _has_checkable_unions(kind: type[Fact]) -> bool:
    """Tell whether a field may be one of several structs, which only their own class can tell."""
    hints = get_type_hints(kind).values()
    return any(len(set(get_args(hint)) - {NoneType}) > 1 for hint in hints if _is_union(hint))


def _is_union(hint: object) -> bool:
    return get_origin(hint) in (Union, UnionType)


QUICK: dict[type[Fact], type[Fact]] = {
    kind: cast("type[Fact]", _quick(kind))
    for kind in AnyFact.__args__
    if not _has_checkable_unions(kind)
}
"""By the fact's class, the one that is read in its place; none for the few of mixed shapes."""

PLAIN: dict[type[Fact], type[Fact]] = {quick: kind for kind, quick in QUICK.items()}
"""The other way round."""

TAGS = {quick: str(kind.__struct_config__.tag) for kind, quick in QUICK.items()}
"""The stored names of what is read quickly."""

_Envelope = msgspec.defstruct(
    "QuickEnvelope",
    [("fact", Union[tuple(QUICK.values())])],  # noqa: UP007 - made of what is only known now
    bases=(Wrapped,),
    gc=False,
)
_decode = msgspec.json.Decoder(_Envelope).decode


def plain_kind(fact: Fact) -> type[Fact]:
    """Give the class under which a fact is known to folds."""
    kind = type(fact)
    return PLAIN.get(kind, kind)


def read_all(rows: Sequence[StoredRow]) -> list[Wrapped]:
    """Read rows in their order, each by itself: what it is does not depend on those beside it.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: one of them, at least, cannot be read this way.
    """
    found = cast("list[Wrapped]", list(map(_decode, [row.data for row in rows])))
    # Data of another type than its row is for others to judge.
    if [TAGS[type(one.fact)] for one in found] != [row.type for row in rows]:
        raise msgspec.DecodeError("rows and their data do not go together")
    return found
