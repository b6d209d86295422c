-- What was asked for, charged, earned and stopped, by local day. Test numbers are no part of it, and nor is
-- what an operator charged although nobody sold it.
--
-- merchant, service      empty where a message asked for nothing on sale, and where every service was stopped
-- tariff_version         the fact that set the price, and leg, mo or mt: of charges, and of matches, which count on the
--                        leg that their exchange is paid for by in the end. Empty for what has no price
-- currency               empty for what has no price
--
-- On the day that the message came, or the cycle began, so that they can be held against each other:
-- matched, unmatched     messages that asked for a service, and those that asked for nothing we know
-- authorized, released, captured
--                        charges that a message caused, on this leg; an exchange of both legs has two
-- cycles, cycles_captured
--                        charges that a subscription's cycle caused
--
-- On the day that it happened:
-- earned, price_micros, tax_micros, share_micros
--                        captures of every cause and leg: how many, what consumers paid, the tax within it, and the
--                        merchant's share, in micros
-- refunds, refunded_micros
--                        what was given back to consumers, by whomever, tax included, in micros
-- opt_outs               STOPs
-- requested, started, stopped
--                        subscriptions; active at the start of a day are those started less those stopped before it
-- solicited              solicitations allowed
--
-- No check says that a number is not negative: a batch that only takes a charge out of a state proposes a
-- negative row, and PostgreSQL checks what is proposed before it finds the row to update.
--
-- Folded from the facts by the projection of the same name, and rebuilt from them at any time.

CREATE TABLE rates (
    book text NOT NULL,
    merchant text NOT NULL,
    day date NOT NULL,
    service text NOT NULL,
    short_code text NOT NULL,
    operator text NOT NULL,
    tariff_version text NOT NULL,
    leg text NOT NULL,
    currency text NOT NULL,
    matched bigint NOT NULL,
    unmatched bigint NOT NULL,
    authorized bigint NOT NULL,
    released bigint NOT NULL,
    captured bigint NOT NULL,
    cycles bigint NOT NULL,
    cycles_captured bigint NOT NULL,
    earned bigint NOT NULL,
    price_micros numeric NOT NULL,
    tax_micros numeric NOT NULL,
    share_micros numeric NOT NULL,
    refunds bigint NOT NULL,
    refunded_micros numeric NOT NULL,
    opt_outs bigint NOT NULL,
    requested bigint NOT NULL,
    started bigint NOT NULL,
    stopped bigint NOT NULL,
    solicited bigint NOT NULL,
    CONSTRAINT a_day_has_one_line_a_service_code_operator_price_and_leg PRIMARY KEY (
        book, merchant, day, service, short_code, operator, tariff_version, leg, currency
    ),
    CONSTRAINT leg_is_known CHECK (leg IN ('', 'mo', 'mt')),
    CONSTRAINT a_leg_has_a_price CHECK ((leg = '') = (tariff_version = '')),
    CONSTRAINT a_price_has_a_currency CHECK ((leg = '') = (currency = ''))
);

COMMENT ON TABLE rates IS 'Projection: what was asked for, charged, earned and stopped, by day.';

-- All merchants' days, or those of a code.
CREATE INDEX rates_by_day ON rates (book, day);

GRANT SELECT, INSERT, UPDATE, DELETE ON rates TO obole_app;
