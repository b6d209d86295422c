"""A renewal through the real gateway: due, pushed by smsbox, delivered, captured by its receipt.

As for the other journey, with OBOLE_REQUIRE_KANNEL set a machine that cannot run it fails.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from api.demo.kannel import kannel_available
from api.demo.namespace import namespace_command
from tests.support.database import TestDatabase

JOURNEY = Path(__file__).parent / "support" / "kannel_renewal.py"


def test_a_due_renewal_is_pushed_and_its_receipt_captures_the_charge(
    database: TestDatabase,
) -> None:
    refusal = kannel_available()
    if refusal is not None and os.environ.get("OBOLE_REQUIRE_KANNEL"):
        pytest.fail(refusal)
    if refusal is not None:
        pytest.skip(refusal)
    program = [sys.executable, "-P", str(JOURNEY), database.app_url, database.owner_url]
    done = subprocess.run(
        namespace_command(program), check=False, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    # The offer, free; the first cycle, answered in the response; the renewal, pushed.
    assert told["codes"] == ["FREE", "P2000000", "P2000000"]
    assert (told["worked"]["renewals"], told["worked"]["pushed"]) == (1, 1)
    assert (told["again"]["renewals"], told["again"]["pushed"]) == (0, 0)
    assert told["shown"].count("Horo voor u, 2.00 EUR") == 2
    renewal = next(one for one in told["facts"] if one["fact"] == "emitted" and one["pushed"])
    handed_over = {
        "fact": "handed_over",
        "mt": renewal["mt"],
        "raw": "202 0: Accepted for delivery",
    }
    assert handed_over in told["facts"]
    captured = {"fact": "captured", "mt": renewal["mt"], "charge": renewal["charge"]}
    assert told["facts"].count(captured) == 1
