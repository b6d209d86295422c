-- Balances of the books: what was posted to each account, by value day and by recorded day.
--
-- The balance of an account on one day, as it was known on another, is the sum of debit - credit
-- over all rows with value_day and recorded_day up to those days. Over all accounts of a book it
-- is zero in every currency.
--
-- debit, credit  micros, summed; numeric, for a sum may outgrow what one fact may move
-- party          the operator or merchant whose account it is; empty for our own
-- value_day      the local day for which it counts
-- recorded_day   the local day on which the ledger came to know it
--
-- Folded from the facts by the projection of the same name, and rebuilt from them at any time.

CREATE TABLE balances (
    book text NOT NULL,
    account text NOT NULL,
    party text NOT NULL,
    currency text NOT NULL,
    value_day date NOT NULL,
    recorded_day date NOT NULL,
    debit numeric NOT NULL,
    credit numeric NOT NULL,
    CONSTRAINT an_account_has_one_balance_a_pair_of_days PRIMARY KEY (
        book, account, party, currency, value_day, recorded_day
    ),
    CONSTRAINT sides_are_not_negative CHECK (debit >= 0 AND credit >= 0),
    CONSTRAINT sides_are_whole_micros CHECK (scale(debit) = 0 AND scale(credit) = 0)
);

COMMENT ON TABLE balances IS 'Projection: both sides of each account by value day and recorded day.';

GRANT SELECT, INSERT, UPDATE, DELETE ON balances TO obole_app;
