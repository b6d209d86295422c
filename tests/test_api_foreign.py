"""Ten thousand ids over HTTP: of another's a merchant is told the same as of what is not there."""

import random
import re
from collections.abc import Generator, Iterator, Mapping
from itertools import cycle, islice
from typing import NamedTuple

import pytest

from tests.support.api import MERCHANT, Api, serving
from tests.support.builders import OPENING
from tests.support.database import TestDatabase
from tests.support.matrix import ROWS, SAMPLES, Endpoint, guarded, send
from tests.support.trades import Trade

OTHER = "astrolys"
THEIRS = {"merchant": OTHER, "service": "horoscope"}
EACH = 100
"""Exchanges, with charges, subscriptions and allowances, that are another's."""
REQUESTS = 10_000
PLACES = {"book", "merchant", "month", "gateway", "service"}
"""Parts of a path that name no single thing."""

Ids = Mapping[str, list[str]]
"""By the part of a path that they stand for."""


class Asked(NamedTuple):
    """A route, and which id is put where: into its path, or its body."""

    route: Endpoint
    part: str

    def send(self, api: Api, name: str, merchant: str, key: str) -> tuple[int, str]:
        """Ask; gives the status and what was said, without the id that was asked for."""
        headers, body = api.bearer(key), dict(ROWS[self.route.name].body or {})
        instead = {"merchant": merchant, self.part: name}
        if self.part in body:
            body[self.part] = name
        if "service" in body and merchant == OTHER:
            body["service"] = THEIRS["service"]
        answer = send(api, self.route, headers, body or None, **instead)
        return answer.status_code, answer.text.replace(name, "ID")


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


@pytest.fixture
def theirs(api: Api) -> Ids:
    """Record what belongs to another merchant, and give the ids of it all."""
    trade = Trade("fr", OPENING)
    opened = len(trade.facts)
    found: dict[str, list[str]] = {"finding": []}
    for number in range(EACH):
        name = f"theirs-{number}"
        trade.exchange(name, api.now, **THEIRS)
        trade.captured(name, api.now)
        trade.started(name, api.now, **THEIRS)
        trade.solicited(name, api.now, **THEIRS)
        found["finding"].append(trade.found(name, api.now).finding)
    facts = [fact for _, fact in trade.facts[opened:]]
    api.record(facts)
    api.project()
    for part in ("charge", "mo", "consumer", "subscription", "solicitation"):
        named = [getattr(fact.ref, part, None) for fact in facts if hasattr(fact, "ref")]
        found[part] = sorted({one for one in named if one})
    return found


def asked(api: Api) -> list[Asked]:
    """Find every route that takes the id of one thing, in its path or its body."""
    found = []
    for route in guarded(api.client.app):
        parts = set(re.findall(r"{(\w+)}", route.path)) - PLACES
        body = ROWS[route.name].body or {}
        found += [Asked(route, part) for part in sorted(parts | (body.keys() & {"mo", "finding"}))]
    return found


def unknown(chance: random.Random, part: str) -> str:
    name = f"{chance.getrandbits(128):032x}"
    return f"1_{name}" if SAMPLES[part].startswith("1_") else name


def pairs(ids: Ids, routes: list[Asked], chance: random.Random) -> Iterator[tuple[Asked, str, str]]:
    """Give routes in turn, each time with an id of another's and one of nothing."""
    sources = {part: cycle(chance.sample(names, len(names))) for part, names in ids.items()}
    for one in cycle(routes):
        yield one, next(sources[one.part]), unknown(chance, one.part)


class TestForeign:
    """Ids that are another's might as well not exist."""

    @pytest.mark.timeout(600)
    def test_ten_thousand_give_nothing_and_are_told_as_those_of_nothing(
        self, api: Api, theirs: Ids
    ) -> None:
        routes, chance = asked(api), random.Random(1)  # noqa: S311 - chance that can be repeated
        assert {one.part for one in routes} == theirs.keys()
        before = api.facts()[-1].position
        for one, foreign, nothing in islice(pairs(theirs, routes, chance), REQUESTS // 2):
            merchant = chance.choice((MERCHANT, MERCHANT, OTHER))
            given = one.send(api, foreign, merchant, "merchant")
            assert given == one.send(api, nothing, merchant, "merchant"), one.route.name
            own = merchant == MERCHANT and "merchant" in one.route.declared
            assert given[0] == (404 if own else 403), (one.route.name, given)
        assert api.facts()[-1].position == before

    def test_are_found_by_those_whose_they_are(self, api: Api, theirs: Ids) -> None:
        owner = api.issue("merchant", OTHER)
        routes = asked(api)
        for one in routes:
            told = one.send(api, theirs[one.part][0], OTHER, owner)[0]
            assert (told != 403) == ("merchant" in one.route.declared), one.route.name
            assert told != 404, one.route.name
        for one in routes:
            if one.route.method == "GET":
                role = next(iter(one.route.declared))
                assert one.send(api, theirs[one.part][0], OTHER, role)[0] == 200, one.route.name
