"""All SQL of the log.

Every query is prepared with a generic plan (see `session`), so what it may be given is fixed here.
"""

# --- Opening a book ---

OPEN_BOOK = "SELECT open_book(%s)"

ENSURE_PARTITIONS = "SELECT ensure_partitions(%s, %s)"
"""Book, position → the last position that has a partition."""

ENSURE_ROOM = """
SELECT ensure_partitions(book, position + least(%s, 1::bigint << (partition_bits - 1)))
FROM heads
WHERE book = %s
"""
"""How many positions ahead, book → as above; half a partition ahead where that is less."""

# --- Reading ---

HEAD = "SELECT position, recorded_at FROM heads WHERE book = %s"

READ_BY_TAGS = """
SELECT heads.position, found.*
FROM heads
LEFT JOIN (
    SELECT wanted.n, sighted.*
    FROM unnest(
        %(tags)s::text [], %(others)s::text [], %(types)s::text [], %(afters)s::bigint []
    ) WITH ORDINALITY AS wanted (tag, others, types, after, n)
    CROSS JOIN LATERAL (
        SELECT
            coalesce(fact.position, sightings.last) AS position,
            fact.recorded_at,
            fact.type,
            fact.tags,
            fact.data,
            sightings.span
        FROM sightings
        LEFT JOIN LATERAL (
            SELECT facts.position, facts.recorded_at, facts.type, facts.tags, facts.data
            FROM facts
            WHERE
                facts.book = %(book)s
                AND facts.position
                >= greatest(sightings.last - sightings.span, wanted.after + 1)
                AND facts.position <= sightings.last
                AND wanted.tag = ANY(string_to_array(facts.tags, ' '))
                AND (wanted.types = '' OR facts.type = ANY(string_to_array(wanted.types, E'\n')))
            OFFSET 0
        ) AS fact ON TRUE
        WHERE
            sightings.book = %(book)s
            AND sightings.term = term(
                CASE WHEN wanted.others = '' THEN wanted.tag ELSE (
                    SELECT tag
                    FROM string_to_table(wanted.tag || ' ' || wanted.others, ' ') AS tag
                    ORDER BY (
                        SELECT count(*) FROM (
                            SELECT FROM sightings AS counted
                            WHERE
                                counted.book = %(book)s AND counted.term = term(tag)
                                AND counted.last > wanted.after
                            LIMIT 100
                        ) AS few
                    )
                    LIMIT 1
                ) END
            )
            AND sightings.last > wanted.after
            AND (
                fact.position IS NOT NULL
                OR sightings.last
                <= (SELECT max(archives.last) FROM archives WHERE archives.book = %(book)s)
            )
        OFFSET 0
    ) AS sighted
) AS found ON TRUE
WHERE heads.book = %(book)s
"""
"""Interests → the head, and for each interest its number, from 1 on, with each of its rows.

One statement, so head and rows come from one snapshot; without any row there is one of nulls. An
interest is its first tag, the others with a space between, its types with a line feed between (none
mean any), and the position after which it begins. Of several tags the rarest is looked up, as far
as counting to 100 tells.

Where the facts of a sighting are archived, its last position stands without a fact beside it, and
its span: they are read from their file. They left in one transaction with the row that says so, so
that this snapshot has either, of a statement or as `session.SNAPSHOT` takes it.

Every bound of a fact's position hangs on a sighting: a plan that was made while the book was empty
would otherwise read all that is after the position asked for, for as long as the connection lives.
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

# --- Reading what is archived ---

ARCHIVES = """
SELECT first, last, file, bytes, sha256, root
FROM archives
WHERE book = %s AND last > %s AND first <= %s
ORDER BY last
"""
"""Book, after, up to and including → which files hold positions of this range."""

GONE = """
SELECT archived.last + 1, heads.position
FROM heads
CROSS JOIN (SELECT coalesce(max(last), 0) AS last FROM archives WHERE book = %(book)s) AS archived
WHERE
    heads.book = %(book)s
    AND heads.position > archived.last
    AND NOT EXISTS (
        SELECT 1 FROM facts WHERE facts.book = %(book)s AND facts.position = archived.last + 1
    )
"""
"""Book → a row, if what follows on the archived facts is not here: its position, and the head.

So it is in a snapshot that was taken before a partition was dropped: the drop shows, the file not.
"""

CHUNKS = "SELECT file, chunks FROM archives WHERE file = ANY(%s)"
"""Files → each with the sums of its chunks."""

# --- Appending ---
# In one transaction, READ COMMITTED: each statement sees all that was committed before it began,
# so the tail is read by a statement of its own once the head is locked.

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"

LOCK_HEAD = """
SELECT position, room, greatest(clock_timestamp(), recorded_at)
FROM lock_head(%s)
"""
"""Book → its last position, its room, and the time that would be recorded."""

APPEND_FACTS = "CALL append_facts(%s, %s, %s, %s, %s, NULL, NULL, NULL)"
"""Book, expected head, types, lines of tags, data → the head that it found, its room, and the time.

It locks the head, and appends if nobody has since the expected one; else it appends nothing. Alone
it is a transaction of its own. A trigger takes the head along and notifies.
"""

COMMIT = "COMMIT"
ROLLBACK = "ROLLBACK"

# --- Following ---

LISTEN = "LISTEN obole_facts"
