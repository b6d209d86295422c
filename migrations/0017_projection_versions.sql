-- Which worker works on a book: at most one at a time, as long as it says so again and again.
--
-- holder  the process: its host, its number there, and a word of its own
-- until   when the lease runs out if it is not renewed, by this database's clock and no other
--
-- A worker that was killed, or that its database does not hear any more, loses its books within
-- seconds. One that only slept and wakes may go on for a moment beside its successor: what two do
-- at once is undone by the positions of the projections, and decided once by the log.
-- A new version of a projection needs nothing here: it is built in temporary tables of whoever
-- holds the book, so that nothing is left of one that was not finished.

CREATE TABLE leases (
    book text NOT NULL,
    holder text NOT NULL,
    until timestamptz NOT NULL,
    CONSTRAINT a_book_is_worked_by_one PRIMARY KEY (book),
    CONSTRAINT holder_is_named CHECK (holder <> '')
) WITH (fillfactor = 10);

COMMENT ON TABLE leases IS 'Which worker works on a book, and until when if it falls silent.';

GRANT SELECT, INSERT, UPDATE, DELETE ON leases TO obole_app;
