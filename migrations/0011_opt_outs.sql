-- What consumers have stopped, and what they opened again: a row for each time that either was said.
--
-- A scope is one service on a code, every service on it (service is empty), or everything (everywhere;
-- the code is then only where it was said). A scope is stopped while a STOP stands in it behind its last
-- lifting, in the order of positions; the latest of those STOPs by said_at is the moment that counts.
-- Nothing is ever taken out, so that an earlier STOP can be shown with what lifted it.
--
-- position   of the fact
-- lifts      false: a STOP. true: a message that opened the scope again, for replies and nothing more
-- said_at    when the consumer sent it, which may be out of the order of arrival; day: its local day
-- merchant   whose service it was, where one was named
-- word       the service word as it was recognised; only of a STOP
-- test       said by a test number: listed, but no part of any count
--
-- Folded from the facts by the projection of the same name, and rebuilt from them at any time.

CREATE TABLE opt_outs (
    book text NOT NULL,
    position bigint NOT NULL,
    lifts boolean NOT NULL,
    consumer text NOT NULL,
    short_code text NOT NULL,
    service text NOT NULL,
    everywhere boolean NOT NULL,
    said_at timestamptz NOT NULL,
    day date NOT NULL,
    operator text NOT NULL,
    merchant text,
    word text,
    mo text NOT NULL,
    test boolean NOT NULL,
    CONSTRAINT a_fact_is_listed_once PRIMARY KEY (book, position),
    CONSTRAINT only_a_stop_has_a_word CHECK ((word IS NOT NULL) = (NOT lifts)),
    CONSTRAINT everything_names_no_service CHECK (NOT everywhere OR service = '')
);

COMMENT ON TABLE opt_outs IS 'Projection: every STOP, and every message that lifted one.';

-- All that one consumer ever said, and what lifted a given STOP.
CREATE INDEX opt_outs_by_consumer ON opt_outs (book, consumer, position);

-- The STOPs of a code, newest first.
CREATE INDEX opt_outs_by_code ON opt_outs (book, short_code, position) WHERE NOT lifts;

GRANT SELECT, INSERT, UPDATE, DELETE ON opt_outs TO obole_app;
