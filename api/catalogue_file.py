"""Read a catalogue as people write it, a TOML file, into the facts that it asks for.

The file says for which book it is and from when its entries count; an entry may say so for
itself. A day means its first moment in the book's own zone. Amounts and percentages stand in
quotes, since a bare number with a decimal point would lose exactness. What is left out of a
file goes on as it was; to end something there are `closed_codes`, `withdrawn_keywords` and
`suspended_services`.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel

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
    WithdrawnKeyword,
)
from api.catalogue_terms import MerchantContract, OperatorContract, Tariff
from api.catalogue_values import Moment, Name
from ledger.decisions.catalogue import Requested
from ledger.rules.toml_file import STRICT, Document, FileInvalid, ListOf, Problem
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

    def entries(self) -> Iterator[tuple[Place, Entry]]:
        """Give every entry with its place."""
        for name in type(self).model_fields:
            value: object = getattr(self, name)
            entries = cast("tuple[Entry, ...]", value) if isinstance(value, tuple) else ()
            for number, entry in enumerate(entries):
                yield (name, number), entry


def read_catalogue(raw: bytes, name: str, book: str, zone: str) -> list[Requested]:
    """Read a file, called `name`, for a book whose days are told in `zone`.

    Raises:
        CatalogueFileInvalid: it is no TOML, has unknown or impossible values, or is
            meant for another book.
    """
    try:
        document = Document(raw)
    except ValueError as error:
        problem = Problem(0, "", f"is no TOML file: {error}")
        raise CatalogueFileInvalid(name, [problem]) from error
    contents = document.validated(Contents)
    problems = [*document.problems]
    if contents is not None and contents.book != book:
        text = f"is meant for the book {contents.book}, not for {book}"
        problems.append(document.problem(("book",), text))
    if contents is None or problems:
        raise CatalogueFileInvalid(name, problems)
    return list(_requested(contents, document, zone))


def _requested(contents: Contents, document: Document, zone: str) -> Iterator[Requested]:
    """Give what each entry asks for, in the order in which the file is written."""
    entries = list(contents.entries())
    for place, entry in sorted(entries, key=lambda each: document.problem(each[0], "").line):
        since = _instant(entry.effective_from or contents.effective_from, zone)
        for number, fact in enumerate(entry.facts(since)):
            yield Requested(
                fact,
                str(document.problem(place, "")),
                _fields(place, entry, number, document),
            )


def _fields(place: Place, entry: Entry, number: int, document: Document) -> dict[str, str]:
    """Write where each field of an entry's fact stands: `line 41: tariffs[2].price`.

    `number` counts the facts of the entry from 0: those of a code follow its operators.
    """
    steps: dict[str, Place] = {field: (*place, key) for field, key in entry.fields().items()}
    if isinstance(entry, Code | ClosedCode):
        steps["operator"] = (*place, "operators", number)
    if entry.effective_from is None:
        steps["effective_from"] = ("effective_from",)
    found = {field: document.problem(step, "") for field, step in steps.items()}
    return {field: str(found[field]) for field in sorted(found, key=lambda each: found[each].line)}


def _instant(moment: date, zone: str) -> datetime:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time.min, ZoneInfo(zone))
    return moment.astimezone(UTC)
