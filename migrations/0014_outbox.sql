-- What is on its way to the consumers: pushed messages, and notices before they become messages.
--
-- item                      the id of the message or of the notice
-- is_notice                 which of the two it is
-- kind                      of a message what it is for, of a notice the rule's name; as the first fact says it
-- state                     of a message waiting, unknown, refused, handed_over or cancelled;
--                           of a notice due, sent or dropped
-- changed_at                when its latest fact was
-- due_at                    when it may be tried next; null where it never is by itself
-- attempts                  how often it was offered to its gateway
-- raw_status, reason        what the gateway said last, and why the item was cancelled or dropped
-- charge                    what rides on the message; null where it is free
-- began_at, began_position  of the first fact, which always comes first; nullable, because later facts do not
--                           repeat them
-- position                  of the latest fact
--
-- Folded from the facts by the projection of the same name, and rebuilt from them at any time.

CREATE TABLE outbox (
    book text NOT NULL,
    item text NOT NULL,
    is_notice boolean NOT NULL,
    position bigint NOT NULL,
    state text NOT NULL,
    changed_at timestamptz NOT NULL,
    due_at timestamptz,
    attempts int NOT NULL,
    raw_status text,
    reason text,
    kind text,
    began_at timestamptz,
    began_position bigint,
    smsc text,
    gateway text NOT NULL,
    consumer text NOT NULL,
    short_code text NOT NULL,
    operator text NOT NULL,
    merchant text,
    service text,
    charge text,
    CONSTRAINT an_item_has_one_row PRIMARY KEY (book, item),
    CONSTRAINT state_is_known CHECK (
        (is_notice AND state IN ('due', 'sent', 'dropped'))
        OR (NOT is_notice AND state IN ('waiting', 'unknown', 'refused', 'handed_over', 'cancelled'))
    ),
    CONSTRAINT what_is_over_is_never_due CHECK (
        due_at IS NULL OR state IN ('due', 'waiting', 'unknown', 'refused')
    ),
    CONSTRAINT a_charge_in_doubt_is_never_due CHECK (
        due_at IS NULL OR charge IS NULL OR state <> 'unknown'
    )
);

COMMENT ON TABLE outbox IS 'Projection: pushed messages and notices, and how far each has come.';

-- What to try next, longest due first.
CREATE INDEX outbox_due ON outbox (book, is_notice, due_at, item) WHERE due_at IS NOT NULL;

-- Charged messages of which nobody knows whether their gateway has them.
CREATE INDEX outbox_in_doubt ON outbox (book, changed_at, item)
WHERE state = 'unknown' AND charge IS NOT NULL;

-- The list, newest first; none of it ever changes, so a page's end is a stable cursor.
CREATE INDEX outbox_by_age ON outbox (book, began_position);

GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO obole_app;
