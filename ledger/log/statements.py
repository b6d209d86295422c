"""All SQL of the log.

Every query is prepared with a generic plan (see `session`), so what it may be given is fixed here.
"""

# --- Opening a book ---

OPEN_BOOK = "SELECT open_book(%s)"

ENSURE_PARTITIONS = "SELECT ensure_partitions(%s, %s)"
"""Book, position → the last position that has a partition."""

# --- Reading ---

HEAD = "SELECT position, recorded_at FROM heads WHERE book = %s"

READ_BY_TAGS = """
SELECT heads.position, wanted.n, found.*
FROM heads
LEFT JOIN json_to_recordset(%(interests)s::json)
    AS wanted (n int, terms bigint [], types text [], after bigint) ON TRUE
LEFT JOIN LATERAL (
    SELECT facts.position, facts.recorded_at, facts.type, facts.tags, facts.data
    FROM facts
    WHERE
        facts.terms @> wanted.terms
        AND facts.book ~>=~ %(book)s AND facts.book ~<=~ %(book)s
        AND (wanted.types = '{}' OR facts.type = ANY(wanted.types))
    OFFSET 0
) AS found ON found.position > wanted.after
WHERE heads.book = %(book)s
"""
"""Interests → the head, and for each interest its number with each of its rows, or with nulls.

One statement, so head and rows come from one snapshot. No types mean any. Inside the fence of
OFFSET 0 nothing fits the primary key, so the planner has only the index on terms to choose; the
partitions of other books stay shut.
"""

READ_RANGE = """
SELECT position, recorded_at, type, tags, data
FROM facts
WHERE book = %s AND position > %s AND position <= %s
ORDER BY position
"""
"""Book, after, up to and including → rows. Bounded above so that other partitions stay shut."""

READ_POSITIONS = """
SELECT position, recorded_at, type, tags, data
FROM facts
WHERE book = %s AND position = ANY(%s)
ORDER BY position
"""

# --- Appending ---
# In one transaction, READ COMMITTED: each statement sees all that was committed before it began,
# so the tail is read by a statement of its own once the head is locked.

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"

LOCK_HEAD = """
SELECT position, room, greatest(clock_timestamp(), recorded_at)
FROM lock_head(%s)
"""
"""Book → its last position, its room, and the time to record. The clock is read under the lock."""

COPY_FACTS = """
COPY facts (book, position, recorded_at, type, tags, terms, data) FROM STDIN (FORMAT BINARY)
"""
"""A trigger takes the head along and notifies; rows that do not follow the head are refused."""

COMMIT = "COMMIT"
ROLLBACK = "ROLLBACK"

# --- Following ---

LISTEN = "LISTEN obole_facts"
