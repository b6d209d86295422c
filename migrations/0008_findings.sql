-- Every finding: what a person has to look at, and how it was closed if it was.
--
-- kind               what is wrong: unattributed, billed_twice, leg_failed, …
-- mo, mt, charge, leg, merchant
--                    what it is about, as far as there is such a thing
-- amount_micros      what a refund would come to, tax included, in micros
-- test               of a test number: listed, and counted nowhere
-- closed_at          null while it is open
-- how, note, refund  how it was closed, why, and the refund that closed it, if one did
-- position           of the latest fact
--
-- Folded from the facts by the projection of the same name, and rebuilt from them at any time.

CREATE TABLE findings (
    book text NOT NULL,
    finding text NOT NULL,
    position bigint NOT NULL,
    kind text NOT NULL,
    opened_at timestamptz NOT NULL,
    opened_position bigint NOT NULL,
    mo text,
    mt text,
    charge text,
    leg text,
    consumer text NOT NULL,
    merchant text,
    short_code text NOT NULL,
    operator text NOT NULL,
    amount_micros bigint,
    currency text,
    test boolean NOT NULL,
    closed_at timestamptz,
    how text,
    note text,
    refund text,
    CONSTRAINT a_finding_has_one_row PRIMARY KEY (book, finding),
    CONSTRAINT closed_findings_say_how CHECK (
        (closed_at IS NULL) = (how IS NULL) AND (closed_at IS NULL) = (note IS NULL)
    ),
    CONSTRAINT an_amount_has_a_currency CHECK (amount_micros IS NULL OR currency IS NOT NULL)
);

COMMENT ON TABLE findings IS 'Projection: every finding, and how it was closed if it was.';

-- The list, newest first.
CREATE INDEX findings_by_position ON findings (book, opened_position);

-- What still waits for somebody.
CREATE INDEX findings_open ON findings (book, kind, opened_position) WHERE closed_at IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON findings TO obole_app;
