-- How often each consumer was solicited for a merchant, on one code, since they last returned.
--
-- returned_at        when the consumer last asked this merchant for something there, by the message's own
--                    time; null: never
-- last_allowed_at    when a solicitation was last allowed, also one of before that return; null: never
-- allowed            the allowances since the return that were not recorded as expired: by the id of the
--                    solicitation, {"at": when, "until": when it runs out unused}
-- expired            by id, when that was allowed which expired; only where the allowance itself is not
--                    there to be taken out
-- used               by id, when its message was decided
-- next_expiry        when the first of the allowances that nobody used runs out; null: none is open
--
-- What counts at an instant is every allowance that was used or has not run out by then.
-- Folded from the facts by the projection of the same name, and rebuilt from them at any time.

CREATE TABLE solicitation_counters (
    book text NOT NULL,
    consumer text NOT NULL,
    short_code text NOT NULL,
    merchant text NOT NULL,
    returned_at timestamptz,
    last_allowed_at timestamptz,
    allowed jsonb NOT NULL,
    expired jsonb NOT NULL,
    used jsonb NOT NULL,
    next_expiry timestamptz,
    CONSTRAINT a_consumer_has_one_counter_per_code_and_merchant PRIMARY KEY (
        book, consumer, short_code, merchant
    ),
    CONSTRAINT allowances_go_by_their_solicitation CHECK (
        jsonb_typeof(allowed) = 'object'
        AND jsonb_typeof(expired) = 'object'
        AND jsonb_typeof(used) = 'object'
    )
);

COMMENT ON TABLE solicitation_counters IS 'Projection: solicitations of a consumer since the last return.';

-- A merchant's counters, code by code; a page's end must not tell the merchant who the consumer is.
CREATE INDEX solicitation_counters_by_merchant ON solicitation_counters (
    book, merchant, short_code, md5(merchant || ' ' || consumer)
) WHERE last_allowed_at IS NOT NULL;

-- What runs out next.
CREATE INDEX solicitation_counters_expiring ON solicitation_counters (
    book, next_expiry
) WHERE next_expiry IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON solicitation_counters TO obole_app;
