-- What a caller of the API may see, whatever is asked: rows by the settings of the transaction that reads.
--
-- A reading transaction acts as obole_reader and says on whose behalf, each by set_config(…, is_local => true):
--
-- obole.book       the one book that is read
-- obole.role       finance, regulator, admin, merchant or gateway
-- obole.merchant   whose rows a merchant sees: those that name it
-- obole.gateway    whose rows a gateway sees: those that go through it
--
-- A setting that is missing, or empty, shows nothing. obole_reader cannot write, and has no right at all to what
-- is not named here: heads, positions, keys, addresses.
--
-- obole_app goes on as before: its policies are the constant true, which the planner drops. The facts themselves
-- are without policies, so that the application may COPY into them, which PostgreSQL refuses under policies.
-- obole_reader has no right to them either, but to a view that shows the same as a policy would.
--
-- Each value is asked for by a sub-select, so that it is read once a statement and not once a row. The merchant
-- stands in a CASE, whose estimate is one half: the planner would take an OR for so rare that it would sort a
-- merchant's whole list for the sake of its first page.
--
-- Runs as obole_owner, who sees everything, as the owner of a table does.

CREATE FUNCTION caller(setting text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('obole.' || setting, TRUE), '');

COMMENT ON FUNCTION caller IS 'On whose behalf this transaction reads; null where it does not say.';

ALTER TABLE balances ENABLE ROW LEVEL SECURITY;
ALTER TABLE charges ENABLE ROW LEVEL SECURITY;
ALTER TABLE expected ENABLE ROW LEVEL SECURITY;
ALTER TABLE findings ENABLE ROW LEVEL SECURITY;
ALTER TABLE merchant_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE opt_outs ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE rates ENABLE ROW LEVEL SECURITY;
ALTER TABLE solicitation_counters ENABLE ROW LEVEL SECURITY;
ALTER TABLE subscriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE data_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE addresses ENABLE ROW LEVEL SECURITY;
ALTER TABLE pseudonym_keys ENABLE ROW LEVEL SECURITY;

CREATE POLICY application_does_its_work ON balances TO obole_app USING (TRUE);
CREATE POLICY application_does_its_work ON charges TO obole_app USING (TRUE);
CREATE POLICY application_does_its_work ON expected TO obole_app USING (TRUE);
CREATE POLICY application_does_its_work ON findings TO obole_app USING (TRUE);
CREATE POLICY application_does_its_work ON merchant_accounts TO obole_app USING (TRUE);
CREATE POLICY application_does_its_work ON opt_outs TO obole_app USING (TRUE);
CREATE POLICY application_does_its_work ON outbox TO obole_app USING (TRUE);
CREATE POLICY application_does_its_work ON rates TO obole_app USING (TRUE);
CREATE POLICY application_does_its_work ON solicitation_counters TO obole_app USING (TRUE);
CREATE POLICY application_does_its_work ON subscriptions TO obole_app USING (TRUE);
CREATE POLICY application_does_its_work ON data_keys TO obole_app USING (TRUE);
CREATE POLICY application_does_its_work ON addresses TO obole_app USING (TRUE);
CREATE POLICY application_does_its_work ON pseudonym_keys TO obole_app USING (TRUE);

-- Of a whole book: each for the roles whose routes show it.

CREATE POLICY callers_see_their_book ON balances FOR SELECT TO obole_reader USING (
    book = (SELECT caller('book'))
    AND (SELECT caller('role')) IN ('finance', 'regulator', 'admin')
);

CREATE POLICY callers_see_their_book ON findings FOR SELECT TO obole_reader USING (
    book = (SELECT caller('book'))
    AND (SELECT caller('role')) IN ('finance', 'regulator', 'admin')
);

CREATE POLICY callers_see_their_book ON opt_outs FOR SELECT TO obole_reader USING (
    book = (SELECT caller('book'))
    AND (SELECT caller('role')) IN ('finance', 'regulator', 'admin')
);

CREATE POLICY callers_see_their_book ON expected FOR SELECT TO obole_reader USING (
    book = (SELECT caller('book'))
    AND (SELECT caller('role')) IN ('finance', 'admin')
);

-- Of a book, and of it a merchant's or a gateway's own.

CREATE POLICY callers_see_their_own ON charges FOR SELECT TO obole_reader USING (
    book = (SELECT caller('book'))
    AND CASE (SELECT caller('role'))
        WHEN 'merchant' THEN merchant = (SELECT caller('merchant'))
        ELSE (SELECT caller('role')) IN ('finance', 'regulator', 'admin')
    END
);

CREATE POLICY callers_see_their_own ON merchant_accounts FOR SELECT TO obole_reader USING (
    book = (SELECT caller('book'))
    AND CASE (SELECT caller('role'))
        WHEN 'merchant' THEN merchant = (SELECT caller('merchant'))
        ELSE (SELECT caller('role')) IN ('finance', 'regulator', 'admin')
    END
);

CREATE POLICY callers_see_their_own ON subscriptions FOR SELECT TO obole_reader USING (
    book = (SELECT caller('book'))
    AND CASE (SELECT caller('role'))
        WHEN 'merchant' THEN merchant = (SELECT caller('merchant'))
        ELSE (SELECT caller('role')) IN ('finance', 'regulator', 'admin')
    END
);

CREATE POLICY callers_see_their_own ON rates FOR SELECT TO obole_reader USING (
    book = (SELECT caller('book'))
    AND CASE (SELECT caller('role'))
        WHEN 'merchant' THEN merchant = (SELECT caller('merchant'))
        ELSE (SELECT caller('role')) IN ('finance', 'admin')
    END
);

CREATE POLICY callers_see_their_own ON solicitation_counters FOR SELECT TO obole_reader USING (
    book = (SELECT caller('book'))
    AND CASE (SELECT caller('role'))
        WHEN 'merchant' THEN merchant = (SELECT caller('merchant'))
        ELSE (SELECT caller('role')) IN ('regulator', 'admin')
    END
);

CREATE POLICY callers_see_their_own ON outbox FOR SELECT TO obole_reader USING (
    book = (SELECT caller('book'))
    AND CASE (SELECT caller('role'))
        WHEN 'gateway' THEN gateway = (SELECT caller('gateway'))
        ELSE (SELECT caller('role')) IN ('finance', 'admin')
    END
);

CREATE VIEW facts_shown WITH (security_barrier) AS
SELECT
    book,
    position,
    recorded_at,
    type,
    tags,
    data
FROM facts
WHERE
    book = (SELECT caller('book'))
    AND CASE (SELECT caller('role'))
        WHEN 'merchant' THEN tags @> ARRAY['merchant:' || (SELECT caller('merchant'))]
        ELSE (SELECT caller('role')) IN ('finance', 'regulator', 'admin')
    END;

COMMENT ON VIEW facts_shown IS 'The facts that the caller may see: of its book, and a merchant''s own.';

GRANT SELECT ON
balances, charges, expected, findings, merchant_accounts, opt_outs, outbox, rates,
solicitation_counters, subscriptions, facts_shown
TO obole_reader;
