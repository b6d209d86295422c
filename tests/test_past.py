"""A long past: decisions read little of it, and decide as on the whole of it."""

import msgspec
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from ledger.facts.base import Recorded
from tests.support.book import Book
from tests.support.effort import WHOLE_HISTORIES
from tests.support.long_pasts import ALL, HISTORIES, MARKETS, Market, Step, live

EACH = pytest.mark.parametrize("market", MARKETS.values(), ids=MARKETS)


def bare(book: Book) -> list[tuple[object, ...]]:
    """Give what was recorded, without what a new key makes another."""
    return [_bare(one) for one in book.recorded]


def _bare(one: Recorded) -> tuple[object, ...]:
    made_by_keys = {"text": None, "fingerprint": "0" * 32}
    has = {name: made_by_keys[name] for name in made_by_keys if hasattr(one.fact, name)}
    return (one.id, one.exchange, one.caused_by, msgspec.structs.replace(one.fact, **has))


@EACH
class TestAnyHistory:
    """Messages one by one and in batches, late ones, receipts for old ones, renewals, imports."""

    @WHOLE_HISTORIES
    @drawn(steps=HISTORIES, long=st.sampled_from([0, 0, 3]), kept=st.sampled_from([0, 0, 10]))
    def test_is_decided_as_on_the_whole_past(
        self, market: Market, steps: list[Step], long: int, kept: int
    ) -> None:
        assert bare(live(market, steps, long=long, kept=kept)) == bare(
            live(market, steps, long=ALL)
        )
