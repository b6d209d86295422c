"""The simulated market as it is written: its bytes, its money, and how much memory it takes."""

import tracemalloc
from io import TextIOBase
from pathlib import Path
from typing import IO

import pytest

from api.books import load_rules
from api.importing.lines import Mo, Receipt, Solicitation, Turn, read_line
from api.market.goods import SHOPS, Share, Shop
from api.market.lines import Lines
from api.market.parts import divide
from api.market.simulate import Files, Wanted, simulate
from ledger.money import FixedAmount, Percentage, Rate, split

BYTES_A_MESSAGE = 1_050
"""What the model may remember for each message: consumers, and what is pending. Its two lines alone
would be 300 more, and what Python adds to each."""


def write(folder: Path, book: str = "fr", seed: int = 1, messages: int = 400) -> Files:
    wanted = Wanted(book, seed, 3, messages)
    return simulate(wanted, load_rules()[book], folder, lambda _: None)


def contents(files: Files) -> list[bytes]:
    paths = (files.lines, files.lanes, files.things, files.truth, files.catalogue)
    return [path.read_bytes() for path in paths]


class TestMarket:
    """A market that is written."""

    @pytest.mark.parametrize("book", SHOPS)
    def test_of_the_same_seed_has_the_same_bytes(self, book: str, tmp_path: Path) -> None:
        one, other = write(tmp_path / "a", book), write(tmp_path / "b", book)
        assert contents(one) == contents(other)

    def test_of_another_seed_is_another(self, tmp_path: Path) -> None:
        one, other = write(tmp_path / "a"), write(tmp_path / "b", seed=2)
        assert one.lines.read_bytes() != other.lines.read_bytes()

    @pytest.mark.parametrize("book", SHOPS)
    def test_is_made_of_lines_that_an_import_reads(self, book: str, tmp_path: Path) -> None:
        files = write(tmp_path, book)
        lines = [read_line(raw) for raw in files.lines.read_bytes().splitlines()]
        assert {type(line) for line in lines} == {Mo, Receipt, Solicitation, Turn}
        assert len(files.lanes.read_bytes()) == 4 * len(lines)

    def test_takes_memory_for_its_people_and_not_for_its_lines(self, tmp_path: Path) -> None:
        assert a_message(tmp_path) < BYTES_A_MESSAGE

    def test_that_keeps_its_lines_takes_more(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("api.market.simulate.Lines", KeptLines)
        assert a_message(tmp_path) > BYTES_A_MESSAGE


class KeptLines(Lines):
    """The control: lines that are written, and kept."""

    def __init__(self, lines: IO[str], lanes: IO[bytes], gateway: str) -> None:
        super().__init__(Kept(lines), lanes, gateway)


class Kept(TextIOBase):
    """A file that remembers what was written into it."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.kept: list[str] = []

    def write(self, text: str) -> int:
        self.kept.append(text)
        return self.file.write(text)


def a_message(folder: Path) -> float:
    """Give the bytes that each further message of a market takes."""
    peak(folder, 4_000)  # what is remembered once, whatever the market, is then there
    return (peak(folder, 4_000) - peak(folder, 1_000)) / 3_000


def peak(folder: Path, messages: int) -> int:
    rules = load_rules()["be"]
    tracemalloc.start()
    try:
        simulate(Wanted("be", 1, 3, messages), rules, folder, lambda _: None)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class TestParts:
    """Prices as the model divides them."""

    @pytest.mark.parametrize("shop", SHOPS.values(), ids=SHOPS)
    def test_are_those_that_the_ledger_divides_a_price_into(self, shop: Shop) -> None:
        shares = {one.merchant: one.share for one in shop.merchants}
        for operator in shop.operators:
            for service in shop.services:
                tax = 21 if shop.book == "be" else 0 if service.category == "donation" else 20
                own = shop.particular.get((operator.operator, service.code.tariff))
                share, merchants = own or operator.share, shares[service.merchant]
                for price in filter(None, (service.code.price, service.code.mo_price)):
                    found = split(price, Rate(tax, 100), ledgers(share), ledgers(merchants))
                    amounts = (found.tax, found.operator, found.aggregator, found.merchant)
                    assert divide(price, tax, share, merchants) == (price, *amounts)


def ledgers(share: Share) -> FixedAmount | Percentage:
    """Give a share as the ledger has it."""
    if share.of == "fixed":
        return FixedAmount(share.amount)
    base = "price_net_of_tax" if share.of == "net" else "reversement"
    return Percentage(Rate(share.amount, 10_000), base)
