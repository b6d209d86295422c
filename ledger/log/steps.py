"""What a script is made of: what it asks, and what it is answered."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, LiteralString, NamedTuple, TypeVar

from ledger.log.archive import Fetch


class Ask(NamedTuple):
    """One statement with its parameters; the answer is its rows."""

    sql: LiteralString
    params: Sequence[Any] | Mapping[str, Any] = ()


Step = tuple[Ask, ...] | Fetch
"""Statements that are sent together and answered together, or what is to be read from files."""

Answers = list[list[tuple[Any, ...]]]
"""For each statement of a step, or each span, its rows."""

T = TypeVar("T")
Script = Generator[Step, Answers, T]
