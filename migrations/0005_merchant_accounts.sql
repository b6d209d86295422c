-- What each merchant has, by local month, code, operator and service, in every state of its money.
--
-- A charge is counted in one state at a time: pending or released in the month in which it was
-- authorized, earned in the month of its capture. unresolved counts those of the pending that
-- nobody answered for in time.
--
-- month                      its first day
-- pending, unresolved, …     how many charges
-- …_micros                   the merchant's share of them, in micros
-- price_micros, tax_micros   what consumers paid for the earned, and the tax within it, in micros
--
-- No check says that a number is not negative: a batch that only takes a charge out of a state
-- proposes a negative row, and PostgreSQL checks what is proposed before it finds the row to update.
--
-- Folded from the facts by the projection of the same name, and rebuilt from them at any time.

CREATE TABLE merchant_accounts (
    book text NOT NULL,
    merchant text NOT NULL,
    month date NOT NULL,
    short_code text NOT NULL,
    operator text NOT NULL,
    service text NOT NULL,
    currency text NOT NULL,
    pending bigint NOT NULL,
    pending_micros numeric NOT NULL,
    unresolved bigint NOT NULL,
    unresolved_micros numeric NOT NULL,
    released bigint NOT NULL,
    released_micros numeric NOT NULL,
    earned bigint NOT NULL,
    earned_micros numeric NOT NULL,
    price_micros numeric NOT NULL,
    tax_micros numeric NOT NULL,
    CONSTRAINT a_merchant_has_one_line_a_month_code_operator_and_service PRIMARY KEY (
        book, merchant, month, short_code, operator, service, currency
    ),
    CONSTRAINT month_is_its_first_day CHECK (extract(DAY FROM month) = 1)
);

COMMENT ON TABLE merchant_accounts IS 'Projection: each merchant''s money by month and state.';

GRANT SELECT, INSERT, UPDATE, DELETE ON merchant_accounts TO obole_app;
