"""What the documents show is what the commands print."""

import re
from pathlib import Path

import pytest

from api.bench.appending import BATCHES
from api.bench.main import PARTS
from tests.support import shown

BLOCKS = list(shown.blocks())


@pytest.mark.parametrize("block", BLOCKS, ids=[one.command for one in BLOCKS])
def test_a_document_shows_what_its_command_prints(block: shown.Shown) -> None:
    assert shown.steady(shown.run(block.command)) == shown.steady(block.output)


@pytest.mark.parametrize("document", shown.documents(), ids=str)
def test_a_link_leads_to_something(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_benchmarks_page_has_the_rows_that_it_measures() -> None:
    page = (shown.ROOT / "api/bench/README.md").read_text()
    wanted = [part.title for part in PARTS.values()]
    wanted += (f"append, {batch} exchanges a batch" for batch in BATCHES)
    assert [what for what in wanted if what not in page] == []


def test_the_readme_shows_the_demonstration() -> None:
    assert any(one.document == "README.md" and "obole demo" in one.command for one in BLOCKS)


def test_what_is_left_aside_is_not_all_there_is() -> None:
    control = "charge_captured.v1  1.25 EUR  ludotel"
    assert shown.steady(control) == re.sub(" +", " ", control)
