"""Noise for parsers: something that is right, and what somebody or something made of it.

Pure noise is refused by its first byte and proves little. So most of what is drawn here begins
with what is right, and a few places of it are broken.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

from hypothesis import strategies as st

ANY_TEXT = st.text(alphabet=st.characters(codec=None), max_size=60)
"""Lone surrogates, controls and NUL included."""
STRANGE = (
    *("", " ", "\0", "\n", "\r\n", "\u2028", "\x85", "\ufeff", "\u202e", "\ud800", "😀", "é"),
    *("0", "00", "-0", "-1", "1e9", "0x1f", "NaN", "Infinity", "null", "true", "٣", "\uff11", "²"),
    *("9" * 20, "9" * 400, "1" + "0" * 5_000, "0.1", "1.0000001", "1_000", "+1", " 1", "1 "),
    *("../../etc/passwd", "a/b", "a\\b", ".", "..", "a" * 300, "a" * 20_000, "%00", "%", "'", '"'),
    *("2026-02-30", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-W01-1"),
    *("2026-08-01T09:30:00Z", "2026-08-01", "24:00", "{", "}", "[", "]", "{argument}", "=1+1"),
)
"""Texts that parsers trip over."""
TEXTS = st.sampled_from(STRANGE) | ANY_TEXT

Json = Any
SCALARS: st.SearchStrategy[Json] = (
    TEXTS
    | st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 0, 1, 2**31, 2**63 - 1, 2**63, 2**64, 10**12 + 1, 10**300])
    | st.floats()
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
_FRAGMENTS = st.binary(max_size=6) | st.sampled_from(
    [
        *(b"\x00", b"\n", b"\r", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b'"', b"\\"),
        *(b"\\ud800", b"{", b"}", b"[", b"[[", b"]]", b"=", b",", b":", b"#", b"'''", b'"""'),
        *(b"-", b"e9", b"."),
        *(b" " * 50, b"[" * 50, b"9" * 30, b"null", b"true", b"1979-05-27", b"=cmd", b";", b"|"),
    ]
)


@st.composite
def broken(draw: st.DrawFn, right: st.SearchStrategy[bytes], most: int = 4) -> bytes:
    """Draw bytes that are right, and break some places: cut, doubled, changed, put in."""
    raw = draw(right)
    for _ in range(draw(st.integers(0, most))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.integers(0, 40)))
        how = draw(st.sampled_from(["cut", "double", "put", "swap", "end"]))
        match how:
            case "cut":
                raw = raw[:start] + raw[end:]
            case "double":
                raw = raw[:end] + raw[start:]
            case "put":
                raw = raw[:start] + draw(_FRAGMENTS) + raw[start:]
            case "swap":
                raw = raw[:start] + draw(_FRAGMENTS) + raw[end:]
            case _:
                raw = raw[:start]
    return raw


def noise(right: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Draw bytes, most of them nearly right."""
    return broken(right) | broken(right) | broken(right) | st.binary(max_size=200)


@st.composite
def altered(draw: st.DrawFn, right: st.SearchStrategy[Json], most: int = 3) -> Json:
    """Draw a JSON value that is right, and put others in some of its places."""
    value = draw(right)
    for _ in range(draw(st.integers(0, most))):
        value = _altered(draw, value)
    return value


def _altered(draw: st.DrawFn, value: Json) -> Json:
    """Go down to some place and change what is there."""
    inside = isinstance(value, dict | list) and draw(st.integers(0, 4)) > 0
    if not inside or not value:
        return draw(VALUES)
    if isinstance(value, list):
        return _altered_list(draw, cast("list[Json]", value))
    changed = dict(cast("dict[str, Json]", value))
    name = draw(st.sampled_from(sorted(changed)))
    how = draw(st.sampled_from(["change", "change", "change", "drop", "rename", "add"]))
    if how == "change":
        changed[name] = _altered(draw, changed[name])
    elif how == "drop":
        del changed[name]
    elif how == "rename":
        changed[draw(TEXTS)] = changed.pop(name)
    else:
        changed[draw(TEXTS)] = draw(VALUES)
    return changed


def _altered_list(draw: st.DrawFn, value: Sequence[Json]) -> Json:
    place = draw(st.integers(0, len(value) - 1))
    how = draw(st.sampled_from(["change", "change", "drop", "double"]))
    if how == "drop":
        return [*value[:place], *value[place + 1 :]]
    if how == "double":
        return [*value[: place + 1], *value[place:]]
    return [*value[:place], _altered(draw, value[place]), *value[place + 1 :]]


def as_json(value: Json) -> bytes:
    """Write a value as JSON, lone surrogates as escapes and numbers as Python has them."""
    return json.dumps(value).encode()


def attempt(
    parse: Callable[..., object], *args: object, refused: tuple[type[Exception], ...]
) -> object:
    """Parse; gives the value, or the refusal that the parser is documented to raise.

    Anything else goes through, and fails the test.
    """
    try:
        return parse(*args)
    except refused as error:
        told = error
    # Whoever is refused is told why.
    assert str(told).strip(), type(told)
    return told
