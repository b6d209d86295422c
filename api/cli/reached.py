"""How gateways are reached, as a command that pushes to them asks: checked against the books."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from api.desks import keyless_desk
from api.gateways import Gateways, refuse_undeclared
from ledger.catalogue import Catalogue
from ledger.log.errors import UnknownBook
from ledger.rules.resolve import RuleBook


def refuse_strangers(gateways: Gateways, app_url: str, rules: Mapping[str, RuleBook]) -> None:
    """See that every book that is open has declared the gateways that the file names for it.

    Raises:
        GatewaysInvalid: one has not.
        LogError, psycopg.OperationalError: the database is away.
    """
    asked = {book: rules[book] for book in gateways}
    refuse_undeclared(gateways, asyncio.run(_catalogues(app_url, asked)))


async def _catalogues(app_url: str, rules: Mapping[str, RuleBook]) -> dict[str, Catalogue]:
    catalogues: dict[str, Catalogue] = {}
    for book, rule_book in rules.items():
        async with keyless_desk(app_url, book, rule_book) as desk:
            # One that nobody opened yet has declared none, and must not keep the others waiting.
            with suppress(UnknownBook):
                catalogues[book] = await desk.refresh()
    return catalogues
