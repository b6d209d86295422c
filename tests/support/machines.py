"""State machines that must fail, or they would pass anything."""

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

STEPS = 40
"""How long a history of one is."""


def must_fail(machine: type[RuleBasedStateMachine]) -> None:
    """Run one until an assertion of its own fails; the same histories each time."""
    hard = settings(
        max_examples=300,
        stateful_step_count=STEPS,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=hard)
