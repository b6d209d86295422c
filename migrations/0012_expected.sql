-- What each operator is expected to declare: what it took from consumers in a month, and what it took back.
--
-- month                        the first day of a local month: of the capture, or of what was taken back, whichever
--                              month the charge itself was of
-- whose                        sold: a merchant's. unattributed: charged for what nobody sold. test: by a test number,
--                              which the operator counts like any other
-- what                         captured: taken from consumers. refunded: given back on the bill. unpaid: never paid by
--                              the consumer. clawback: paid to us, and taken back
-- charges                      how many
-- price_micros, tax_micros     what consumers pay for them, and the tax within it, in micros
-- reversement_micros           what the operator owes us of it, net of tax, in micros
--
-- Folded from the facts by the projection of the same name, and rebuilt from them at any time.

CREATE TABLE expected (
    book text NOT NULL,
    operator text NOT NULL,
    month date NOT NULL,
    short_code text NOT NULL,
    tariff text NOT NULL,
    leg text NOT NULL,
    whose text NOT NULL,
    what text NOT NULL,
    currency text NOT NULL,
    charges bigint NOT NULL,
    price_micros numeric NOT NULL,
    tax_micros numeric NOT NULL,
    reversement_micros numeric NOT NULL,
    CONSTRAINT an_operator_has_one_line_a_month_code_tariff_and_leg PRIMARY KEY (
        book, month, operator, short_code, tariff, leg, whose, what, currency
    ),
    CONSTRAINT expected_month_is_its_first_day CHECK (extract(DAY FROM month) = 1),
    CONSTRAINT whose_is_known CHECK (whose IN ('sold', 'unattributed', 'test')),
    CONSTRAINT what_is_known CHECK (what IN ('captured', 'refunded', 'unpaid', 'clawback')),
    CONSTRAINT a_line_counts_a_charge CHECK (charges > 0),
    CONSTRAINT amounts_are_not_negative CHECK (
        price_micros >= 0 AND tax_micros >= 0 AND reversement_micros >= 0
    )
);

COMMENT ON TABLE expected IS 'Projection: what each operator is expected to declare, by month.';

GRANT SELECT, INSERT, UPDATE, DELETE ON expected TO obole_app;
