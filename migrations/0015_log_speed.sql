-- The log, quicker: tags are found by sightings, which the database itself writes, and the checks of a row go
-- over it once.
--
-- sightings  where facts with a tag are: some of those from `last - span` to `last`, both with it, in one block of
--            64 positions. `term` is a 64-bit hash of the tag; two tags may share one, and between two facts with a
--            tag there may be others, so whoever looks a tag up checks the facts that are found.
--
-- A row a fact and tag, as an index on facts held them, is written 22 times for one charged message. A message's own
-- tags stand on neighbours, and its code, operator and merchant on those of the messages beside it, so that a third
-- of that is enough. In the order of (term, last), what is newer than a position is found without the rest.
--
-- Partitioned as the facts are, so that a range leaves with its sightings. Nobody inserts any: the trigger that
-- takes the head along writes them from the facts themselves, so that none can be hidden.

CREATE TABLE sightings (
    book text NOT NULL,
    term bigint NOT NULL,
    last bigint NOT NULL,
    span int NOT NULL,
    CONSTRAINT a_term_is_sighted_once_at_a_position PRIMARY KEY (book, term, last)
) PARTITION BY RANGE (book text_pattern_ops, last);

COMMENT ON TABLE sightings IS 'Where the facts with a tag are, by block of 64 positions; written with the facts.';

CREATE TRIGGER sightings_are_append_only BEFORE UPDATE OR DELETE ON sightings
FOR EACH ROW EXECUTE FUNCTION refuse_to_change_facts();
ALTER TABLE sightings ENABLE ALWAYS TRIGGER sightings_are_append_only;

CREATE TRIGGER sightings_are_never_truncated BEFORE TRUNCATE ON sightings
FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_facts();
ALTER TABLE sightings ENABLE ALWAYS TRIGGER sightings_are_never_truncated;

-- Stable from version to version on one kind of machine: partitioning by hash rests on it as well.

CREATE FUNCTION term(tag text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtextextended(tag COLLATE "C", 0);

COMMENT ON FUNCTION term IS 'The hash under which a tag is found.';

-- Makes partition `n` of a book's facts, and of their sightings.

CREATE FUNCTION add_sightings(of_book text, n bigint) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    name text := format('sightings_%s_%s', of_book, n);
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE sightings INCLUDING CONSTRAINTS)', name);
    EXECUTE format(
        'ALTER TABLE sightings ATTACH PARTITION %I FOR VALUES FROM (%L, %s) TO (%L, %s)',
        name, of_book, (n << 23) + 1, of_book, ((n + 1) << 23) + 1
    );
    EXECUTE format(
        'CREATE TRIGGER sightings_are_never_truncated BEFORE TRUNCATE ON %I '
        'FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_facts()', name
    );
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER sightings_are_never_truncated', name);
END
$$;

CREATE OR REPLACE FUNCTION add_partition(of_book text, n bigint) RETURNS void
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
    PERFORM add_sightings(of_book, n);
END
$$;

-- Makes room ahead of need without holding the head: an advisory lock keeps those who do it at once apart, and the
-- head is touched at the end. Whoever reads the parent in ways that keep partitions from being attached is not waited
-- for long: the next to append tries again, and there is room for millions of facts until one has to wait.

CREATE OR REPLACE FUNCTION ensure_partitions(of_book text, upto bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    head bigint;
    reached bigint;
BEGIN
    -- Room that is there is not waited for: everybody who opens a book asks.
    SELECT room INTO reached FROM heads WHERE book = of_book;
    IF reached >= upto THEN
        RETURN reached;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('room of ' || of_book, 0));
    SELECT position, room INTO head, reached FROM heads WHERE book = of_book;
    IF upto - head > 1 << 24 THEN
        RAISE EXCEPTION 'room of % is made up to 2^24 beyond position %, not up to %', of_book, head, upto
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF reached < upto THEN
        LOOP
            PERFORM add_partition(of_book, reached >> 23);
            reached := reached + (1 << 23);
            EXIT WHEN reached >= upto;
        END LOOP;
        UPDATE heads SET room = reached WHERE book = of_book;
    END IF;
    RETURN reached;
END
$$;

-- A book that is open is opened again without a wait: an insertion would wait for whoever moves its head.

CREATE OR REPLACE FUNCTION open_book(of_book text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM heads WHERE book = of_book) THEN
        INSERT INTO heads (book) VALUES (of_book) ON CONFLICT DO NOTHING;
    END IF;
    PERFORM ensure_partitions(of_book, 1);
END
$$;

-- Appends facts after position `expected` if that is the head, at one time, and gives the head as it found it, with
-- the time and the room that there is; other facts have come in between if the head is another, and then it appends
-- nothing. The head is locked before anything is asked of it. `tag_lines` are tags with one space between.

CREATE PROCEDURE append_facts(
    of_book text, expected bigint, types text[], tag_lines text[], datas bytea[],
    INOUT head bigint, INOUT room bigint, INOUT recorded_at timestamptz
)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    number CONSTANT int := cardinality(types);
BEGIN
    SELECT locked.position, locked.room, greatest(clock_timestamp(), locked.recorded_at)
    INTO head, room, recorded_at
    FROM lock_head(of_book) AS locked;
    IF head = expected THEN
        IF room < head + number THEN
            room := ensure_partitions(of_book, head + number);
        END IF;
        INSERT INTO facts (book, position, recorded_at, type, tags, data)
        SELECT
            of_book,
            head + added.n,
            append_facts.recorded_at,
            added.type,
            string_to_array(added.tags, ' '),
            added.data
        FROM unnest(types, tag_lines, datas) WITH ORDINALITY AS added (type, tags, data, n);
    END IF;
END
$$;

-- What is there already, partition by partition.

SELECT add_sightings(heads.book, n)
FROM heads
CROSS JOIN LATERAL generate_series(0, (heads.room >> 23) - 1) AS n;

INSERT INTO sightings (book, term, last, span)
SELECT
    facts.book,
    term(tag) AS term,
    max(facts.position) AS last,
    max(facts.position) - min(facts.position) AS span
FROM facts
CROSS JOIN unnest(facts.tags) AS tag
GROUP BY facts.book, term(tag), (facts.position - 1) >> 6
ORDER BY term(tag), max(facts.position);

-- Facts and head are one, as before; now the sightings come with them.

CREATE OR REPLACE FUNCTION advance_heads() RETURNS trigger
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
        -- In the order of the index, so that what is written side by side lies side by side.
        INSERT INTO sightings (book, term, last, span)
        SELECT
            head.book,
            term(tag),
            max(facts.position),
            max(facts.position) - min(facts.position)
        FROM facts
        CROSS JOIN unnest(facts.tags) AS tag
        WHERE
            facts.book = head.book
            AND facts.position > added.last - added.number AND facts.position <= added.last
        GROUP BY term(tag), (facts.position - 1) >> 6
        ORDER BY term(tag);
        -- One notification a batch, for NOTIFY makes the server's commits queue.
        PERFORM pg_notify('obole_facts', head.book);
    END LOOP;
    RETURN NULL;
END
$$;

-- Facts need neither their terms nor an index on them any more.

ALTER TABLE facts DROP CONSTRAINT every_tag_has_its_term;
DROP INDEX facts_by_term;
ALTER TABLE facts DROP COLUMN terms;

-- Whether tags are unique and sorted is asked where rows are encoded, once and for less: other tags, or in another
-- order, are other bytes, so that no two facts can be mistaken for each other. What could make them so (a line feed in
-- a type; in a tag a line feed or a space, or nothing, or null) stays refused here.

ALTER TABLE facts DROP CONSTRAINT tags_are_unique_and_sorted;

-- An array may count its words from elsewhere than one; then two arrays that differ are one entry.

ALTER TABLE facts DROP CONSTRAINT tags_are_a_list;
ALTER TABLE facts ADD CONSTRAINT tags_are_a_list CHECK (array_ndims(tags) = 1 AND array_lower(tags, 1) = 1);

REVOKE ALL ON FUNCTION add_sightings FROM public;
REVOKE ALL ON PROCEDURE append_facts FROM public;
GRANT EXECUTE ON PROCEDURE append_facts TO obole_app;
GRANT SELECT ON sightings TO obole_app;
