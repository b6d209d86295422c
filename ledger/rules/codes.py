"""Ranges of short codes, written as people write them: `92xxx` is 92000 to 92999."""

from functools import lru_cache

PATTERN = r"^[0-9x]{3,8}$"
"""Digits, and an `x` for any digit; a range holds only codes of its own length."""


@lru_cache(maxsize=4096)
def covers(pattern: str, code: str) -> bool:
    """Tell whether a code, or the whole of a narrower range, lies within a range."""
    return len(pattern) == len(code) and all(
        wide in {"x", narrow} for wide, narrow in zip(pattern, code, strict=True)
    )


def overlap_unclearly(one: str, other: str) -> bool:
    """Tell whether two ranges share codes while neither lies within the other.

    The narrower of two nested ranges wins; for ranges that cross nobody could say which.
    Equal ranges are unclear too.
    """
    meet = len(one) == len(other) and all(
        "x" in (a, b) or a == b for a, b in zip(one, other, strict=True)
    )
    return meet and covers(one, other) == covers(other, one)
