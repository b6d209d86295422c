"""What commands that read a projection share: to ask it, and to say up to where it is complete."""

from typing import Any, TypeVar

import typer
from pydantic import BaseModel

from api.cli.desks import connection_to, migrated_database
from api.cli.months import refuse_unregistered
from api.cli.show import say
from api.shapes import first_day
from projections.reading import Answer, Read, Watermark, answer

T = TypeVar("T")

BAR_WIDTH = 12
"""Characters that the greatest of the values takes."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def month_given(text: str | None) -> str | None:
    """Check a month that may be left out.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        given = text and f"{first_day(text):%Y-%m}"
    except ValueError:
        given = None
    if given != text:
        raise typer.BadParameter(f"{text!r} is no month such as 2026-08")
    return text


def ask(book: str, read: Read[T], merchant: str | None = None) -> Answer[T]:
    """Ask a projection of a book; `merchant` is whom the question is about, if one.

    Raises:
        CommandRefused: the book is not open, or the database was not migrated.
        MerchantNotRegistered: there is no such merchant.
        NotProjected: no worker has run in this book.
    """
    with migrated_database() as database, connection_to(database, book) as connection:
        if merchant is not None:
            refuse_unregistered(connection, book, merchant)
        return answer(connection, book, read)


def marked(watermark: Watermark, told: BaseModel) -> dict[str, Any]:
    """Write an answer for a program, with up to where it is complete."""
    mark = {"position": watermark.position, "recorded_at": watermark.recorded_at}
    return {"book": watermark.book, **mark, **told.model_dump(mode="json")}


PROVISIONAL = ". Provisional: it may still change."


def say_mark(watermark: Watermark, more: str = "") -> None:
    """Tell a person up to where the answer is complete, in the same words everywhere."""
    of = (
        f", the last of {watermark.recorded_at:%Y-%m-%d %H:%M} UTC" if watermark.recorded_at else ""
    )
    say(f"{watermark.book}: complete up to position {watermark.position:,}{of}{more}")


def bar(value: int, greatest: int, width: int = BAR_WIDTH) -> str:
    """Draw a value as a bar, to the eighth of a character; what is something is never nothing."""
    if value <= 0 or greatest <= 0:
        return ""
    eighths = max(1, value * width * 8 // greatest)
    full, rest = divmod(eighths, 8)
    return "█" * full + _EIGHTHS[rest].strip()
