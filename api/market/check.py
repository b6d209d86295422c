"""Holds a ledger against the truth of a market: every figure, and each thing by itself."""

import json
from collections.abc import Iterator
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from api.market.simulate import Files
from api.market.truth import STATES

MOST_NAMED = 10
"""How many single things that differ are named."""
_SETTING = frozenset(
    {
        *("book_opened", "rules_adopted", "gateway_declared", "merchant_registered"),
        *("contract_agreed", "short_code_opened", "service_declared", "keyword_assigned"),
        *("tariff_set", "access_granted", "access_revoked", "evidence_disclosed"),
        *("audit_exported",),
    }
)
"""The facts that a market finds, and does not bring about."""

_FACTS: LiteralString = """
SELECT split_part(type, '.', 1), count(*) FROM facts WHERE book = %s GROUP BY 1
"""
_MONTHS: LiteralString = """
SELECT merchant, month::text, short_code, operator, service,
    pending, pending_micros::bigint, unresolved, unresolved_micros::bigint,
    released, released_micros::bigint, earned, earned_micros::bigint,
    price_micros::bigint, tax_micros::bigint
FROM merchant_accounts WHERE book = %s
"""
_BALANCES: LiteralString = """
SELECT account, party, value_day::text, sum(debit)::bigint, sum(credit)::bigint
FROM balances WHERE book = %s GROUP BY 1, 2, 3
"""
_FINDINGS: LiteralString = "SELECT kind, count(*) FROM findings WHERE book = %s GROUP BY 1"
_REFUSALS: LiteralString = """
SELECT substring(convert_from(data, 'UTF8') FROM '"rule":"([a-z_]+)"'), count(*)
FROM facts WHERE book = %s AND type = 'solicitation_refused.v1' GROUP BY 1
"""
_ORPHANS: LiteralString = """
WITH orphans AS (
    SELECT split_part(tags, ' ', 1) AS mt
    FROM facts WHERE book = %(book)s AND type = 'delivery_orphaned.v1'
),
known AS (
    SELECT string_to_table(tags, ' ') AS mt
    FROM facts WHERE book = %(book)s AND type = 'mt_emitted.v1'
)
SELECT mt IN (SELECT mt FROM known WHERE starts_with(mt, 'mt:')) AS is_known, count(*)
FROM orphans GROUP BY 1
"""
_STAGE: LiteralString = """
CREATE TEMPORARY TABLE things (
    place bigint GENERATED ALWAYS AS IDENTITY, kind text, name text, state text
)
"""
_COPY: LiteralString = "COPY things (kind, name, state) FROM STDIN"
_LATEST: LiteralString = """
CREATE TEMPORARY TABLE wanted AS
SELECT DISTINCT ON (kind, name) kind, name, state FROM things ORDER BY kind, name, place DESC
"""
_FOUND: LiteralString = """
CREATE TEMPORARY TABLE found AS
SELECT 'charge' AS kind, charge AS name, concat_ws(
    '|', state, coalesce(merchant, ''), coalesce(service, ''), short_code, operator, price_micros,
    tax_micros, operator_micros, aggregator_micros, merchant_micros, authorized_day, state_day
) AS state
FROM charges WHERE book = %(book)s
UNION ALL
SELECT 'finding', finding, kind || CASE WHEN closed_at IS NULL THEN '|open' ELSE '|closed' END
FROM findings WHERE book = %(book)s
UNION ALL
SELECT 'subscription', subscription, CASE
    WHEN started_at IS NULL THEN 'requested'
    ELSE concat_ws(
        '|', coalesce('stopped by ' || stopped_by, 'live'), cycle_number, charge_cycle,
        charge_state, charge_attempts
    )
END
FROM subscriptions WHERE book = %(book)s
UNION ALL
SELECT 'allowance', one.key, CASE WHEN used ? one.key THEN 'used' ELSE 'open' END
FROM solicitation_counters, jsonb_each(allowed) AS one WHERE book = %(book)s
UNION ALL
SELECT 'stop', stop.mo, CASE WHEN EXISTS (
    SELECT FROM opt_outs AS lift
    WHERE lift.book = stop.book AND lift.consumer = stop.consumer AND lift.lifts
        AND lift.service = stop.service AND lift.short_code = stop.short_code
        AND (lift.position > stop.position OR lift.said_at > stop.said_at)
) THEN 'lifted' ELSE 'stands' END
FROM opt_outs AS stop WHERE book = %(book)s AND NOT lifts
"""
_DIFFERENT: LiteralString = """
SELECT kind, name, wanted.state, found.state
FROM wanted FULL JOIN found USING (kind, name)
WHERE wanted.state IS DISTINCT FROM found.state
ORDER BY kind, name
"""
_KINDS: LiteralString = """
SELECT kind, count(wanted.state), count(found.state),
    count(*) FILTER (WHERE wanted.state IS DISTINCT FROM found.state)
FROM wanted FULL JOIN found USING (kind, name) GROUP BY kind ORDER BY kind
"""
_STATES: LiteralString = """
SELECT 'charges ' || split_part(coalesce(wanted.state, found.state), '|', 1),
    count(wanted.state), count(found.state)
FROM wanted FULL JOIN found USING (kind, name, state) WHERE kind = 'charge'
GROUP BY 1 ORDER BY 1
"""


class Figure(NamedTuple):
    """One figure that is expected and was found."""

    name: str
    expected: int
    found: int

    @property
    def holds(self) -> bool:
        """Whether they are the same."""
        return self.expected == self.found


class Verdict(NamedTuple):
    """What a ledger ended with, held against what it must."""

    figures: list[Figure]
    different: list[str]
    """The first that differ, by name."""

    @property
    def holds(self) -> bool:
        """Whether everything is as it must be."""
        return not self.different and all(one.holds for one in self.figures)


def check(connection: Connection[Any], files: Files, book: str) -> Verdict:
    """Compare one book of a database, its projections at the head, with a market's truth."""
    truth = json.loads(files.truth.read_text(encoding="utf-8"))
    figures = [*_counts(connection, truth, book)]
    different: list[str] = []
    for name, wanted, found in (
        ("merchants' months", *_months(connection, truth, book)),
        ("balances", *_balances(connection, truth, book)),
    ):
        keys = wanted.keys() | found.keys()
        wrong = sorted(key for key in keys if wanted.get(key) != found.get(key))
        figures.append(Figure(name, len(wanted), len(found)))
        figures.append(Figure(f"{name}, different", 0, len(wrong)))
        told = (f"{name} {key}: {wanted.get(key)}, found {found.get(key)}" for key in wrong)
        different += list(told)[:MOST_NAMED]
    figures += _things(connection, files, book, different)
    return Verdict(figures, different)


def _counts(connection: Connection[Any], truth: dict[str, Any], book: str) -> Iterator[Figure]:
    found = {name: n for name, n in connection.execute(_FACTS, (book,)) if name not in _SETTING}
    for name in sorted(found.keys() | truth["facts"].keys()):
        yield Figure(f"fact {name}", truth["facts"].get(name, 0), found.get(name, 0))
    counts: dict[str, int] = {
        f"finding {kind}": n for kind, n in connection.execute(_FINDINGS, (book,))
    }
    for rule, number in connection.execute(_REFUSALS, (book,)):
        counts[f"solicitation refused: {rule}"] = number
    orphans = dict(connection.execute(_ORPHANS, {"book": book}).fetchall())
    counts["orphans whose message is known"] = orphans.get(True, 0)
    counts["orphans whose message never came"] = orphans.get(False, 0)
    for name in sorted(counts.keys() | truth["counts"].keys()):
        yield Figure(name, truth["counts"].get(name, 0), counts.get(name, 0))


Table = dict[tuple[str, ...], tuple[int, ...]]


def _months(connection: Connection[Any], truth: dict[str, Any], book: str) -> tuple[Table, Table]:
    names = ("merchant", "month", "short_code", "operator", "service")
    wanted = {
        tuple(row[name] for name in names): tuple(row[name] for name in STATES)
        for row in truth["months"]
    }
    rows = connection.execute(_MONTHS, (book,)).fetchall()
    return wanted, {row[:5]: row[5:] for row in rows if any(row[5:])}


def _balances(connection: Connection[Any], truth: dict[str, Any], book: str) -> tuple[Table, Table]:
    names = ("account", "party", "value_day")
    wanted = {
        tuple(row[name] for name in names): (row["debit"], row["credit"])
        for row in truth["balances"]
    }
    rows = connection.execute(_BALANCES, (book,)).fetchall()
    return wanted, {row[:3]: row[3:] for row in rows}


def _things(
    connection: Connection[Any], files: Files, book: str, different: list[str]
) -> list[Figure]:
    """Compare things one by one, in the database: there are more than memory should hold."""
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL enable_seqscan = on")
        connection.execute(_STAGE)
        with (
            files.things.open("rb") as things,
            connection.cursor().copy(_COPY) as copy,
        ):
            while piece := things.read(1 << 16):
                copy.write(piece)
        connection.execute(_LATEST)
        connection.execute(_FOUND, {"book": book})
        figures = [Figure(*row) for row in connection.execute(_STATES)]
        for kind, wanted, found, wrong in connection.execute(_KINDS).fetchall():
            figures.append(Figure(f"each {kind}", wanted, found))
            figures.append(Figure(f"each {kind}, different", 0, wrong))
        rows = connection.execute(_DIFFERENT).fetchmany(MOST_NAMED)
        different += [
            f"{kind} {name}: {wanted or 'none'}, found {found or 'none'}"
            for kind, name, wanted, found in rows
        ]
    return figures
