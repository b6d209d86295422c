"""`obole key`: who may come in. A key's secret is shown once, when it is issued, and never kept."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, TypeVar

import typer

from api.cli.desks import BookName, connection_to, migrated_database, rules_of
from api.cli.show import AsJson, aside, print_json, print_table, say, table
from api.clock import system_clock
from api.desks import keyless_desk
from ledger.access import Grants
from ledger.commands.access import Wanted, issue_key, read_grants, revoke_key
from ledger.commands.desk import Desk
from ledger.facts.registry import Origin

app = typer.Typer(no_args_is_help=True, help="Issue, revoke and list the keys of a book.")

T = TypeVar("T")


class RoleName(StrEnum):
    """What a key may be for."""

    gateway = "gateway"
    merchant = "merchant"
    finance = "finance"
    regulator = "regulator"
    admin = "admin"


_ROLES = f"What the key opens. One of: {', '.join(RoleName)}."


@app.command()
def issue(
    role: Annotated[RoleName, typer.Option(metavar="ROLE", help=_ROLES)],
    label: Annotated[str, typer.Option(help="Whose key it is and for what, in your own words.")],
    only: Annotated[
        str | None,
        typer.Option(help="The merchant that a merchant's key sees, or a gateway's own name."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="For how long it opens.")] = 90,
    book: BookName = "fr",
    *,
    as_json: AsJson = False,
) -> None:
    """Issue a key. It is shown this once: keep it where its holder can read it and nobody else."""
    now = system_clock()
    merchant, gateway = (None, only) if role is RoleName.gateway else (only, None)
    wanted = Wanted(role.value, label, now + timedelta(days=days), merchant, gateway)
    issued = _at_desk(book, lambda desk: issue_key(desk, wanted, Origin(book, "cli"), now))
    grant = issued.grant
    if as_json:
        about = {
            "id": grant.key,
            "role": grant.role,
            "merchant": grant.merchant,
            "gateway": grant.gateway,
        }
        print_json({"key": issued.text, **about, "label": label, "expires_at": grant.expires_at})
        return
    aside(
        f"key {grant.key}, {role.value}, opens {book} until {grant.expires_at:%Y-%m-%d %H:%M} UTC"
    )
    aside("This is the only time that it is shown:")
    say(issued.text)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id: 16 digits, as `obole key list` shows.")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")] = "revoked by an operator",
    book: BookName = "fr",
) -> None:
    """Revoke a key. A running API heeds it within about a second."""
    now = system_clock()
    _at_desk(book, lambda desk: revoke_key(desk, key, reason, Origin(book, "cli"), now))
    say(f"key {key} opens nothing any more")


@app.command("list")
def list_keys(book: BookName = "fr", *, as_json: AsJson = False) -> None:
    """List the keys of a book; their secrets are nowhere."""
    grants = _at_desk(book, lambda desk: read_grants(desk, Grants()))
    lines = list(_lines(grants, system_clock()))
    if as_json:
        print_json(lines)
        return
    shown = table(f"Keys of {book}", ("=id", "=role", "=only", "label", "until", "state"), ())
    for line in lines:
        until = f"{line['expires_at']:%Y-%m-%d %H:%M}"
        only = line["merchant"] or line["gateway"] or ""
        cells = (line["id"], line["role"], only, line["label"], until)
        shown.add_row(*map(str, cells), str(line["state"]))
    print_table(shown)


def _lines(grants: Grants, now: datetime) -> list[dict[str, object]]:
    return [
        {
            "id": grant.key,
            "role": grant.role,
            "merchant": grant.merchant,
            "gateway": grant.gateway,
            "label": grant.label,
            "granted_at": grant.occurred_at,
            "expires_at": grant.expires_at,
            "state": _state(grants, grant.key, now),
        }
        for grant in grants.granted.values()
    ]


def _state(grants: Grants, key: str, now: datetime) -> str:
    if key in grants.revoked:
        return "revoked"
    return "expired" if grants.granted[key].expires_at <= now else "open"


def _at_desk(book: str, command: Callable[[Desk], Awaitable[T]]) -> T:
    """Carry a command out in a book that is open."""
    rules = rules_of(book)

    async def run() -> T:
        async with keyless_desk(database.app_url, book, rules) as desk:
            return await command(desk)

    with migrated_database() as database:
        with connection_to(database, book):
            pass  # only to see that it is open
        return asyncio.run(run())
