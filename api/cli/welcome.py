"""What `obole serve` says once it serves: where, what is real, and keys to try it with."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import parse_qs

from api.books import Books, OpenBook
from api.cli.show import say
from api.database import in_home
from api.demo.books import DEMO_BOOKS, FRENCH
from api.demo.stage import ROLES, issue, load_demonstration
from api.gateways import NOT_PUSHED, Gateways, gateways_file, refuse_undeclared
from ledger.commands.desk import Desk
from ledger.decisions.story import mo_id, mt_id
from ledger.facts.access import Role
from ledger.words import local_day


async def welcome(
    books: Books, address: str, gateways: Gateways, *, empty: bool, keys: bool
) -> None:
    """Furnish new books unless they are to stay `empty`, issue `keys`, and tell all of it.

    Raises:
        GatewaysInvalid: `gateways` names one that a book, now furnished, has not declared.
    """
    say(f"Obole serves {address} (database, API and worker) until Ctrl-C.")
    if home := in_home():
        say(f"Everything is kept{home}.")
    for name, book in books.by_name.items():
        say(f"\nBook {name}: {_base(address, name)}")
        say(await _furnished(book.desk, empty=empty))
    refuse_undeclared(gateways, {name: one.desk.catalogue for name, one in books.by_name.items()})
    if keys:
        for name, book in books.by_name.items():
            await _tell_keys(name, book, _base(address, name), books.clock())
    if gateways_file() is None:
        say(f"\nRenewals, notices and the like wait: {NOT_PUSHED}.")
    say("\nHealth: " + f"{address}/readyz    all operations: {address}/openapi.json")


async def _tell_keys(name: str, book: OpenBook, base: str, now: datetime) -> None:
    merchant = _some_merchant(book.desk)
    issued = await _issue(book.desk, merchant, now)
    book.forget_grants()
    for line in (*_key_lines(name, issued), *_try_lines(book.desk, base, merchant, now)):
        say(line)


def _base(address: str, book: str) -> str:
    return f"{address}/v1/books/{book}"


async def _furnished(desk: Desk, *, empty: bool) -> str:
    """Load the demonstration catalogue into a new book that it is meant for."""
    if desk.catalogue.versions:
        return "  It was here before: its catalogue is as it was left."
    if empty or desk.book not in DEMO_BOOKS:
        return f"  It is new and sells nothing yet: obole catalogue load FILE --book {desk.book}"
    number = await load_demonstration(desk)
    return (
        f"  It is NEW, so the DEMONSTRATION catalogue was loaded ({number} facts). Its merchants,\n"
        "  prices, contracts and shares are FICTIONAL. For a book of your own start with --empty."
    )


def _some_merchant(desk: Desk) -> str | None:
    known = [key[1] for key in desk.catalogue.versions if key[0] == "merchant"]
    home = DEMO_BOOKS.get(desk.book)
    return home.merchant if home and home.merchant in known else next(iter(known), None)


def _gateway(desk: Desk, now: datetime) -> str | None:
    """Give the demonstration's gateway, where the book has declared it."""
    home = DEMO_BOOKS.get(desk.book)
    return home.gateway if home and desk.catalogue.gateway(home.gateway, now) else None


async def _issue(desk: Desk, merchant: str | None, now: datetime) -> Mapping[Role, str]:
    """Issue a key for each role that has somebody to be for: a merchant, the gateway."""
    there = {"merchant": merchant, "gateway": _gateway(desk, now)}
    roles: list[Role] = [role for role in ROLES if there.get(role, True)]
    return {role: (await issue(desk, role, merchant or "")).text for role in roles}


def _key_lines(book: str, issued: Mapping[Role, str]) -> Iterator[str]:
    yield f"\n  Keys of the book {book}, one for each role, good for a day and shown only here:"
    for role, key in issued.items():
        yield f"    export {_variable(book, role)}={key}"


def _variable(book: str, role: Role) -> str:
    """Name what holds a key: the French book's by its role, another's with the book behind it."""
    return role.upper() if book == FRENCH.book else f"{role.upper()}_{book.upper()}"


def _try_lines(desk: Desk, base: str, merchant: str | None, now: datetime) -> Iterator[str]:
    """Give what can be copied: a message in, its receipt, then what each reader sees."""
    month = local_day(now, desk.rules.pack.zone).strftime("%Y-%m")
    key = {role: f"${_variable(desk.book, role)}" for role in ROLES}
    mo = None
    yield "\n  To try, in another shell that has those keys:"
    if (gateway := _gateway(desk, now)) is not None:
        mo = mo_id(desk.book, gateway, parse_qs(DEMO_BOOKS[desk.book].try_mo)["id"][0])
        yield from _gateway_lines(desk.book, f"{base}/kannel/{gateway}", key["gateway"], mo)
    if merchant:
        yield "    # what the merchant has earned by it, once the worker has seen it"
        yield _reading(key["merchant"], f"{base}/merchants/{merchant}/statements/{month}")
    yield "    # the books, and the story of the message"
    yield _reading(key["finance"], f"{base}/trial-balance")
    yield _reading(key["regulator"], f"{base}/exchanges/{mo}" if mo else f"{base}/facts?after=0")


def _gateway_lines(book: str, base: str, key: str, mo: str) -> Iterator[str]:
    yield "    # a consumer writes, and is answered"
    yield f'    curl -i "{base}/mo?key={key}&{DEMO_BOOKS[book].try_mo}"'
    yield "    # a receipt: the answer was delivered (Kannel's type 1), and so it is earned"
    yield f'    curl -i "{base}/dlr?key={key}&mt={mt_id(book, mo)}&type=1"'


def _reading(key: str, where: str) -> str:
    return f'    curl -H "Authorization: Bearer {key}" "{where}"'
