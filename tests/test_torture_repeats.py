"""The parts of the trials that repeat, tail and judge: each sees what it is for."""

import socket
from datetime import UTC, datetime

import pytest

from tests.torture.listening import Address
from tests.torture.naive import Name
from tests.torture.proxy import Faults, Proxy
from tests.torture.readers import Written, judge
from tests.torture.repeats import Heard
from tests.torture.repeats_book import Counted, answer_failures, log_failures
from tests.torture.repeats_plan import Plan, Send, planned
from tests.torture.speech import Said

NOON = datetime(2026, 7, 10, 10, tzinfo=UTC)
ONE = Send("r1", "JEU 1", "33001", NOON)


class TestReaders:
    """What readers saw, held against what writers were told."""

    @pytest.mark.parametrize(
        ("seen", "failure"),
        [
            ([(1, (0, 0)), (2, (0, 1))], ""),
            ([(1, (0, 0))], "missed 1 of 2"),
            ([(1, (0, 0)), (2, (0, 1)), (3, (0, 1))], "saw 1 twice"),
            ([(2, (0, 1)), (1, (0, 0))], "1 out of order"),
            ([(1, (0, 0)), (2, (0, 1)), (3, (9, 9))], "saw 1 that nobody committed"),
        ],
    )
    def test_are_judged(self, seen: list[tuple[int, Name]], failure: str) -> None:
        verdict = judge([seen], [Written([(0, 0), (0, 1)], 0)], 1)
        assert verdict.passed == (not failure)
        assert failure in "".join(verdict.failures)


class TestPlan:
    """What is sent."""

    def test_is_the_same_for_a_seed(self) -> None:
        assert planned(5, 300, NOON) == planned(5, 300, NOON)
        assert planned(5, 300, NOON) != planned(6, 300, NOON)

    def test_has_repeats_conflicts_and_receipts(self) -> None:
        plan = planned(5, 300, NOON)
        assert len(plan.sends) >= 300
        assert len(set(plan.sends)) < len(plan.sends) / 2
        assert plan.conflicting < plan.ids
        assert plan.delivered < plan.ids
        assert {one.id for one in plan.sends} == plan.ids


class TestBook:
    """What the log holds, held against what was sent."""

    def test_passes_each_once(self) -> None:
        assert log_failures(*held()) == []

    @pytest.mark.parametrize("field", ["received", "authorized", "captured", "answers", "reports"])
    def test_finds_what_is_missing_or_twice(self, field: str) -> None:
        counted, plan = held()
        (name,) = getattr(counted, field)
        getattr(counted, field)[name] += 1
        assert "are there more than once" in "".join(log_failures(counted, plan))
        getattr(counted, field).clear()
        assert "are missing" in "".join(log_failures(counted, plan))

    def test_finds_a_conflict_that_nobody_sent(self) -> None:
        counted, plan = held()
        counted.conflicts["f" * 32] += 1
        assert "1 conflicts were never sent" in "".join(log_failures(counted, plan))

    def test_finds_an_id_with_two_answers(self) -> None:
        answers = {ONE: (ONE.mt, "Merci"), ONE._replace(text="JEU 2"): (ONE.mt, "Merci 2")}
        (failure,) = answer_failures(held()[1], answers)
        assert "1 messages were not answered by one text" in failure

    def test_finds_an_answer_that_is_not_its_own(self) -> None:
        (failure,) = answer_failures(held()[1], {ONE: ("f" * 32, "Merci")})
        assert "by another MT than theirs" in failure


class TestHeard:
    """What was answered, and to its repeat."""

    def test_passes_the_same_bytes(self) -> None:
        heard = Heard()
        for _ in range(2):
            heard.over_http(ONE, said(b"Merci"))
        assert heard.failures == []

    @pytest.mark.parametrize(
        "other", [(b"Merci!", "FREE"), (b"Merci", "P300")], ids=["body", "header"]
    )
    def test_finds_other_bytes(self, other: tuple[bytes, str]) -> None:
        heard = Heard()
        heard.over_http(ONE, said(b"Merci"))
        heard.over_http(ONE, said(*other))
        assert "in other bytes than the first time" in heard.failures[0]

    def test_finds_a_batch_that_answers_otherwise(self) -> None:
        heard = Heard()
        heard.over_http(ONE, said(b"Merci"))
        heard.at_once(ONE, ValueError("no"))
        assert "was refused" in heard.failures[0]


class TestProxy:
    """What stands between two that talk."""

    def test_passes_on_what_is_said(self) -> None:
        assert through(Faults()) == b"hello"

    @pytest.mark.parametrize(
        "faults",
        [Faults(reset=1), Faults(half_close=1), Faults(black_hole=1), Faults(lost_commit=1)],
        ids=["reset", "half-close", "black hole", "lost commit"],
    )
    def test_does_what_networks_do(self, faults: Faults) -> None:
        assert through(faults) == b""

    def test_passes_a_commit_on_in_the_end(self) -> None:
        assert through(Faults(lost_commit=1), b"nothing of that kind") == b"nothing of that kind"


def through(faults: Faults, what: bytes = b"hello") -> bytes:
    """Send something through a proxy to what says it back; gives what was heard."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        to = Address(server.getsockname()[1])
        with Proxy(to, faults, 1, commits=b"hello") as proxy:
            near = socket.create_connection(("127.0.0.1", proxy.listens.port), timeout=5)
            with near:
                near.sendall(what)
                far, _ = server.accept()
                with far:
                    return echoed(near, far)


def echoed(near: socket.socket, far: socket.socket) -> bytes:
    """Say back what the far end hears; nothing, where either end was cut off."""
    try:
        far.sendall(far.recv(100))
        far.shutdown(socket.SHUT_WR)
        return near.recv(100)
    except OSError:
        return b""


def said(body: bytes, billing: str = "FREE") -> Said:
    url = f"http://x/dlr?mt={ONE.mt}"
    return Said(200, {"x-kannel-dlr-url": url, "x-kannel-binfo": billing}, body)


def held() -> tuple[Counted, Plan]:
    """Give a log in which one message was received, charged, answered, and delivered, once."""
    plan = Plan([ONE], {ONE.id}, set(), {ONE.id})
    counted = Counted()
    counted.received[ONE.mo] += 1
    counted.authorized[ONE.mo] += 1
    counted.captured[ONE.mo] += 1
    counted.answers[ONE.mt] += 1
    counted.reports[ONE.mt] += 1
    return counted, plan
