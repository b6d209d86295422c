-- Old facts leave the database for files: a whole partition at a time, the oldest first. Their sightings stay, so
-- that a tag is found wherever its facts are; whoever finds none of them here reads them from the file.
--
-- archives  which positions left, and where to. So those of a book are 1 to the last of its rows, without a gap.
--   file     its name in the folder of archives, which each process is told
--   bytes    its size; `sha256` is of all of it, in hexadecimal, as `sha256sum` shows it
--   chunks   SHA-256 of each 2^18 bytes of it, one after another, the last chunk shorter: what is read is checked
--   root     the Merkle tree hash of the entries in it. Source: RFC 6962, section 2.1
--
-- heads.partition_bits  a partition of the book holds 2 to the power of this many positions. It is chosen before the
--                       book has its first partition, and never changes.

ALTER TABLE heads ADD COLUMN partition_bits smallint NOT NULL DEFAULT 23;
ALTER TABLE heads ADD CONSTRAINT a_partition_holds_2_to_the_6_to_30 CHECK (partition_bits BETWEEN 6 AND 30);

CREATE TRIGGER partitions_keep_their_size BEFORE UPDATE ON heads
FOR EACH ROW WHEN (new.partition_bits <> old.partition_bits AND old.room > 0)
EXECUTE FUNCTION refuse_to_take_heads_back();
ALTER TABLE heads ENABLE ALWAYS TRIGGER partitions_keep_their_size;

CREATE TABLE archives (
    book text NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    file text NOT NULL,
    bytes bigint NOT NULL,
    sha256 text NOT NULL,
    chunks bytea NOT NULL,
    root bytea NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT a_range_is_archived_once PRIMARY KEY (book, last),
    CONSTRAINT a_file_holds_one_range UNIQUE (file),
    CONSTRAINT a_range_has_positions CHECK (first >= 1 AND last >= first),
    CONSTRAINT file_is_a_name_in_its_folder CHECK (file <> '' AND strpos(file, '/') = 0),
    CONSTRAINT sha256_and_root_are_sha256 CHECK (sha256 ~ '^[0-9a-f]{64}$' AND octet_length(root) = 32),
    CONSTRAINT every_chunk_has_its_sum CHECK (
        bytes > 0 AND octet_length(chunks) = 32 * ((bytes + (1 << 18) - 1) >> 18)
    )
);

COMMENT ON TABLE archives IS 'Which positions of a book left the database, and in which file they are.';

CREATE TRIGGER archives_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON archives
FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_facts();
ALTER TABLE archives ENABLE ALWAYS TRIGGER archives_are_append_only;

GRANT SELECT ON archives TO obole_app;

-- Makes partition `n` of a book's facts, and of their sightings.

CREATE OR REPLACE FUNCTION add_sightings(of_book text, n bigint) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    name text := format('sightings_%s_%s', of_book, n);
    bits int := (SELECT partition_bits FROM heads WHERE book = of_book);
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE sightings INCLUDING CONSTRAINTS)', name);
    EXECUTE format(
        'ALTER TABLE sightings ATTACH PARTITION %I FOR VALUES FROM (%L, %s) TO (%L, %s)',
        name, of_book, (n << bits) + 1, of_book, ((n + 1) << bits) + 1
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
    bits int := (SELECT partition_bits FROM heads WHERE book = of_book);
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE facts INCLUDING CONSTRAINTS)', name);
    EXECUTE format(
        'ALTER TABLE facts ATTACH PARTITION %I FOR VALUES FROM (%L, %s) TO (%L, %s)',
        name, of_book, (n << bits) + 1, of_book, ((n + 1) << bits) + 1
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

CREATE OR REPLACE FUNCTION ensure_partitions(of_book text, upto bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    head bigint;
    reached bigint;
    bits int;
BEGIN
    -- Room that is there is not waited for: everybody who opens a book asks.
    SELECT room INTO reached FROM heads WHERE book = of_book;
    IF reached >= upto THEN
        RETURN reached;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('room of ' || of_book, 0));
    SELECT position, room, partition_bits INTO head, reached, bits FROM heads WHERE book = of_book;
    IF upto - head > 1 << 24 THEN
        RAISE EXCEPTION 'room of % is made up to 2^24 beyond position %, not up to %', of_book, head, upto
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF reached < upto THEN
        LOOP
            PERFORM add_partition(of_book, reached >> bits);
            reached := reached + (1::bigint << bits);
            EXIT WHEN reached >= upto;
        END LOOP;
        UPDATE heads SET room = reached WHERE book = of_book;
    END IF;
    RETURN reached;
END
$$;

-- Drops the oldest partition of a book's facts and notes where they are from now on, both or neither. Whoever calls
-- it, the owner alone, has read the file back and compared it. Appends wait meanwhile, which are milliseconds, for it
-- gives up where readers keep the table from being changed; the locks are in the order in which others take them.

CREATE FUNCTION archive_partition(
    of_book text, n bigint, of_file text, of_bytes bigint, of_sha256 text, of_chunks bytea, of_root bytea
) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    name text := format('facts_%s_%s', of_book, n);
    head bigint;
    bits int;
    reached bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('room of ' || of_book, 0));
    SELECT position, partition_bits INTO STRICT head, bits FROM heads WHERE book = of_book FOR UPDATE;
    SELECT coalesce(max(last), 0) INTO reached FROM archives WHERE book = of_book;
    IF reached <> n << bits THEN
        RAISE EXCEPTION 'archives of % reach position %: partition % is not the next', of_book, reached, n
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'archives_follow_each_other';
    END IF;
    IF head <= (n + 1) << bits THEN
        RAISE EXCEPTION 'partition % of % is not full, or nothing follows it yet', n, of_book
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'what_is_archived_is_full';
    END IF;
    EXECUTE format('ALTER TABLE facts DETACH PARTITION %I', name);
    EXECUTE format('DROP TABLE %I', name);
    INSERT INTO archives (book, first, last, file, bytes, sha256, chunks, root)
    VALUES (of_book, (n << bits) + 1, (n + 1) << bits, of_file, of_bytes, of_sha256, of_chunks, of_root);
END
$$;

REVOKE ALL ON FUNCTION archive_partition FROM public;
