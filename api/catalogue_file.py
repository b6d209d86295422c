"""Read a catalogue as people write it, a TOML file, into the facts that it asks for.

The file says for which book it is and from when its entries count; an entry may say so for
itself. A day means its first moment in the book's own zone. Amounts and percentages stand in
quotes, since a bare number with a decimal point would lose exactness. What is left out of a
file goes on as it was; to end something there are `closed_codes`, `withdrawn_keywords` and
`suspended_services`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from api.catalogue_entry import Entry
from api.catalogue_kinds import (
    ClosedCode,
    Code,
    Gateway,
    Keyword,
    Merchant,
    ResumedService,
    Service,
    SuspendedService,
    TestNumber,
    WithdrawnKeyword,
)
from api.catalogue_terms import MerchantContract, OperatorContract, Tariff
from api.catalogue_values import Moment, Name
from api.limits import MOST_ERRORS
from ledger.commands.numbers import NumberWanted
from ledger.decisions.catalogue import Requested
from ledger.rules.toml_file import (
    STRICT,
    Document,
    FileInvalid,
    ListOf,
    place_text,
    plain_words,
)
from ledger.rules.toml_file import Problem as FileProblem
from ledger.rules.toml_lines import Place


class CatalogueFileInvalid(FileInvalid):
    """A catalogue file cannot be read; the text names every place that is wrong."""


class Contents(BaseModel):
    """A catalogue file, its lists in the order in which it is best read."""

    model_config = STRICT

    book: Name
    effective_from: Moment
    gateways: ListOf[Gateway] = ()
    merchants: ListOf[Merchant] = ()
    codes: ListOf[Code] = ()
    closed_codes: ListOf[ClosedCode] = ()
    services: ListOf[Service] = ()
    keywords: ListOf[Keyword] = ()
    withdrawn_keywords: ListOf[WithdrawnKeyword] = ()
    tariffs: ListOf[Tariff] = ()
    operator_contracts: ListOf[OperatorContract] = ()
    merchant_contracts: ListOf[MerchantContract] = ()
    suspended_services: ListOf[SuspendedService] = ()
    resumed_services: ListOf[ResumedService] = ()
    test_numbers: ListOf[TestNumber] = ()

    def entries(self) -> Iterator[tuple[Place, Entry]]:
        """Give every entry with its place."""
        for name in type(self).model_fields:
            value: object = getattr(self, name)
            entries = cast("tuple[Entry, ...]", value) if isinstance(value, tuple) else ()
            for number, entry in enumerate(entries):
                yield (name, number), entry


Asked = Requested | NumberWanted
"""What one entry asks for: a fact, or a number that has no pseudonym yet."""
WhereIs = Callable[[Place], FileProblem]
"""Says where a place is, as a problem without a text; its line is 0 where there are no lines."""


def read_catalogue(raw: bytes, name: str, book: str, zone: str) -> list[Asked]:
    """Read a file, called `name`, for a book whose days are told in `zone`.

    Raises:
        CatalogueFileInvalid: it is no TOML, has unknown or impossible values, or is
            meant for another book.
    """
    try:
        document = Document(raw)
    except ValueError as error:
        problem = FileProblem(0, "", f"is no TOML file: {error}")
        raise CatalogueFileInvalid(name, [problem]) from error
    contents = document.validated(Contents)
    problems = [*document.problems]
    if contents is not None and contents.book != book:
        problems.append(document.problem(("book",), _other_book(contents.book, book)))
    if contents is None or problems:
        raise CatalogueFileInvalid(name, problems)
    return list(_asked(contents, lambda place: document.problem(place, ""), zone))


def read_values(values: Mapping[str, object], book: str, zone: str) -> list[Asked]:
    """Read what a file would say, as values that came otherwise; a day or instant is a text.

    Raises:
        CatalogueFileInvalid: as for a file; the places have no lines.
    """
    try:
        contents = Contents.model_validate(_with_moments(values))
    except ValidationError as error:
        wrong = error.errors()
        # A file is told all that is wrong with it; a request of the same size, no more than fits.
        told = wrong[: MOST_ERRORS - 1]
        problems = [FileProblem(0, place_text(one["loc"]), plain_words(one)) for one in told]
        if len(wrong) > len(told):
            more = f"{len(wrong) - len(told)} more are not listed"
            problems.append(FileProblem(0, "", more))
        raise CatalogueFileInvalid("the catalogue", problems) from error
    if contents.book != book:
        problem = FileProblem(0, "book", _other_book(contents.book, book))
        raise CatalogueFileInvalid("the catalogue", [problem])
    return list(_asked(contents, lambda place: FileProblem(0, place_text(place), ""), zone))


def _other_book(meant: str, book: str) -> str:
    return f"is meant for the book {meant}, not for {book}"


def _with_moments(values: Mapping[str, object]) -> dict[str, object]:
    """Turn the days and instants of a JSON value into what a TOML file gives for them."""
    found = dict(values)
    if "effective_from" in found:
        found["effective_from"] = _moment(found["effective_from"])
    for name, entries in found.items():
        if isinstance(entries, list):
            found[name] = [_entry(one) for one in cast("list[object]", entries)]
    return found


def _entry(entry: object) -> object:
    if not isinstance(entry, dict) or "effective_from" not in entry:
        return cast("object", entry)
    values = cast("dict[str, object]", entry)
    return {**values, "effective_from": _moment(values["effective_from"])}


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    for kind in (date, datetime):
        with suppress(ValueError):
            return kind.fromisoformat(value)
    return value


def _asked(contents: Contents, where: WhereIs, zone: str) -> Iterator[Asked]:
    """Give what each entry asks for, in the order in which the file is written."""
    entries = list(contents.entries())
    for place, entry in sorted(entries, key=lambda each: where(each[0]).line):
        since = _instant(entry.effective_from or contents.effective_from, zone)
        if isinstance(entry, TestNumber):
            yield entry.wanted(since, str(where(place)), _fields(place, entry, 0, where))
            continue
        for number, fact in enumerate(entry.facts(since)):
            yield Requested(fact, str(where(place)), _fields(place, entry, number, where))


def _fields(place: Place, entry: Entry, number: int, where: WhereIs) -> dict[str, str]:
    """Write where each field of an entry's fact stands: `line 41: tariffs[2].price`.

    `number` counts the facts of the entry from 0: those of a code follow its operators.
    """
    steps: dict[str, Place] = {field: (*place, key) for field, key in entry.fields().items()}
    if isinstance(entry, Code | ClosedCode):
        steps["operator"] = (*place, "operators", number)
    if entry.effective_from is None:
        steps["effective_from"] = ("effective_from",)
    found = {field: where(step) for field, step in steps.items()}
    return {field: str(found[field]) for field in sorted(found, key=lambda each: found[each].line)}


def _instant(moment: date, zone: str) -> datetime:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time.min, ZoneInfo(zone))
    return moment.astimezone(UTC)
