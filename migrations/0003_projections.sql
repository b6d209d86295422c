-- How far each projection has read its book.
--
-- position         the last fact whose effect is in the projection's tables; 0 before the first. It moves in
--                  the transaction that writes the effect, from the old value to the new, so that no fact
--                  counts twice.
-- parked_…         set, all together, when folding failed: the moment, the position of the fact that could not
--                  be folded, its id where it could be read, and the error. The projection stands still until
--                  somebody has mended it; the others go on.
--
-- A new version of a projection is built beside the old one, hence the version in the key.
-- Runs as obole_owner. obole_app removes the row of a version that has been replaced.

CREATE TABLE projection_positions (
    book text NOT NULL,
    projection text NOT NULL,
    version int NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    parked_at timestamptz,
    parked_position bigint,
    parked_fact text,
    parked_error text,
    CONSTRAINT a_projection_has_one_position PRIMARY KEY (book, projection, version),
    CONSTRAINT projection_is_a_word CHECK (projection ~ '^[a-z][a-z_]*$'),
    CONSTRAINT versions_count_from_one CHECK (version >= 1),
    CONSTRAINT position_is_not_negative CHECK (position >= 0),
    CONSTRAINT parked_names_moment_place_and_error CHECK (
        num_nonnulls(parked_at, parked_position, parked_error) IN (0, 3)
    ),
    CONSTRAINT only_what_is_parked_names_a_fact CHECK (parked_fact IS NULL OR parked_at IS NOT NULL),
    CONSTRAINT parked_is_ahead_of_position CHECK (parked_position > position)
);

COMMENT ON TABLE projection_positions IS 'The watermark of each projection, and why it stands still when it does.';

GRANT SELECT, INSERT, UPDATE, DELETE ON projection_positions TO obole_app;
