"""What commands about a month share: how it is named, who is registered."""

from typing import Annotated

import typer
from psycopg import Connection

from api.shapes import first_day
from ledger.decisions.refusals import MerchantNotRegistered
from ledger.facts.catalogue import MerchantRegistered
from ledger.facts.registry import stored_name
from ledger.facts.tags import TRADE, TagRefused, tag
from ledger.log.postgres import PostgresLog
from ledger.log.rows import Interest


def _month(text: str) -> str:
    try:
        first = first_day(text)
    except ValueError:
        first = None
    if first is None or f"{first:%Y-%m}" != text:
        raise typer.BadParameter(f"{text!r} is no month such as 2026-08", param_hint="MONTH")
    return text


MonthName = Annotated[
    str, typer.Argument(callback=_month, help="A local month of the book, such as 2026-08.")
]


def refuse_unregistered(connection: Connection, book: str, merchant: str) -> None:
    """Tell a merchant of whom nothing is recorded in a month from one that is not there.

    Raises: MerchantNotRegistered.
    """
    try:
        tags = (TRADE, tag("merchant", merchant))
    except TagRefused:
        raise MerchantNotRegistered(merchant) from None
    interest = Interest(tags, frozenset({stored_name(MerchantRegistered)}))
    rows, _ = PostgresLog(connection, book).read((interest,))
    if not rows:
        raise MerchantNotRegistered(merchant)
