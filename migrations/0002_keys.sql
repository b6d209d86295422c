-- Secrets kept beside the log: what they open can be forgotten, while the log stays as it is.
--
-- data_keys       one key for one consumer, UTC month and kind of retention; it seals the personal content
--                 (texts, numbers) of that month's facts. `wrapped` is the key under the master key.
--                 Forgetting, by request or by date, is the removal of the row.
-- addresses       the consumer's number or alias, sealed, for those who may write to it. Removed with the keys.
-- pseudonym_keys  the keys that turn a number into a pseudonym, wrapped, by version from 1 on. The name of a
--                 consumer begins with the version it was made under, so no version is ever removed.
--
-- Runs as obole_owner. Nothing here is changed in place, so obole_app has no UPDATE anywhere.

CREATE TABLE data_keys (
    book text NOT NULL,
    consumer text NOT NULL,
    month date NOT NULL,
    kind text NOT NULL,
    wrapped bytea NOT NULL,
    CONSTRAINT a_consumer_has_one_key_a_month_and_kind PRIMARY KEY (book, consumer, month, kind),
    CONSTRAINT consumer_has_a_name CHECK (consumer <> ''),
    CONSTRAINT month_is_its_first_day CHECK (extract(DAY FROM month) = 1),
    CONSTRAINT kind_is_a_word CHECK (kind ~ '^[a-z][a-z_]*$'),
    CONSTRAINT wrapped_key_is_not_empty CHECK (octet_length(wrapped) > 0)
);

COMMENT ON TABLE data_keys IS 'What opens the sealed content of one consumer, month and kind; its removal forgets.';

-- Forgetting by date asks for all keys of a kind up to a month.
CREATE INDEX data_keys_by_age ON data_keys (book, kind, month);

CREATE TABLE addresses (
    book text NOT NULL,
    consumer text NOT NULL,
    sealed bytea NOT NULL,
    CONSTRAINT a_consumer_has_one_address PRIMARY KEY (book, consumer),
    CONSTRAINT consumer_has_a_name CHECK (consumer <> ''),
    CONSTRAINT sealed_address_is_not_empty CHECK (octet_length(sealed) > 0)
);

COMMENT ON TABLE addresses IS 'The number behind a pseudonym, sealed; its removal forgets.';

CREATE TABLE pseudonym_keys (
    book text NOT NULL,
    version int NOT NULL,
    wrapped bytea NOT NULL,
    CONSTRAINT a_version_has_one_key PRIMARY KEY (book, version),
    CONSTRAINT versions_count_from_one CHECK (version >= 1),
    CONSTRAINT wrapped_key_is_not_empty CHECK (octet_length(wrapped) > 0)
);

COMMENT ON TABLE pseudonym_keys IS 'What turns a number into a pseudonym; outlives every erasure.';

GRANT SELECT, INSERT, DELETE ON data_keys, addresses TO obole_app;
GRANT SELECT, INSERT ON pseudonym_keys TO obole_app;
