"""What `obole serve` says once it serves: where, what is real, and keys to try it with."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from api.books import Books
from api.cli.show import say
from api.demo.stage import BOOK, GATEWAY, MERCHANT, ROLES, issue, load_demonstration
from ledger.commands.desk import Desk
from ledger.facts.access import Role
from ledger.words import local_day

_TRY_MO = "id=try-1&smsc=orange-fr&from=33000100001&to=81014&text=JEU+B"


async def welcome(books: Books, address: str, *, empty: bool, keys: bool) -> None:
    """Furnish new books unless they are to stay `empty`, issue `keys`, and tell all of it."""
    say(f"Obole serves {address} (database, API and worker) until Ctrl-C.")
    for name, book in books.by_name.items():
        base = f"{address}/v1/books/{name}"
        say(f"\nBook {name}: {base}")
        say(await _furnished(book.desk, empty=empty))
        if keys:
            merchant = _some_merchant(book.desk)
            issued = await _issue(book.desk, merchant, books.clock())
            book.forget_grants()
            for line in (
                *_key_lines(issued),
                *_try_lines(book.desk, base, merchant, books.clock()),
            ):
                say(line)
    say("\nHealth: " + f"{address}/readyz    all operations: {address}/openapi.json")


async def _furnished(desk: Desk, *, empty: bool) -> str:
    """Load the demonstration catalogue into a new book that it is meant for."""
    if desk.catalogue.versions:
        return "  It was here before: its catalogue is as it was left."
    if empty or desk.book != BOOK:
        return f"  It is new and sells nothing yet: obole catalogue load FILE --book {desk.book}"
    number = await load_demonstration(desk)
    return (
        f"  It is NEW, so the DEMONSTRATION catalogue was loaded ({number} facts). Its merchants,\n"
        "  prices, contracts and shares are FICTIONAL. For a book of your own start with --empty."
    )


def _some_merchant(desk: Desk) -> str | None:
    known = [key[1] for key in desk.catalogue.versions if key[0] == "merchant"]
    return MERCHANT if MERCHANT in known else next(iter(known), None)


async def _issue(desk: Desk, merchant: str | None, now: datetime) -> Mapping[str, str]:
    """Issue a key for each role that has somebody to be for: a merchant, the gateway."""
    there = {"merchant": merchant, "gateway": desk.catalogue.gateway(GATEWAY, now)}
    roles: list[Role] = [role for role in ROLES if there.get(role, True)]
    return {role: (await issue(desk, role, merchant or "")).text for role in roles}


def _key_lines(issued: Mapping[str, str]) -> Iterator[str]:
    yield "\n  Keys, one for each role, good for a day and shown only here:"
    for role, key in issued.items():
        yield f"    export {role.upper()}={key}"


def _try_lines(desk: Desk, base: str, merchant: str | None, now: datetime) -> Iterator[str]:
    """Give what can be copied: a message in, then what each reader sees."""
    month = local_day(now, desk.rules.pack.zone).strftime("%Y-%m")
    yield "\n  To try, in another shell that has those keys:"
    if desk.catalogue.gateway(GATEWAY, now):
        yield f'    curl -i "{base}/kannel/{GATEWAY}/mo?key=$GATEWAY&{_TRY_MO}"'
    if merchant:
        where = f"{base}/merchants/{merchant}/statements/{month}"
        yield f'    curl -H "Authorization: Bearer $MERCHANT" {where}'
    yield f'    curl -H "Authorization: Bearer $FINANCE" {base}/trial-balance'
    yield f'    curl -H "Authorization: Bearer $REGULATOR" "{base}/facts?after=0"'
