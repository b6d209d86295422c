-- Every subscription, with its terms, its latest cycle, and how it ended.
--
-- A row is made of parts that different facts tell, so all but the key and position may be null while
-- only some of them were folded; of a book that is folded whole, the first fact told the terms.
--
-- first_position            of the fact that began it: the offer, or the start where none was made
-- price_micros, every_…     what the consumer was told: the price of each cycle, and how far apart they are
-- requested_at, expires_at  when it was offered, and until when a confirmation counted
-- started_at                null while it is only offered
-- cycle_number, cycle, next_due_at
--                           the latest cycle that began, the local day of that, and when the next is due
-- charge_cycle, charge, charge_state, charge_since, charge_attempts
--                           of the latest cycle that was tried: what became of its charge, since when,
--                           and after how many attempts, those that were refused included
-- stopped_…                 by whom it was ended: consumer, merchant, regulator, or unpaid
-- position                  of the latest fact
--
-- Folded from the facts by the projection of the same name, and rebuilt from them at any time.

CREATE TABLE subscriptions (
    book text NOT NULL,
    subscription text NOT NULL,
    position bigint NOT NULL,
    first_position bigint,
    consumer text,
    merchant text,
    service text,
    keyword text,
    short_code text,
    operator text,
    tariff text,
    price_micros bigint,
    currency text,
    every_n integer,
    every_unit text,
    test boolean,
    requested_at timestamptz,
    expires_at timestamptz,
    started_at timestamptz,
    cycle_number integer,
    cycle date,
    next_due_at timestamptz,
    charge_cycle date,
    charge text,
    charge_state text,
    charge_since timestamptz,
    charge_attempts integer,
    stopped_at timestamptz,
    stopped_by text,
    stop_reason text,
    CONSTRAINT a_subscription_has_one_row PRIMARY KEY (book, subscription),
    CONSTRAINT a_cycle_is_known_whole CHECK (
        (cycle_number IS NULL) = (cycle IS NULL) AND (cycle IS NULL) = (next_due_at IS NULL)
    ),
    CONSTRAINT a_cycles_charge_is_known_whole CHECK (
        (charge_cycle IS NULL) = (charge IS NULL)
        AND (charge_cycle IS NULL) = (charge_state IS NULL)
        AND (charge_cycle IS NULL) = (charge_since IS NULL)
        AND (charge_cycle IS NULL) = (charge_attempts IS NULL)
    ),
    CONSTRAINT a_cycles_charge_is_in_a_known_state CHECK (
        charge_state IN ('authorized', 'refused', 'unresolved', 'released', 'captured')
    ),
    CONSTRAINT somebody_known_stops_it CHECK (
        stopped_by IN ('consumer', 'merchant', 'regulator', 'unpaid')
    ),
    CONSTRAINT what_is_stopped_has_who_and_when CHECK (
        (stopped_at IS NULL) = (stopped_by IS NULL)
    )
);

COMMENT ON TABLE subscriptions IS 'Projection: every subscription, and what its latest cycle brought.';

-- A merchant's list, newest first.
CREATE INDEX subscriptions_by_merchant ON subscriptions (book, merchant, first_position);

-- What is to be renewed, and what of it is to be tried again, longest due first.
CREATE INDEX subscriptions_due ON subscriptions (book, next_due_at, subscription)
WHERE started_at IS NOT NULL AND stopped_at IS NULL;
CREATE INDEX subscriptions_failed ON subscriptions (book, charge_since, subscription)
WHERE
started_at IS NOT NULL
AND stopped_at IS NULL
AND charge_state IN ('released', 'refused');

GRANT SELECT, INSERT, UPDATE, DELETE ON subscriptions TO obole_app;
