"""Asks the log whether what was known at the end of a day can be told from a projection."""

from typing import LiteralString

# What is not projected of a day is told by the first fact behind the watermark, for time in the log
# never runs back; a day that is not over in the log is as complete as its watermark says.
KNOWLEDGE: LiteralString = """
WITH opening AS (
    SELECT recorded_at, convert_from(data, 'UTF8')::json -> 'fact' ->> 'zone' AS zone
    FROM facts
    WHERE book = %(book)s AND position = 1
),
next AS (
    SELECT recorded_at FROM facts WHERE book = %(book)s AND position = %(position)s + 1
),
reached AS (
    SELECT recorded_at FROM facts WHERE book = %(book)s AND position = %(position)s
)
SELECT
    (opening.recorded_at AT TIME ZONE opening.zone)::date > %(known_on)s,
    coalesce(
        (next.recorded_at AT TIME ZONE opening.zone)::date <= %(known_on)s
        AND (
            (heads.recorded_at AT TIME ZONE opening.zone)::date > %(known_on)s
            OR coalesce(
                (reached.recorded_at AT TIME ZONE opening.zone)::date < %(known_on)s, TRUE
            )
        ),
        FALSE
    )
FROM heads
LEFT JOIN opening ON TRUE
LEFT JOIN next ON TRUE
LEFT JOIN reached ON TRUE
WHERE heads.book = %(book)s
"""
"""Book, position of the watermark, day → whether it was not there, whether not all is projected."""
