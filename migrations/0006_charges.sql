-- Every charge, with its terms and the state that its latest fact left it in.
--
-- state                     authorized, unresolved, captured or released
-- since, state_day          when it entered that state, and the local day of that
-- late                      captured although it had been released before
-- mt                        the message whose receipt brought it there, where one did
-- reason                    why it is released
-- authorized_at, …_position, captures_on
--                           from the authorizing fact, which always comes first; nullable, because
--                           later facts do not repeat them
-- …_micros                  the waterfall, in micros: the four parts sum to the price
-- position                  of the latest fact
--
-- Folded from the facts by the projection of the same name, and rebuilt from them at any time.

CREATE TABLE charges (
    book text NOT NULL,
    charge text NOT NULL,
    position bigint NOT NULL,
    state text NOT NULL,
    since timestamptz NOT NULL,
    state_day date NOT NULL,
    late boolean NOT NULL,
    mt text,
    reason text,
    authorized_day date NOT NULL,
    authorized_at timestamptz,
    authorized_position bigint,
    captures_on text,
    leg text NOT NULL,
    mo text NOT NULL,
    consumer text NOT NULL,
    merchant text NOT NULL,
    service text NOT NULL,
    category text NOT NULL,
    short_code text NOT NULL,
    operator text NOT NULL,
    tariff text NOT NULL,
    operator_contract text NOT NULL,
    merchant_contract text NOT NULL,
    rules text NOT NULL,
    acting text NOT NULL,
    currency text NOT NULL,
    price_micros bigint NOT NULL,
    tax_micros bigint NOT NULL,
    operator_micros bigint NOT NULL,
    aggregator_micros bigint NOT NULL,
    merchant_micros bigint NOT NULL,
    CONSTRAINT a_charge_has_one_row PRIMARY KEY (book, charge),
    CONSTRAINT state_is_known CHECK (state IN ('authorized', 'unresolved', 'captured', 'released')),
    CONSTRAINT only_captured_is_late CHECK (NOT late OR state = 'captured'),
    CONSTRAINT only_released_has_a_reason CHECK ((reason IS NOT NULL) = (state = 'released')),
    CONSTRAINT parts_sum_to_the_price CHECK (
        tax_micros + operator_micros + aggregator_micros + merchant_micros = price_micros
    )
);

COMMENT ON TABLE charges IS 'Projection: every charge and its present state.';

-- A merchant's list, newest first; none of it ever changes, so a page's end is a stable cursor.
CREATE INDEX charges_by_merchant ON charges (
    book, merchant, authorized_day, authorized_position
);

-- What a month's earnings consist of.
CREATE INDEX charges_earned ON charges (
    book, merchant, state_day, authorized_position
) WHERE state = 'captured';

-- Who still waits for an answer, longest first.
CREATE INDEX charges_waiting ON charges (book, authorized_at, charge) WHERE state = 'authorized';

GRANT SELECT, INSERT, UPDATE, DELETE ON charges TO obole_app;
