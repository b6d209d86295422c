-- The event log: facts, immutable and in one dense order per book, and the head of each book.
--
-- heads  one row a book. Whoever appends locks it, so that positions are handed out in the
--        order of commits, without a gap; inserting the facts moves it. `room` is the last
--        position with a partition.
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
    CONSTRAINT position_is_within_room CHECK (position >= 0 AND position <= room),
    CONSTRAINT recorded_at_is_of_the_years_2000_to_9999 CHECK (
        recorded_at >= '2000-01-01 00:00:00+00' AND recorded_at < '10000-01-01 00:00:00+00'
    )
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
    -- Not every instant that fits here can be written with a year of four digits, or be read.
    CONSTRAINT recorded_at_is_of_the_years_2000_to_9999 CHECK (
        recorded_at >= '2000-01-01 00:00:00+00' AND recorded_at < '10000-01-01 00:00:00+00'
    ),
    CONSTRAINT every_tag_has_its_term CHECK (cardinality(tags) = cardinality(terms)),
    -- A line feed in a type, or a space or line feed in a tag, would let two facts share bytes;
    -- so would a tag that is empty or null, for nothing of it is seen in the entry.
    CONSTRAINT type_is_one_line CHECK (type <> '' AND strpos(type, E'\n') = 0),
    CONSTRAINT no_tag_is_null_or_empty CHECK (('' = any(tags)) IS FALSE),
    CONSTRAINT tags_are_single_words CHECK (
        strpos(array_to_string(tags, ''), E'\n') = 0 AND strpos(array_to_string(tags, ''), ' ') = 0
    ),
    CONSTRAINT tags_are_a_list CHECK (array_ndims(tags) IS NULL OR array_ndims(tags) = 1),
    -- A tsvector keeps its words unique and sorted bytewise, whatever the collation; nothing else
    -- says so at so little cost. It wants words of 1 to 2046 bytes and raises an error of its own
    -- at others: nulls and empty ones never come here, because checks go by the alphabet.
    -- Source: PostgreSQL manual, "Limitations" of text search; CREATE TABLE, "CHECK".
    CONSTRAINT tags_are_unique_and_sorted CHECK (tags = tsvector_to_array(array_to_tsvector(tags))),
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

-- The head never goes back, whoever asks: positions would be handed out twice.

CREATE FUNCTION refuse_to_take_heads_back() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'heads only go forward: % refused', TG_OP
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME;
END
$$;

CREATE TRIGGER heads_go_forward BEFORE UPDATE ON heads
FOR EACH ROW WHEN (
    new.book <> old.book OR new.position < old.position
    OR new.recorded_at < old.recorded_at OR new.room < old.room
) EXECUTE FUNCTION refuse_to_take_heads_back();
ALTER TABLE heads ENABLE ALWAYS TRIGGER heads_go_forward;

CREATE TRIGGER heads_are_never_removed BEFORE DELETE OR TRUNCATE ON heads
FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_take_heads_back();
ALTER TABLE heads ENABLE ALWAYS TRIGGER heads_are_never_removed;

-- Facts and head are one: what a statement inserts must be exactly the next positions of a book,
-- at one time, and takes the head along. So nobody can leave a fact beyond the head, where it
-- would be in the way of every later one, nor move the head past a fact that is not there.
--
-- It looks for facts beyond each book's head: one look at an index for each book, some 20
-- microseconds, where a transition table would keep a second copy of every row. Head and facts
-- are read by one statement, since another book may move on between two.

CREATE FUNCTION advance_heads() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    head heads;
    added record;
BEGIN
    FOR head IN SELECT * FROM heads LOOP
        SELECT
            count(*) AS number,
            max(facts.position) AS last,
            min(facts.recorded_at) AS earliest,
            max(facts.recorded_at) AS latest
        INTO added
        FROM heads
        INNER JOIN facts ON facts.position > heads.position
        WHERE heads.book = head.book AND facts.book = head.book AND facts.position > head.position;
        CONTINUE WHEN added.number = 0;
        UPDATE heads SET position = added.last, recorded_at = added.latest
        WHERE
            book = head.book
            AND position = added.last - added.number
            AND recorded_at <= added.earliest
            AND added.earliest = added.latest;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'facts of % do not follow its head, position %', head.book, head.position
                USING ERRCODE = 'integrity_constraint_violation',
                CONSTRAINT = 'facts_follow_the_head', TABLE = TG_TABLE_NAME;
        END IF;
        -- One notification a batch, for NOTIFY makes the server's commits queue.
        PERFORM pg_notify('obole_facts', head.book);
    END LOOP;
    RETURN NULL;
END
$$;

CREATE TRIGGER facts_take_the_head_along AFTER INSERT ON facts
FOR EACH STATEMENT EXECUTE FUNCTION advance_heads();
ALTER TABLE facts ENABLE ALWAYS TRIGGER facts_take_the_head_along;

-- Gives a book's head, and keeps it from moving until the transaction ends. The application may
-- call it, so that its role needs no right to change heads.

CREATE FUNCTION lock_head(of_book text) RETURNS SETOF heads
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT * FROM heads WHERE book = of_book FOR UPDATE;
END
$$;

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
    -- A trigger on statements, unlike one on rows, is not handed down by the parent.
    EXECUTE format(
        'CREATE TRIGGER facts_are_never_truncated BEFORE TRUNCATE ON %I '
        'FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_facts()', name
    );
    EXECUTE format(
        'CREATE TRIGGER facts_take_the_head_along AFTER INSERT ON %I '
        'FOR EACH STATEMENT EXECUTE FUNCTION advance_heads()', name
    );
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER facts_are_never_truncated', name);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER facts_take_the_head_along', name);
END
$$;

-- Makes the partitions that an open book lacks up to position `upto`; gives the book's room.
-- The application may call it, so that its role needs no right to create tables; it may not ask
-- for more than 2^24 positions beyond the head, which would keep the book locked for long.

CREATE FUNCTION ensure_partitions(of_book text, upto bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    head bigint;
    reached bigint;
BEGIN
    SELECT position, room INTO head, reached FROM heads WHERE book = of_book FOR UPDATE;
    IF upto - head > 1 << 24 THEN
        RAISE EXCEPTION 'room of % is made up to 2^24 beyond position %, not up to %', of_book, head, upto
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
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

REVOKE ALL ON FUNCTION add_partition, ensure_partitions, open_book, lock_head FROM public;
GRANT EXECUTE ON FUNCTION ensure_partitions, open_book, lock_head TO obole_app;
GRANT SELECT ON heads TO obole_app;
GRANT SELECT, INSERT ON facts TO obole_app;
