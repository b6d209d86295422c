-- How far each import came that was begun and not finished, so that one that was killed goes on from there.
--
-- source         SHA-256 of the first 64 KiB, unpacked: which file it is
-- bytes_read     how many bytes, unpacked, were taken: whole lines, all of whose facts are committed
-- lines_read     how many lines these are
-- digest         SHA-256 of these bytes. A file that begins alike and is another is told apart by it, and is read
--                from its beginning
-- recorded …     what became of these lines
--
-- Nothing rests on a row: ids are derived, so lines that are taken again change nothing. It only saves the time.

CREATE TABLE imports (
    book text NOT NULL,
    source text NOT NULL,
    bytes_read bigint NOT NULL,
    lines_read bigint NOT NULL,
    digest text NOT NULL,
    recorded bigint NOT NULL,
    repeated bigint NOT NULL,
    rejected bigint NOT NULL,
    saved_at timestamptz NOT NULL,
    CONSTRAINT a_source_is_imported_once_at_a_time PRIMARY KEY (book, source),
    CONSTRAINT source_and_digest_are_sha256 CHECK (source ~ '^[0-9a-f]{64}$' AND digest ~ '^[0-9a-f]{64}$'),
    CONSTRAINT what_was_read_is_counted CHECK (
        bytes_read >= 0 AND lines_read >= 0 AND recorded >= 0 AND repeated >= 0 AND rejected >= 0
    )
);

COMMENT ON TABLE imports IS 'How far each unfinished import came; nothing rests on it.';

GRANT SELECT, INSERT, UPDATE, DELETE ON imports TO obole_app;
