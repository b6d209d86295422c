"""The bodies that the documentation shows are taken by the routes they are shown for."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from api import exports, intake, refunds, solicitations

TEXT = (Path(__file__).parents[1] / "api" / "README.md").read_text(encoding="utf-8")
BODIES = dict(re.findall(r"<!-- body: (.+?) -->\n```json\n(.+?)\n```", TEXT, re.DOTALL))
MODELS: dict[str, type[BaseModel]] = {
    "messages": intake.Message,
    "receipts": intake.Receipt,
    "solicitations": solicitations.Question,
    "refunds": refunds.Refund,
    "audit-exports": exports.ExportWanted,
}


class TestShownBodies:
    """Each example of a request."""

    def test_are_all_held_against_something(self) -> None:
        assert BODIES.keys() == MODELS.keys()

    @pytest.mark.parametrize("name", MODELS)
    def test_are_taken(self, name: str) -> None:
        assert MODELS[name].model_validate_json(BODIES[name])
