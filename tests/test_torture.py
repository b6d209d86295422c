"""`make torture`: each trial in small, with its control; and what the run makes of them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.tidy import ROOT
from tests.torture import main
from tests.torture.report import Outcome, page, told
from tests.torture.trial import Say, Scale, Skipped, Trial, Verdict, dice, judged

SEED = 20_260_701
NAMES = [trial.name for trial in main.TRIALS]
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def unsaid(_line: str) -> None:
    """Leave the progress out."""


class Odd:
    """A trial of nothing: its promise holds for odd seeds, and its control keeps it for 7."""

    name = "odd"
    promise = "The seed is odd"

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        say(f"looking at {seed} ({scale.value})")
        if seed == 0:
            raise Skipped("there is nothing to look at")
        return judged(self.name, seed, {"seeds": 1}, [] if seed % 2 else [f"{seed} is even"])

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        del scale, say
        return judged(self.name, seed, {}, [] if seed == 7 else ["2 is even"])


class Held:
    """A trial of nothing, whose promise always holds."""

    name = "held"
    promise = "Nothing is wrong"

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        say(f"looking at nothing ({scale.value})")
        return judged(self.name, seed, {}, [])

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        del scale, say
        return judged(self.name, seed, {}, ["something is wrong"])


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Odd:
    trial = Odd()
    monkeypatch.setattr(main, "TRIALS", (trial,))
    return trial


def tried(trial: Trial, seed: int) -> Outcome:
    return main.tried(trial, Scale.TINY, seed, unsaid)


class TestTrial:
    """In small: enough to see that the trial works, and that it bites."""

    @pytest.mark.torture
    @pytest.mark.parametrize("trial", main.TRIALS, ids=NAMES)
    def test_holds_and_its_control_does_not(self, trial: Trial) -> None:
        outcome = tried(trial, SEED)
        if isinstance(outcome.verdict, str):
            pytest.skip(outcome.verdict)
        assert outcome.verdict.failures == []
        assert isinstance(outcome.control, Verdict)
        assert not outcome.control.passed
        assert outcome.control.failures

    def test_has_a_name_of_its_own(self) -> None:
        assert len(set(NAMES)) == len(NAMES)

    def test_draws_the_same_for_a_seed(self) -> None:
        assert [dice("kill", 5).random() for _ in range(2)] == [dice("kill", 5).random()] * 2
        assert dice("kill", 5).random() != dice("power", 5).random()
        assert dice("kill", 5).random() != dice("kill", 6).random()


class TestRun:
    """What the run says, and how it ends."""

    def test_passes_when_the_promise_holds_and_the_control_breaks_it(
        self, odd: Odd, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main.main(["--only", odd.name, "--seed", "5"]) == 0
        said = capsys.readouterr()
        assert "(seed 5, short)" in said.err
        assert "control: failed as it must: 2 is even" in said.out
        assert said.out.endswith("\n1 trials passed, and their controls did not\n")

    def test_fails_and_names_the_command_that_repeats_it(
        self, odd: Odd, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main.main(["--seed", "4", "--long"]) == 1
        said = capsys.readouterr().out
        assert "BROKEN: 4 is even" in said
        assert f'again: make torture ARGS="--only {odd.name} --seed 4 --long"' in said
        assert said.endswith("1 of 1 trials FAILED: odd\n")

    def test_tells_at_its_very_end_why_a_trial_failed(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(main, "TRIALS", (Odd(), Held()))
        assert main.main(["--seed", "4"]) == 1
        whole = capsys.readouterr().out
        end = whole[whole.rindex("held        held") :]
        assert "looking at 4 (short)" in end
        assert "BROKEN: 4 is even" in end
        assert "--only odd --seed 4" in end
        assert "looking at nothing" not in end

    def test_goes_on_after_a_trial_that_breaks_off_and_tells_where(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def broken(scale: Scale, seed: int, say: Say) -> Verdict:
            raise LookupError(f"no {seed} for {scale.value}", say)

        odd = Odd()
        monkeypatch.setattr(odd, "control", broken)
        monkeypatch.setattr(main, "TRIALS", (odd, Held()))
        assert main.main(["--seed", "5"]) == 1
        whole = capsys.readouterr().out
        end = whole[whole.rindex("held        held") :]
        assert "in broken" in end
        assert "BROKEN: it broke off: LookupError('no 5 for short'" in end
        assert end.endswith("1 of 2 trials FAILED: odd\n")

    def test_fails_when_a_control_keeps_the_promise(
        self, odd: Odd, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main.main(["--only", odd.name, "--seed", "7"]) == 1
        assert "control: PASSED, so the trial does not bite" in capsys.readouterr().out

    @pytest.mark.usefixtures("odd")
    def test_says_what_it_skipped(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main.main(["--seed", "0"]) == 0
        assert capsys.readouterr().out.endswith(
            "0 trials passed, and their controls did not\n"
            "skipped here: odd: there is nothing to look at\n"
        )

    @pytest.mark.usefixtures("odd")
    def test_draws_a_seed_where_none_is_given(self, capsys: pytest.CaptureFixture[str]) -> None:
        main.main(["--json"])
        (outcome,) = json.loads(capsys.readouterr().out)
        assert outcome["again"] == f'make torture ARGS="--only odd --seed {outcome["seed"]}"'
        assert outcome["failed"] == (outcome["seed"] % 2 == 0)

    @pytest.mark.usefixtures("odd")
    def test_keeps_a_page_of_it(self, tmp_path: Path) -> None:
        main.main(["--json", "--seed", "5", "--out", str(tmp_path)])
        written = (tmp_path / main.RESULTS).read_text()
        assert 'make torture ARGS="--json --seed 5' in written
        assert (
            "| odd | The seed is odd | short | 5 | 1 seeds | held | failed as it must: 2 is even |"
            in (written)
        )


class TestPage:
    """What is kept in the documents."""

    def test_names_every_trial_with_its_promise(self) -> None:
        kept = (ROOT / "tests/torture" / main.RESULTS).read_text()
        for trial in main.TRIALS:
            assert f"| {trial.name} | {trial.promise} |" in kept, trial.name

    def test_tells_nothing_broken(self) -> None:
        kept = (ROOT / "tests/torture" / main.RESULTS).read_text()
        assert "BROKEN" not in kept
        assert "PASSED" not in kept

    def test_keeps_a_line_to_a_trial(self, odd: Odd) -> None:
        outcome = tried(odd, 4)
        written = page([outcome], "make torture", NOON)
        assert "`make torture` on 2026-07-01 at 12:00 UTC" in written
        assert (
            "| odd | The seed is odd | tiny | 4 | 1 seeds | BROKEN | failed as it must: 2 is even |"
            in (written)
        )
        assert told(outcome)[-1].endswith('make torture ARGS="--only odd --seed 4 --tiny"')
