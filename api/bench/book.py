"""The book that is measured: the demonstration's, on a real server with fsync on."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from importlib import resources

from api.books import Books, load_rules
from api.catalogue_file import read_catalogue
from api.clock import system_clock
from ledger.commands.catalogue import load_catalogue
from ledger.commands.desk import Desk, data_key_of, encode
from ledger.decisions import exchange
from ledger.decisions.asked import read
from ledger.decisions.story import Known, Mo, mo_id
from ledger.facts.registry import Origin
from ledger.log.batch import AnyRow, Proposal
from ledger.log.rows import Row
from ledger.vault import FileMasterKey, new_data_key

BOOK = "fr"
GATEWAY = "kannel-fr"
LINK, OPERATOR = "orange-fr", "20801"
ORIGIN = Origin(BOOK, "bench")
EACH = 4
"""Facts of an exchange that is charged."""


@asynccontextmanager
async def opened(url: str, master: FileMasterKey) -> AsyncGenerator[Books]:
    """Give the book, open and with its catalogue."""
    rules = {BOOK: load_rules()[BOOK]}
    file = resources.files("api.demo").joinpath("catalogue.toml").read_bytes()
    async with Books.open(url, rules, master, system_clock) as books:
        desk = books.by_name[BOOK].desk
        requested = read_catalogue(file, "catalogue.toml", BOOK, rules[BOOK].pack.zone)
        await load_catalogue(desk, requested, ORIGIN, system_clock(), has_traffic=False)
        yield books


def exchanges(desk: Desk, count: int, run: str, at: datetime) -> Iterator[Proposal]:
    """Decide on `count` messages, each a charged exchange of four facts, rows ready to append."""
    known = desk.known(at)
    for number in range(count):
        yield _exchange(known, f"{run}-{number}", at)


def _exchange(known: Known, name: str, at: datetime) -> Proposal:
    mo = Mo(
        mo=mo_id(BOOK, GATEWAY, name),
        gateway=GATEWAY,
        smsc=LINK,
        gateway_message_id=name,
        operator_message_id=None,
        consumer=f"1_{mo_id(BOOK, 'consumer', name)}",
        short_code="81014",
        operator=OPERATOR,
        sender=name,
        text="JEU bonjour",
        fingerprint=mo_id(BOOK, "fingerprint", name),
        occurred_at=at,
        stated_at=None,
    )
    asked = read(mo, known)
    drafts = exchange.receive(asked, (), lambda _: None)
    keys = {data_key_of(drafts[0].fact): new_data_key()}
    rows = [encode(draft, ORIGIN, keys) for draft in drafts]

    def ready(_: Sequence[AnyRow]) -> Sequence[Row]:
        return rows

    return Proposal(exchange.rests_on(asked), ready)
