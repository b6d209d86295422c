"""The roles: who owns the schema, who works in it, and who reads on behalf of a caller.

obole_owner    owns the schema, and is nobody's login
obole_app      what API and worker act as; it cannot alter facts
obole_reader   what obole_app becomes for a transaction that reads for a caller of the API: it sees
               what the transaction's settings allow, see `0016_row_level_security.sql`
"""

from typing import LiteralString

import psycopg

OWNER = "obole_owner"
APPLICATION = "obole_app"
READER = "obole_reader"

# Roles belong to the whole server: two databases may be migrated at once, so whoever comes second
# finds the role there, at the check or at the insertion. `obole_app` may log in, though without a
# password only where the server trusts the connection, as the embedded one does on its socket.
_CREATE_ROLES: tuple[LiteralString, ...] = (
    """
    DO $$ BEGIN
        IF to_regrole('obole_owner') IS NULL THEN CREATE ROLE obole_owner NOLOGIN; END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END $$
    """,
    """
    DO $$ BEGIN
        IF to_regrole('obole_app') IS NULL THEN CREATE ROLE obole_app LOGIN; END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END $$
    """,
    """
    DO $$ BEGIN
        IF to_regrole('obole_reader') IS NULL THEN CREATE ROLE obole_reader NOLOGIN; END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END $$
    """,
)

# A superuser may act as anybody. Another login needs to be a member, and may make itself one where
# it created the roles. The exception is the race with another migration, which granted the same.
_JOIN_ROLES: LiteralString = """
    DO $$ BEGIN
        IF NOT pg_has_role('obole_owner', 'USAGE') THEN
            EXECUTE format('GRANT obole_owner TO %I', current_user);
        END IF;
        IF NOT pg_has_role('obole_app', 'USAGE') THEN
            EXECUTE format('GRANT obole_app TO %I', current_user);
        END IF;
    EXCEPTION WHEN internal_error THEN
        IF SQLERRM NOT LIKE 'tuple concurrently%' THEN RAISE; END IF;
    END $$
"""

# The application may become the reader, and gains nothing by that which it had not: what is granted
# to the reader is to be granted to the application itself. Servers before 16 always inherit.
_LEND_READER: LiteralString = """
    DO $$ BEGIN
        IF NOT pg_has_role('obole_app', 'obole_reader', 'MEMBER') THEN
            IF current_setting('server_version_num')::int >= 160000 THEN
                EXECUTE 'GRANT obole_reader TO obole_app WITH INHERIT FALSE';
            ELSE
                GRANT obole_reader TO obole_app;
            END IF;
        END IF;
    EXCEPTION WHEN internal_error THEN
        IF SQLERRM NOT LIKE 'tuple concurrently%' THEN RAISE; END IF;
    END $$
"""

_OPEN_SCHEMA: LiteralString = """
    DO $$ BEGIN
        IF NOT has_schema_privilege('obole_owner', 'public', 'CREATE') THEN
            GRANT USAGE, CREATE ON SCHEMA public TO obole_owner;
        END IF;
        IF NOT has_schema_privilege('obole_app', 'public', 'USAGE') THEN
            GRANT USAGE ON SCHEMA public TO obole_app;
        END IF;
        IF NOT has_schema_privilege('obole_reader', 'public', 'USAGE') THEN
            GRANT USAGE ON SCHEMA public TO obole_reader;
        END IF;
    END $$
"""


def ensure_roles(connection: psycopg.Connection) -> None:
    """Make the roles where they are missing and open the schema to them; twice is once.

    `connection` is in autocommit and logs in as whoever may create roles, or as somebody who finds
    them created by the server's administrator.
    """
    for statement in (*_CREATE_ROLES, _JOIN_ROLES, _LEND_READER, _OPEN_SCHEMA):
        connection.execute(statement)
