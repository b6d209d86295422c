"""The world in one process: the same again for a seed, wrong when it is flawed, and short then."""

import os
import subprocess
import sys

import pytest

from tests.support.tidy import ROOT
from tests.torture.world import FLAWS, first_caught, shortened
from tests.torture.world_log import Flaws
from tests.torture.world_one import drawn, play

SEED = 3
PRINTS_TRACE = """
from tests.torture.world_one import drawn, play
print(play({seed}, *drawn({seed})).trace)
"""
STOPLESS = FLAWS["a decision that forgets STOP"]


class TestWorld:
    """All that happens in a world follows from its seed."""

    def test_is_the_same_again_in_another_process(self) -> None:
        traces = {
            subprocess.run(
                [sys.executable, "-c", PRINTS_TRACE.format(seed=SEED)],
                check=True,
                capture_output=True,
                text=True,
                cwd=ROOT,
                env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": str(ROOT)},
            ).stdout.strip()
            for salt in ("1", "2")
        }
        assert traces == {play(SEED, *drawn(SEED)).trace}

    def test_of_another_seed_is_another(self) -> None:
        assert play(SEED, *drawn(SEED)).trace != play(SEED + 1, *drawn(SEED + 1)).trace

    def test_holds_what_the_model_is_about(self) -> None:
        kinds = {name for seed in range(60) for name in play(seed, *drawn(seed)).kinds}
        assert {
            "ConflictingDuplicateReceived", "OptedOut", "OptOutLifted", "ChargeRefused",
            "ChargeCaptured", "ChargeReleased", "ChargeRefunded", "RefundRefused", "NoticeSent",
            "DeliveryOrphaned", "SubscriptionStarted", "SubscriptionRenewed", "SubscriptionStopped",
            "SolicitationRefused", "ServiceSuspended", "FindingOpened", "FindingClosed",
        } <= kinds  # fmt: skip


class TestShortened:
    """A world that goes wrong, with only the acts that it needs."""

    def test_keeps_what_it_takes_and_goes_wrong_again(self) -> None:
        caught = first_caught(STOPLESS, SEED)
        assert caught is not None
        seed = SEED * 1_000_000 + caught[0] - 1
        land, acts = drawn(seed)
        wrong = shortened(seed, STOPLESS)
        assert len(wrong.acts) < len(acts) / 4
        assert play(seed, land, wrong.acts, STOPLESS).wrong == wrong.wrong
        assert "STOP" in str(wrong)


class TestFlaws:
    """What the controls do wrong."""

    @pytest.mark.parametrize("field", Flaws._fields)
    def test_are_each_tried(self, field: str) -> None:
        sound = getattr(Flaws(), field)
        assert any(getattr(one, field) != sound for one in FLAWS.values())
