"""What people write, and what gateways report: each habit with how often it happens."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

from api.market.calendars import HOUR
from api.market.goods import Service

T = TypeVar("T")
Plan = list[tuple[int, str]]
"""Seconds after a message, and the outcome that is reported then."""


class Mixed(Generic[T]):
    """Things that are chosen as often as their weights say."""

    def __init__(self, *weighed: tuple[int, T]) -> None:
        self._upto = list(accumulate(weight for weight, _ in weighed))
        self._things: Sequence[T] = [thing for _, thing in weighed]

    def pick(self, random: Random) -> T:
        """Choose one."""
        return self._things[bisect_right(self._upto, random.random() * self._upto[-1])]


# What is written

_STRANGE = ("??", "", "BONJOUR", "JE VEUX GAGNER", "STOOOP", "12345", "!")
_STYLES: tuple[Callable[[str], str], ...] = (
    str.lower,
    str.title,
    lambda word: f"  {word}!",
    lambda word: f"{word}, merci",
    lambda word: f"«{word.lower()}»",
    lambda word: word.replace("A", "Á").replace("O", "ô"),
    lambda word: f"{word} 42",
)


def _plain(word: str, _: Random) -> str:
    return word


def _styled(word: str, random: Random) -> str:
    return random.choice(_STYLES)(word)


def _mistaken(word: str, random: Random) -> str:
    """Write a word as nobody can be sure what was meant."""
    place = random.randrange(1, len(word))
    return random.choice((word[:place] + "Q" + word[place:], word + "1", word[:place] + "WWW"))


def _service_word(word: str, random: Random) -> str:
    return random.choice(
        (
            *("STOP", "stop", "Stop.", "ARRET", "TSOP", "STOP81"),
            *(f"STOP {word}", f"stop {word.lower()}", f"{word} STOP"),
            *("CONTACT", f"CONTACT {word}", "OK", "oui"),
            random.choice(_STRANGE),
        )
    )


_WRITTEN = Mixed[Callable[[str, Random], str]](
    (800, _plain), (120, _styled), (35, _mistaken), (45, _service_word)
)
_VOTES = Mixed((9, True), (1, False))


def text_for(service: Service, random: Random) -> str:
    """Write what asks for a service, or what somebody writes who wants something else."""
    word = random.choice(service.keywords)
    if service.choices and _VOTES.pick(random):
        return f"{word} {random.choice(service.choices)}"
    return _WRITTEN.pick(random)(word, random)


# What is reported


def _delivered(random: Random) -> Plan:
    return [(random.randrange(2, 120), "delivered")]


def _failed(random: Random) -> Plan:
    return [(random.randrange(60, HOUR), "failed")]


def _rejected(random: Random) -> Plan:
    return [(random.randrange(1, 10), "rejected")]


def _lost(_: Random) -> Plan:
    return []


def _late(random: Random) -> Plan:
    """Long after the charge became unresolved, in whatever country."""
    return [(random.randrange(73, 120) * HOUR, "delivered")]


def _after_all(random: Random) -> Plan:
    return [*_rejected_or_failed(random), (random.randrange(1, 30) * HOUR, "delivered")]


def _rejected_or_failed(random: Random) -> Plan:
    return [(random.randrange(2, 120), random.choice(("failed", "failed", "rejected")))]


def _taken_back(random: Random) -> Plan:
    return [*_delivered(random), (random.randrange(1, 30) * HOUR, "failed")]


def _buffered(random: Random) -> Plan:
    soon = random.randrange(2, 120)
    return [(soon, "buffered"), (random.randrange(1, 5) * HOUR, "delivered")]


_REPORTED = Mixed[Callable[[Random], Plan]](
    *((900, _delivered), (35, _failed), (5, _rejected), (25, _lost), (10, _late)),
    *((10, _after_all), (5, _taken_back), (10, _buffered)),
)
_OF_FREE = Mixed[Callable[[Random], Plan]]((40, _delivered), (60, _lost))
_SUBMITTED: Mixed[Plan] = Mixed((1, [(1, "submitted")]), (9, []))


def plan(random: Random, *, charged: bool) -> Plan:
    """Say which receipts a message will have, and how long after it."""
    ends = (_REPORTED if charged else _OF_FREE).pick(random)(random)
    return [*_SUBMITTED.pick(random), *ends]


# How busy it is

PEAK = 6
"""How many times as much is written in the hour of a vote."""
_DAYS, _DAY, _HOUR, _HOURS = 7, 5, 20, 24
_WEIGHTS = (2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 11, 12, 13, 12, 11, 11, 12, 14, 16, 17, 16, 13, 9, 5)


def is_peak(number: int) -> bool:
    """Tell whether there is a vote in the market's hour of this number: once a week."""
    day, hour = divmod(number, _HOURS)
    return (day % _DAYS, hour) == (_DAY, _HOUR)


def busy(number: int) -> int:
    """Give how busy the market's hour of this number is, against the others."""
    return _WEIGHTS[number % _HOURS] * (PEAK if is_peak(number) else 1)
