"""Each part of the benchmark runs, in small, and says what it measured."""

import json
from pathlib import Path

import pytest

from api.bench.main import PARTS, run
from api.bench.stage import FULL, SMALL, grown_to


@pytest.mark.parametrize("part", [name for name in PARTS if name != "peers"])
def test_measures(part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The peers are left out: some of them are installed from elsewhere."""
    plot = tmp_path / "growth.svg" if part == "growth" else None
    run(as_json=True, only=[part], scale=SMALL, plot=plot)
    parts = json.loads(capsys.readouterr().out)["parts"]
    assert list(parts) == [part]
    assert len(parts[part]) > 1
    assert all(figure["a_second"] > 0 for figure in parts[part])
    assert plot is None or "<svg" in plot.read_text()


def test_growth_goes_as_far_as_it_is_told() -> None:
    assert grown_to(None) == FULL
    assert grown_to(2_000_000).grown == (100_000, 1_000_000, 2_000_000)
    assert grown_to(50_000).grown == (50_000,)
