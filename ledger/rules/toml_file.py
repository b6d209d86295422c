"""Read a TOML file so that every mistake in it is told at once, each with its place.

Rule packs and settings are written by people, so a file is refused whole, with a list:

    ledger/rules/fr.toml is refused, 2 problems:
      line 41: code_range[3].ceiling: 0.50 loses exactness; write it in quotes, "0.50"
      line 58: service_word[1].source: is missing

Places count entries from 1. Numbers with a decimal point are refused everywhere, since a
binary number cannot hold 0.05.
"""

import tomllib
from collections.abc import Callable, Iterable
from typing import Annotated, NamedTuple, TypeVar, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from ledger.rules.toml_lines import Place, lines_of

STRICT = ConfigDict(strict=True, extra="forbid", frozen=True)
"""What every model of a file is: no coercion, no unknown field, no change afterwards."""

ModelT = TypeVar("ModelT", bound=BaseModel)
ItemT = TypeVar("ItemT")


def _not_empty(items: tuple[ItemT, ...]) -> tuple[ItemT, ...]:
    if not items:
        raise ValueError("must not be empty")
    return items


ListOf = Annotated[tuple[ItemT, ...], Field(strict=False)]
SomeOf = Annotated[tuple[ItemT, ...], Field(strict=False), AfterValidator(_not_empty)]
"""A list with at least one entry; checked last, or a wrong entry would read as none."""

_MOST_DOTS = 200
"""On a line; no text of a few sentences has so many."""
_PLAIN_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is no field that belongs here",
    "model_type": "must be a table",
    "tuple_type": "must be a list",
}


class Problem(NamedTuple):
    """One thing wrong with a file; `line` counts from 1, and is 0 where it is not known."""

    line: int
    place: str
    text: str

    def __str__(self) -> str:
        """Write the problem on one line, as far as its place is known."""
        where = (f"line {self.line}" if self.line else "", self.place, self.text)
        return ": ".join(part for part in where if part)


class FileInvalid(Exception):
    """A file is refused whole; `problems` lists everything that is wrong with it."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(problems))
        count = f"{len(self.problems)} problem{'' if len(self.problems) == 1 else 's'}"
        lines = [f"{file} is refused, {count}:", *(f"  {problem}" for problem in self.problems)]
        super().__init__("\n".join(lines))


class Document:
    """A TOML file read into plain values, which still knows the line of each of them."""

    def __init__(self, raw: bytes) -> None:
        """Parse the file.

        Raises:
            ValueError: it is no UTF-8 text or no TOML; the message names the line.
        """
        text = raw.decode()
        _refuse_deep_keys(text)
        self.problems: list[Problem] = []
        self._lines: dict[Place, int] = {}
        try:
            read = tomllib.loads(text, parse_float=_BareNumber)
            self._lines = lines_of(text)
            self.values = cast("dict[str, object]", self._without_bare_numbers(read, ()))
        except RecursionError:
            raise ValueError("values are nested too deeply") from None

    def problem(self, place: Place, text: str) -> Problem:
        """Say what is wrong at a place, with the nearest line that is known for it."""
        nearest = place
        while nearest and nearest not in self._lines:
            nearest = nearest[:-1]
        return Problem(self._lines.get(nearest, 0), place_text(place), text)

    def validated(
        self, model: type[ModelT], explain: Callable[[Place], str] = lambda _: ""
    ) -> ModelT | None:
        """Give the file as a model, or nothing, adding what is wrong to `problems`.

        `explain` may add to a message what the value at a place is for.
        """
        try:
            return model.model_validate(self.values)
        except ValidationError as error:
            told = {problem.place for problem in self.problems}
            for mistake in error.errors():
                place, text = mistake["loc"], plain_words(mistake)
                if place_text(place) not in told:
                    self.problems.append(self.problem(place, text + explain(place)))
        return None

    def entries(self, name: str) -> list[object]:
        """Give the entries of a list at the top of the file; none if it is no list."""
        value = self.values.get(name)
        return cast("list[object]", value) if isinstance(value, list) else []

    def _without_bare_numbers(self, value: object, place: Place) -> object:
        """Note every bare decimal number, and put its text there so that checking goes on."""
        match value:
            case dict():
                items = cast("dict[str, object]", value).items()
                return {k: self._without_bare_numbers(v, (*place, k)) for k, v in items}
            case list():
                entries = enumerate(cast("list[object]", value))
                return [self._without_bare_numbers(v, (*place, i)) for i, v in entries]
            case _BareNumber():
                advice = f'{value.text} loses exactness; write it in quotes, "{value.text}"'
                self.problems.append(self.problem(place, advice))
                return value.text
            case _:
                return value


def _refuse_deep_keys(text: str) -> None:
    """Refuse a line that could hold a key of so many parts that reading it took minutes.

    Reading a dotted key takes time by the square of its parts, and it stands on one line.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > _MOST_DOTS:
            raise ValueError(f"more than {_MOST_DOTS} dots on a line (at line {number})")


class _BareNumber:
    """The text of a TOML float, never turned into one."""

    def __init__(self, text: str) -> None:
        self.text = text


def place_text(place: Place) -> str:
    """Write a place as a person would: `code_range[3].ceiling`, entries counted from 1."""
    text = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


def plain_words(error: ErrorDetails) -> str:
    """Put one of pydantic's messages into the words used here."""
    plain = _PLAIN_WORDS.get(error["type"])
    return plain or error["msg"].removeprefix("Value error, ")
