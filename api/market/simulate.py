"""Writes a whole market into a folder: catalogue, lines, whose they are, and the truth beside."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random
from typing import NamedTuple

from api.market.calendars import Calendar
from api.market.catalogue import written
from api.market.goods import SHOPS
from api.market.lines import Lines
from api.market.market import Market
from api.market.trade import Trade
from api.market.truth import Truth
from ledger.rules.resolve import RuleBook

FIRST_DAY = date(2026, 10, 5)
"""A month from then on has a change of clocks and a change of months in it."""
MOST_DAYS = 56
"""As long as an alias can be reached: beyond that the model would have to count it."""


class Wanted(NamedTuple):
    """Which market is to be played."""

    book: str
    seed: int
    days: int
    messages: int
    hours_a_turn: int = 1
    """How far apart the worker's turns are."""


class Files:
    """What a market consists of on disk."""

    def __init__(self, folder: Path, book: str) -> None:
        self.catalogue = folder / f"{book}.catalogue.toml"
        self.lines = folder / f"{book}.ndjson"
        self.lanes = folder / f"{book}.lanes"
        self.things = folder / f"{book}.things.tsv"
        self.truth = folder / f"{book}.truth.json"


def simulate(wanted: Wanted, rules: RuleBook, folder: Path, show: Callable[[int], None]) -> Files:
    """Play a market into a folder; `show` is told how many messages were played."""
    folder.mkdir(parents=True, exist_ok=True)
    files, shop = Files(folder, wanted.book), SHOPS[wanted.book]
    files.catalogue.write_text(written(shop), encoding="utf-8")
    calendar = Calendar(shop.zone, FIRST_DAY, wanted.days)
    with (
        files.things.open("w", encoding="utf-8") as things,
        files.lines.open("w", encoding="utf-8") as out,
        files.lanes.open("wb") as lanes,
    ):
        truth = Truth(things)
        trade = Trade(shop, rules, calendar, truth)
        lines = Lines(out, lanes, shop.gateway)
        market = Market(trade, lines, Random(wanted.seed), wanted.messages)  # noqa: S311 - chance that comes again
        market.play(wanted.days, show, wanted.hours_a_turn)
        market.end()
        lines.close()
    text = {**wanted._asdict(), "lines": lines.count, **truth.written()}
    files.truth.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    return files
