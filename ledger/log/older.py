"""Scripts that read what is archived; the database itself is always asked before them."""

from collections.abc import Sequence

from ledger.log import archive
from ledger.log import statements as sql
from ledger.log.archive import Archive, Fetch, Span
from ledger.log.errors import FactsMissing
from ledger.log.rows import StoredRow
from ledger.log.steps import Ask, Script


def before(
    book: str, after: int, upto: int, rows: list[StoredRow], *, tagged: bool = True
) -> Script[list[StoredRow]]:
    """Put what is archived before the rows that the database has of a range, which are the last.

    The database is asked first: what left it meanwhile is then known to be in a file.

    Raises:
        FactsMissing: Between the two, or after what is archived, are some that neither has.
    """
    last = rows[0].position - 1 if rows else upto
    if last <= after:
        return rows
    archives = yield from _archives(book, after, last)
    reached = min(archives[-1].last, last) if archives else after
    if rows and reached < last:
        raise FactsMissing(f"{book}: positions {reached + 1} to {last} cannot be found")
    if not archives:
        return rows
    (old,) = yield Fetch(book, archives, [Span(after + 1, reached)], tagged)
    return [StoredRow(*row) for row in old] + rows


def older(book: str, spans: Sequence[Span]) -> Script[list[StoredRow]]:
    """Read what is archived of some spans, in their order.

    Raises:
        FactsMissing: What is not archived is not in the database either.
    """
    found = yield from fetched(book, spans)
    return [row for rows in found for row in rows]


def fetched(book: str, spans: Sequence[Span]) -> Script[list[list[StoredRow]]]:
    """Read what is archived of each of some spans; there is at least one. Raises as `older`."""
    first, last = min(one.first for one in spans), max(one.last for one in spans)
    archives = yield from _archives(book, first - 1, last)
    if not archives:
        return [[] for _ in spans]
    answers = yield Fetch(book, archives, spans)
    return [[StoredRow(*row) for row in rows] for rows in answers]


def _archives(book: str, after: int, upto: int) -> Script[list[Archive]]:
    records, gone = yield (Ask(sql.ARCHIVES, (book, after, upto)), Ask(sql.GONE, {"book": book}))
    for first, head in gone:
        raise FactsMissing(f"{book}: of positions {first} to {head}, the first cannot be found")
    archives = [Archive(*record) for record in records]
    if files := archive.unknown(archives):
        (sums,) = yield (Ask(sql.CHUNKS, (files,)),)
        archive.know(archives, dict(sums))
    return archives
