"""The ids of what is decided: each follows from its subject, and never changes between releases.

A repeat is known by its id, so one that is derived otherwise would be charged a second time.
"""

from collections.abc import Callable
from datetime import date

import pytest

from ledger.decisions.charging import charge_id
from ledger.decisions.finding import finding_id
from ledger.decisions.pushed import pushed_mt_id
from ledger.decisions.refund import refund_id
from ledger.decisions.solicitation import solicitation_id
from ledger.decisions.story import mo_id, mt_id
from ledger.decisions.subscribed import cycle_id
from ledger.decisions.write_off import write_off_id
from ledger.words import derived_id


class TestEachId:
    """Worked out from its parts, the book first and then what kind of thing it names."""

    @pytest.mark.parametrize(
        ("name", "given", "parts"),
        [
            pytest.param(mo_id, ("fr", "g", "7"), ("fr", "mo", "g", "7", ""), id="message"),
            pytest.param(
                mo_id,
                ("fr", "g", "7", "2026-08-01"),
                ("fr", "mo", "g", "7", "2026-08-01"),
                id="message of a gateway that uses its ids again",
            ),
            pytest.param(mt_id, ("fr", "c"), ("fr", "mt", "c", "answer", 0), id="answer"),
            pytest.param(
                pushed_mt_id, ("fr", "c", "renewal"), ("fr", "mt", "c", "renewal", 0), id="pushed"
            ),
            pytest.param(
                pushed_mt_id,
                ("fr", "c", "renewal", 2),
                ("fr", "mt", "c", "renewal", 2),
                id="pushed in parts",
            ),
            pytest.param(charge_id, ("fr", "c", "mt"), ("fr", "charge", "c", "mt"), id="charge"),
            pytest.param(refund_id, ("fr", "c", "r-1"), ("fr", "refund", "c", "r-1"), id="refund"),
            pytest.param(
                write_off_id, ("fr", "c", "w-1"), ("fr", "write_off", "c", "w-1"), id="write-off"
            ),
            pytest.param(
                finding_id,
                ("fr", "billed_twice", "s"),
                ("fr", "finding", "billed_twice", "s"),
                id="finding",
            ),
            pytest.param(
                cycle_id,
                ("fr", "s", date(2026, 8, 1)),
                ("fr", "cycle", "s", "2026-08-01"),
                id="cycle",
            ),
            pytest.param(
                solicitation_id,
                ("fr", "ludotel", "a-1"),
                ("fr", "solicitation", "ludotel", "a-1"),
                id="solicitation",
            ),
        ],
    )
    def test_follows_from_its_parts(
        self, name: Callable[..., str], given: tuple[object, ...], parts: tuple[str | int, ...]
    ) -> None:
        assert name(*given) == derived_id(*parts)
