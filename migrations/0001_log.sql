-- The event log: facts, immutable and in one dense order per book, and the head of each book.
--
-- heads  one row a book. Whoever appends locks it, so that positions are handed out in the
--        order of commits, without a gap. `room` is the last position with a partition.
-- facts  what happened. `data` is kept byte for byte as it is hashed; `terms` holds the 64-bit
--        hash of (book, tag) for each of `tags`, in their order, and only serves to find them.
--
-- A partition holds 2^23 positions of one book, from n * 2^23 + 1 on: whole tiles of the seal,
-- so that a range can later leave for the archive together with its tiles. Appending makes
-- partitions ahead of need.
--
-- Times are UTC with microseconds. Runs as obole_owner; obole_app gets no more than appending needs.

CREATE TABLE heads (
    book text NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    room bigint NOT NULL DEFAULT 0,
    CONSTRAINT a_book_has_one_head PRIMARY KEY (book),
    CONSTRAINT book_is_a_short_lower_case_name CHECK (book ~ '^[a-z][a-z0-9_-]{0,30}$'),
    CONSTRAINT position_is_within_room CHECK (position >= 0 AND position <= room)
) WITH (fillfactor = 10);

COMMENT ON TABLE heads IS 'The last position of each book; locked by whoever appends to it.';

CREATE TABLE facts (
    book text NOT NULL,
    position bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    type text NOT NULL,
    tags text[] NOT NULL,
    terms bigint[] NOT NULL,
    data bytea NOT NULL,
    CONSTRAINT a_position_is_taken_once PRIMARY KEY (book, position),
    CONSTRAINT position_counts_from_one CHECK (position >= 1),
    CONSTRAINT every_tag_has_its_term CHECK (cardinality(tags) = cardinality(terms)),
    -- A line feed in a type, or a space or line feed in a tag, would let two facts share bytes.
    CONSTRAINT type_is_one_line CHECK (type <> '' AND strpos(type, E'\n') = 0),
    CONSTRAINT tags_are_single_words CHECK (
        strpos(array_to_string(tags, ''), E'\n') = 0 AND strpos(array_to_string(tags, ''), ' ') = 0
    ),
    -- 41 bytes are the version line, the time and the line feeds of the entry.
    CONSTRAINT entry_is_at_most_60000_bytes CHECK (
        41 + octet_length(book) + octet_length(position::text) + octet_length(type)
        + octet_length(array_to_string(tags, ' ')) + octet_length(data) <= 60000
    )
    -- The operator class lets ~>=~ and ~<=~ choose the partitions of a book, and those operators do
    -- not tempt the planner to read the primary key where it should look terms up; = chooses too.
) PARTITION BY RANGE (book text_pattern_ops, position);

COMMENT ON TABLE facts IS 'What happened, for ever: no row is changed or removed.';

-- A pending list would make every look-up slower as it grows, hence fastupdate = off.
CREATE INDEX facts_by_term ON facts USING gin (terms) WITH (fastupdate = off);

-- Append-only, whoever asks. ALWAYS: also where a session calls itself a replica.

CREATE FUNCTION refuse_to_change_facts() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'facts are append-only: % refused', TG_OP
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME;
END
$$;

CREATE TRIGGER facts_are_append_only BEFORE UPDATE OR DELETE ON facts
FOR EACH ROW EXECUTE FUNCTION refuse_to_change_facts();
ALTER TABLE facts ENABLE ALWAYS TRIGGER facts_are_append_only;

CREATE TRIGGER facts_are_never_truncated BEFORE TRUNCATE ON facts
FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_facts();
ALTER TABLE facts ENABLE ALWAYS TRIGGER facts_are_never_truncated;

-- Makes partition `n` of a book. Attaching, unlike CREATE … PARTITION OF, locks nobody out.

CREATE FUNCTION add_partition(of_book text, n bigint) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    name text := format('facts_%s_%s', of_book, n);
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE facts INCLUDING CONSTRAINTS)', name);
    EXECUTE format(
        'ALTER TABLE facts ATTACH PARTITION %I FOR VALUES FROM (%L, %s) TO (%L, %s)',
        name, of_book, (n << 23) + 1, of_book, ((n + 1) << 23) + 1
    );
    -- A trigger on TRUNCATE, unlike one on rows, is not handed down by the parent.
    EXECUTE format(
        'CREATE TRIGGER facts_are_never_truncated BEFORE TRUNCATE ON %I '
        'FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_facts()', name
    );
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER facts_are_never_truncated', name);
END
$$;

-- Makes the partitions that an open book lacks up to position `upto`; gives the book's room.
-- The application may call it, so that its role needs no right to create tables.

CREATE FUNCTION ensure_partitions(of_book text, upto bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    reached bigint;
BEGIN
    SELECT room INTO reached FROM heads WHERE book = of_book FOR UPDATE;
    WHILE reached < upto LOOP
        PERFORM add_partition(of_book, reached >> 23);
        reached := reached + (1 << 23);
        UPDATE heads SET room = reached WHERE book = of_book;
    END LOOP;
    RETURN reached;
END
$$;

-- Gives a book its head and its first partition; a book that is open stays as it is.

CREATE FUNCTION open_book(of_book text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO heads (book) VALUES (of_book) ON CONFLICT DO NOTHING;
    PERFORM ensure_partitions(of_book, 1);
END
$$;

REVOKE ALL ON FUNCTION add_partition, ensure_partitions, open_book FROM public;
GRANT EXECUTE ON FUNCTION ensure_partitions, open_book TO obole_app;
GRANT SELECT ON heads TO obole_app;
GRANT UPDATE (position, recorded_at) ON heads TO obole_app;
GRANT SELECT, INSERT ON facts TO obole_app;
