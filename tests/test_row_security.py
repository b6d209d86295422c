"""What each caller may see in the database itself, by raw SQL, whatever a question forgets."""

import asyncio
from collections.abc import Callable, Generator, Mapping
from typing import Any

import psycopg
import pytest
from psycopg import sql

from api.documents.lines import snapshot
from ledger.log.session import connect, connect_async
from projections.charges.read import authorized, one
from projections.engine import Engine
from projections.merchant_accounts.read import statement
from projections.reading import Read, answer_async
from projections.shown import Viewer, shown_at, shown_range
from projections.subscriptions.read import of_merchant
from tests.support.database import TestDatabase
from tests.support.shown_rows import BOOKS, FILLED, Owner, fill, insert, record

AUDITORS = {"finance", "regulator", "admin"}
SHOWN: dict[str, set[str]] = {
    "balances": AUDITORS,
    "charges": AUDITORS | {"merchant"},
    "expected": {"finance", "admin"},
    "findings": AUDITORS,
    "merchant_accounts": AUDITORS | {"merchant"},
    "opt_outs": AUDITORS,
    "outbox": {"finance", "admin", "gateway"},
    "rates": {"finance", "admin", "merchant"},
    "solicitation_counters": {"regulator", "admin", "merchant"},
    "subscriptions": AUDITORS | {"merchant"},
}
"""What callers may read, and in which roles: of it all, or a merchant or gateway its own."""
VIEWS = {"facts_shown"}
CLOSED = {
    "addresses",
    "archives",
    "data_keys",
    "facts",
    "heads",
    "leases",
    "imports",
    "migrations",
    "projection_positions",
    "pseudonym_keys",
    "sightings",
}
"""What no caller reads at all."""
SEALED = {"addresses", "data_keys", "pseudonym_keys"}
"""Of these, what shows nothing even to a role that was granted it by mistake."""
ROLES = ("gateway", "merchant", "finance", "regulator", "admin")
KEPT = 10_000

TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = ANY(%s) AND NOT relispartition
"""
READABLE = """
SELECT relname, has_table_privilege('obole_reader', oid, 'SELECT') FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
"""
WRITABLE = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
    AND has_table_privilege('obole_reader', oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
"""
UNGUARDED = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relrowsecurity
    AND has_table_privilege('obole_reader', oid, 'SELECT')
"""
GUARDED = "SELECT relname FROM pg_class WHERE relrowsecurity"


@pytest.fixture
def filled(database: TestDatabase) -> dict[str, dict[str, Owner]]:
    record(database)
    return fill(database)


@pytest.fixture
def reader(database: TestDatabase) -> Generator[psycopg.Connection]:
    """Log in as the application does, to become whoever a test says."""
    with psycopg.connect(database.app_url) as connection:
        yield connection


def become(connection: psycopg.Connection, **settings: str) -> None:
    """Start a transaction that reads as callers do, with these settings and no others."""
    connection.rollback()
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, TRUE)", (f"obole.{name}", value))
    connection.execute("SET LOCAL ROLE obole_reader")


def seen(connection: psycopg.Connection, table: str) -> set[str]:
    found = connection.execute(
        sql.SQL("SELECT ctid::text FROM {}").format(sql.Identifier(table))
    ).fetchall()
    return {place for (place,) in found}


def names(database: TestDatabase, query: Any, *values: object) -> set[str]:  # noqa: ANN401 - literal
    with psycopg.connect(database.owner_url) as connection:
        return {row[0] for row in connection.execute(query, values or None)}


def caller(role: str, book: str = "fr") -> dict[str, str]:
    """Fill what a key of this role says: one that is a merchant's or a gateway's names it."""
    own = {"merchant": {"merchant": "ludotel"}, "gateway": {"gateway": "kannel-a"}}
    return {"book": book, "role": role} | own.get(role, {})


def its_own(settings: Mapping[str, str]) -> Callable[[Owner], bool]:
    named = {name: value for name, value in settings.items() if name != "role"}
    return lambda owner: all(getattr(owner, name) == value for name, value in named.items())


class TestTables:
    """Every table has its place here, so that a new one cannot be forgotten."""

    def test_are_all_named(self, database: TestDatabase) -> None:
        assert names(database, TABLES, ["r", "p"]) == SHOWN.keys() | CLOSED
        assert names(database, TABLES, ["v", "m"]) == VIEWS

    def test_that_are_shown_are_those_that_can_be_filled(self) -> None:
        assert SHOWN.keys() == FILLED.keys()

    def test_that_are_closed_cannot_be_read_by_callers_at_all(self, database: TestDatabase) -> None:
        with psycopg.connect(database.owner_url) as connection:
            readable = {name for name, may in connection.execute(READABLE) if may}
        assert readable == SHOWN.keys() | VIEWS

    def test_that_are_shown_have_policies(self, database: TestDatabase) -> None:
        assert names(database, UNGUARDED) == set()
        assert names(database, GUARDED) == SHOWN.keys() | SEALED

    def test_control_finds_a_table_that_was_granted_without(self, database: TestDatabase) -> None:
        with psycopg.connect(database.owner_url) as connection:
            connection.execute("CREATE TABLE new (book text); GRANT SELECT ON new TO obole_reader")
        assert names(database, UNGUARDED) == {"new"}
        assert names(database, TABLES, ["r", "p"]) != SHOWN.keys() | CLOSED

    def test_are_not_written_by_callers(self, database: TestDatabase) -> None:
        assert names(database, WRITABLE) == set()

    @pytest.mark.usefixtures("filled")
    def test_of_secrets_show_nothing_even_where_they_are_granted(
        self, database: TestDatabase, reader: psycopg.Connection
    ) -> None:
        with psycopg.connect(database.owner_url) as owner:
            owner.execute("INSERT INTO addresses VALUES ('fr', '1_a', 'x')")
            owner.execute("INSERT INTO data_keys VALUES ('fr', '1_a', '2026-07-01', 'trade', 'x')")
            owner.execute("INSERT INTO pseudonym_keys VALUES ('fr', 1, 'x')")
            owner.execute("GRANT SELECT ON addresses, data_keys, pseudonym_keys TO obole_reader")
        become(reader, **caller("admin"))
        assert [seen(reader, table) for table in sorted(SEALED)] == [set()] * len(SEALED)


@pytest.mark.usefixtures("filled")
class TestMissing:
    """What is not said shows nothing."""

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"book": "fr"},
            {"role": "admin"},
            {"role": "admin", "book": ""},
            {"role": "", "book": "fr"},
            {"role": "admin", "book": "nowhere"},
            {"role": "nobody", "book": "fr"},
            {"role": "Admin", "book": "fr"},
            {"role": "merchant", "book": "fr"},
            {"role": "merchant", "book": "fr", "merchant": ""},
            {"role": "merchant", "book": "fr", "gateway": "kannel-a"},
            {"role": "merchant", "merchant": "ludotel"},
            {"role": "gateway", "book": "fr"},
            {"role": "gateway", "book": "fr", "gateway": ""},
            {"merchant": "ludotel", "gateway": "kannel-a", "book": "fr"},
        ],
    )
    def test_settings_show_no_row_of_any_table(
        self, reader: psycopg.Connection, settings: dict[str, str]
    ) -> None:
        become(reader, **settings)
        for table in SHOWN:
            assert seen(reader, table) == set()
        assert reader.execute("SELECT position FROM facts_shown").fetchall() == []

    def test_merchant_does_not_show_what_is_no_merchants(
        self, database: TestDatabase, reader: psycopg.Connection
    ) -> None:
        with psycopg.connect(database.app_url) as connection:
            insert(connection, "rates", Owner("fr", "", ""), "f" * 32)
        become(reader, book="fr", role="merchant", merchant="")
        assert seen(reader, "rates") == set()

    def test_settings_are_those_of_the_transaction_alone(self, reader: psycopg.Connection) -> None:
        become(reader, **caller("admin"))
        assert seen(reader, "charges")
        reader.commit()
        reader.execute("SET LOCAL ROLE obole_reader")
        assert seen(reader, "charges") == set()

    @pytest.mark.parametrize("table", sorted(CLOSED))
    def test_rights_are_told(self, reader: psycopg.Connection, table: str) -> None:
        become(reader, **caller("admin"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            seen(reader, table)


class TestCaller:
    """Whoever asks for everything is given its own."""

    @pytest.mark.parametrize("book", BOOKS)
    @pytest.mark.parametrize("role", ROLES)
    def test_sees_exactly_what_is_for_its_role(
        self,
        filled: dict[str, dict[str, Owner]],
        reader: psycopg.Connection,
        role: str,
        book: str,
    ) -> None:
        settings = caller(role, book)
        own = its_own(settings)
        for table, owners in filled.items():
            become(reader, **settings)
            expected = {place for place, owner in owners.items() if own(owner)}
            assert seen(reader, table) == (expected if role in SHOWN[table] else set())
            assert not expected or len(expected) < len(owners)

    @pytest.mark.usefixtures("filled")
    @pytest.mark.parametrize("role", ROLES)
    def test_sees_facts_of_its_book_or_its_own(
        self, database: TestDatabase, reader: psycopg.Connection, role: str
    ) -> None:
        with psycopg.connect(database.owner_url) as owner:
            facts = owner.execute("SELECT book, position, tags FROM facts").fetchall()
        expected = {
            "gateway": set(),
            "merchant": {p for b, p, tags in facts if b == "fr" and "merchant:ludotel" in tags},
        }.get(role, {p for b, p, _ in facts if b == "fr"})
        become(reader, **caller(role))
        found = reader.execute("SELECT book, position FROM facts_shown").fetchall()
        assert {position for _, position in found} == expected
        assert {book for book, _ in found} <= {"fr"}

    @pytest.mark.usefixtures("filled")
    def test_cannot_become_the_owner_or_write(self, reader: psycopg.Connection) -> None:
        become(reader, **caller("admin"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("SET LOCAL ROLE obole_owner")
        become(reader, **caller("admin"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("DELETE FROM charges")

    @pytest.mark.usefixtures("filled")
    def test_that_is_the_application_itself_sees_everything(
        self, filled: dict[str, dict[str, Owner]], reader: psycopg.Connection
    ) -> None:
        assert all(seen(reader, table) == owners.keys() for table, owners in filled.items())

    @pytest.mark.usefixtures("filled")
    def test_is_not_confused_with_the_one_before_by_a_prepared_statement(
        self, database: TestDatabase
    ) -> None:
        statement = "SELECT book, merchant FROM charges WHERE charge <> %s"
        with psycopg.connect(database.app_url, prepare_threshold=0) as connection:
            connection.execute("SET plan_cache_mode = force_generic_plan")
            connection.commit()
            for _ in range(3):
                for merchant in ("ludotel", "astrolys"):
                    become(connection, book="fr", role="merchant", merchant=merchant)
                    found = set(connection.execute(statement, ("",)).fetchall())
                    assert found == {("fr", merchant)}
                connection.rollback()
                assert len(connection.execute(statement, ("",)).fetchall()) == 8


class TestForeign:
    """Ids that are another's might as well not exist."""

    def test_ten_thousand_give_nothing(
        self, database: TestDatabase, reader: psycopg.Connection
    ) -> None:
        with psycopg.connect(database.app_url) as connection:
            for number in range(KEPT):
                book = BOOKS[number % 2]
                other = Owner(book, "astrolys" if book == "fr" else "ludotel", "kannel-a")
                insert(connection, "charges", other, f"{number:032x}")
        ids = [f"{number:032x}" for number in range(KEPT)]
        asked = "SELECT count(*) FROM charges WHERE charge = ANY(%s)"
        become(reader, **caller("merchant"))
        assert reader.execute(asked, (ids,)).fetchone() == (0,)
        # What is there to be found, by those whose it is.
        become(reader, **caller("regulator"))
        assert reader.execute(asked, (ids,)).fetchone() == (KEPT // 2,)
        become(reader, book="fr", role="merchant", merchant="astrolys")
        assert reader.execute(asked, (ids,)).fetchone() == (KEPT // 2,)


class TestReading:
    """A question that the API asks is answered as its caller may hear it."""

    @pytest.mark.usefixtures("filled")
    def test_of_another_merchant_is_answered_with_nothing(self, database: TestDatabase) -> None:
        project(database)

        async def ask(read: Read[Any], viewer: Viewer | None) -> Any:  # noqa: ANN401 - any answer
            async with await connect_async(database.app_url) as connection:
                return (await answer_async(connection, "fr", read, viewer)).value

        ludotel = Viewer("fr", "merchant", "ludotel")
        theirs = asyncio.run(ask(authorized("astrolys", 10), None)).charges
        assert len(theirs) > 1
        assert asyncio.run(ask(authorized("astrolys", 10), ludotel)).charges == []
        assert asyncio.run(ask(one(theirs[0].charge), ludotel)) is None
        assert asyncio.run(ask(one(theirs[0].charge), Viewer("fr", "regulator"))) is not None
        assert asyncio.run(ask(one(theirs[0].charge), Viewer("be", "regulator"))) is None

    @pytest.mark.usefixtures("filled")
    def test_leaves_the_connection_to_the_application(self, database: TestDatabase) -> None:
        project(database)

        async def ask() -> list[tuple[Any, ...]]:
            async with await connect_async(database.app_url) as connection:
                viewer = Viewer("fr", "merchant", "ludotel")
                async with snapshot(connection):
                    await answer_async(connection, "fr", one("x"), viewer)
                    within = await connection.execute("SELECT current_user")
                    who = await within.fetchall()
                await answer_async(connection, "fr", one("x"), viewer)
                after = await connection.execute(
                    "SELECT current_user, current_setting('obole.merchant', TRUE)"
                )
                return who + await after.fetchall()

        assert asyncio.run(ask()) == [("obole_app",), ("obole_app", "")]

    @pytest.mark.usefixtures("filled")
    def test_of_facts_is_answered_with_its_own(self, database: TestDatabase) -> None:
        async def ask(viewer: Viewer) -> list[list[int]]:
            async with await connect_async(database.app_url) as connection:
                ranged = await shown_range(connection, viewer, 0, 1_000)
                picked = await shown_at(connection, viewer, range(1, 1_000))
                return [[row.position for row in rows] for rows in (ranged, picked)]

        everything, again = asyncio.run(ask(Viewer("fr", "finance")))
        own, picked = asyncio.run(ask(Viewer("fr", "merchant", "ludotel")))
        assert everything == again == list(range(1, len(everything) + 1))
        assert own == picked
        assert 0 < len(own) < len(everything)
        assert asyncio.run(ask(Viewer("fr", "gateway", "", "kannel-a"))) == [[], []]


PLANNED: list[tuple[Read[Any], str]] = [
    (authorized("ludotel", 100), "charges_by_merchant"),
    (one("0" * 32), "a_charge_has_one_row"),
    (statement("ludotel", FILLED["merchant_accounts"](Owner("", "", ""), "")["month"]),
     "a_merchant_has_one_line_a_month_code_operator_and_service"),
    (of_merchant("ludotel", 100), "subscriptions_by_merchant"),
]  # fmt: skip
"""The main questions of merchants, and the index by which each is to be answered."""


class TestPlan:
    """Policies cost no question its index."""

    @pytest.mark.parametrize("role", ["merchant", "finance"])
    @pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
    def test_goes_by_the_index_under_every_role(
        self, database: TestDatabase, reader: psycopg.Connection, role: str, mode: str
    ) -> None:
        many(database)
        for read, index in PLANNED:
            become(reader, **caller(role))
            reader.execute("SELECT set_config('plan_cache_mode', %s, TRUE)", (mode,))
            found = reader.execute(
                sql.SQL("EXPLAIN (COSTS OFF) " + read.sql), {**read.params, "book": "fr"}
            )
            plan = "\n".join(line for (line,) in found)
            assert index in plan, plan
            assert "Seq Scan" not in plan
            # A page is read off the index, not sorted out of a merchant's whole list.
            assert "Sort" not in plan or "LIMIT" not in read.sql, plan


def project(database: TestDatabase) -> None:
    with connect(database.app_url) as connection:
        for book in BOOKS:
            Engine(connection, book).catch_up()


def many(database: TestDatabase) -> None:
    """Put so many rows into the tables that the planner has a choice to make."""
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(_MANY_CHARGES)
        owner.execute(_MANY_SUBSCRIPTIONS)
        owner.execute(_MANY_ACCOUNTS)
        owner.execute("ANALYZE")


_MANY_CHARGES = """
INSERT INTO charges (
    book, charge, mo, consumer, merchant, service, category, short_code, operator, tariff,
    operator_contract, merchant_contract, rules, acting, leg, currency, state, since, state_day,
    late, authorized_day, authorized_at, authorized_position, position,
    price_micros, tax_micros, operator_micros, aggregator_micros, merchant_micros
)
SELECT
    'fr', md5(n::text), md5(n::text), md5(n::text),
    CASE n % 10 WHEN 0 THEN 'astrolys' ELSE 'ludotel' END, 'x', 'x', '81014', '20801', 'x',
    'x', 'x', 'x', 'agent', 'mt', 'EUR', 'authorized', '2026-07-01', '2026-07-01',
    FALSE, date '2026-07-01' + n / 1000, '2026-07-01', n, n,
    0, 0, 0, 0, 0
FROM generate_series(1, 30000) AS n
"""
_MANY_SUBSCRIPTIONS = """
INSERT INTO subscriptions (book, subscription, position, first_position, merchant)
SELECT 'fr', md5(n::text), n, n, CASE n % 10 WHEN 0 THEN 'astrolys' ELSE 'ludotel' END
FROM generate_series(1, 20000) AS n
"""
_MANY_ACCOUNTS = """
INSERT INTO merchant_accounts (
    book, merchant, month, short_code, operator, service, currency, pending, pending_micros,
    unresolved, unresolved_micros, released, released_micros, earned, earned_micros,
    price_micros, tax_micros
)
SELECT
    'fr', 'm' || n % 100, '2026-07-01', '81014', '20801', 's' || n, 'EUR',
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0
FROM generate_series(1, 10000) AS n
"""
