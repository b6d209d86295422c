-- What was given back, written off, or billed although nobody sold it.
--
-- charges
--   merchant, service, merchant_contract, keyword
--                      null where an operator billed what nobody sold: it is unattributed
--   mo                 null where a subscription's cycle is the cause
--   subscription, cycle
--                      that cause: which subscription, and the day its cycle began
--   test               from a test number: nobody earns it, and it is no part of any count
--   authorized_at      null where it was billed without ever having been authorized;
--                      authorized_position is that of the capture then
--   authorized_…       of the latest authorization, where there was more than one attempt
--   refunded_micros    what the consumer got back, over all channels, tax included, in micros
--   written_off        why the operator does not pay it: unpaid, or clawback
--
-- merchant_accounts, in the month of the refund or write-off
--   refunded, written_off   how many refunds and write-offs of the merchant's charges
--   …_micros                by how much they lower what we owe the merchant, in micros: nothing
--                           where we bear it, less than nothing where it paid a consumer for us
--
-- Both are folded anew from the facts: their folds have a new version.

ALTER TABLE charges
ALTER COLUMN merchant DROP NOT NULL,
ALTER COLUMN service DROP NOT NULL,
ALTER COLUMN merchant_contract DROP NOT NULL,
ALTER COLUMN mo DROP NOT NULL,
ADD COLUMN keyword text,
ADD COLUMN subscription text,
ADD COLUMN cycle date,
ADD COLUMN test boolean NOT NULL DEFAULT FALSE,
ADD COLUMN refunded_micros bigint NOT NULL DEFAULT 0,
ADD COLUMN written_off text,
ADD CONSTRAINT a_message_or_a_cycle_is_the_cause CHECK (
    mo IS NOT NULL OR (subscription IS NOT NULL AND cycle IS NOT NULL)
),
ADD CONSTRAINT who_sells_sells_a_service CHECK ((merchant IS NULL) = (service IS NULL)),
ADD CONSTRAINT only_captured_is_given_back CHECK (
    state = 'captured' OR (refunded_micros = 0 AND written_off IS NULL)
),
ADD CONSTRAINT no_more_is_given_back_than_was_paid CHECK (
    refunded_micros BETWEEN 0 AND price_micros
),
ADD CONSTRAINT written_off_has_a_known_reason CHECK (written_off IN ('unpaid', 'clawback'));

-- What an operator billed and nobody sold, by month.
CREATE INDEX charges_unattributed ON charges (
    book, state_day, authorized_position
) WHERE merchant IS NULL;

-- All attempts of a subscription, cycle by cycle.
CREATE INDEX charges_by_subscription ON charges (
    book, subscription, cycle
) WHERE subscription IS NOT NULL;

ALTER TABLE merchant_accounts
ADD COLUMN refunded bigint NOT NULL DEFAULT 0,
ADD COLUMN refunded_micros numeric NOT NULL DEFAULT 0,
ADD COLUMN written_off bigint NOT NULL DEFAULT 0,
ADD COLUMN written_off_micros numeric NOT NULL DEFAULT 0;
