"""The lines of an import: one JSON object each, `kind` saying what it is.

NDJSON in UTF-8. Beside `kind` a line has exactly the fields of the HTTP body of the same name,
under the same rules: nothing is guessed, and no unknown or doubled field is passed over. Reading a
line costs a few microseconds, which is why these are msgspec's structs and not the bodies' models.
"""

import json
import re
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from api.importing.words import (
    Amount,
    By,
    Currency,
    OperatorMessageId,
    Pushed,
    Reason,
    State,
    Status,
    in_words,
)
from api.shapes import is_readable
from ledger.decisions.effect import ReceiptOutcome
from ledger.facts.base import HexId, Leg, ShortCode, ShortId
from ledger.facts.catalogue import Keyword
from ledger.facts.traffic import Billed, MtKind, UnmatchedReason
from ledger.words import NUMBER_TOLD, Instant, tells_number

MAX_LINE_BYTES = 1 << 16
"""A longer line is refused without being held."""

Link = Annotated[str, Meta(min_length=1, max_length=64)]
MessageId = Annotated[str, Meta(min_length=1, max_length=128)]
Sender = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(max_length=10_000)]
Part = Annotated[int, Meta(ge=1, le=255)]


class _Part(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something inside a line."""


class Mo(_Part, frozen=True, kw_only=True, tag_field="kind", tag="mo"):
    """A consumer's message, decided here: as `POST /messages`."""

    gateway: ShortId
    smsc: Link
    id: MessageId
    sender: Sender
    short_code: ShortCode
    text: Text
    sent_at: Instant | None = None
    operator_message_id: OperatorMessageId | None = None
    arrived_at: Instant | None = None
    """When the platform got it, by which it is decided; `sent_at` where it is not given."""


class Receipt(_Part, frozen=True, kw_only=True, tag_field="kind", tag="receipt"):
    """What became of a message of ours: as `POST /receipts`."""

    gateway: ShortId
    mt: HexId
    outcome: ReceiptOutcome
    billed: Billed = "unknown"
    status: Status = ""
    occurred_at: Instant | None = None
    operator_message_id: OperatorMessageId | None = None
    part: Part | None = None
    arrived_at: Instant | None = None
    """When the platform got it; `occurred_at` where it is not given."""


class Match(_Part, frozen=True, kw_only=True):
    """What another platform took a message for."""

    keyword: Keyword
    argument: Text = ""
    merchant: ShortId
    service: ShortId


class Sent(_Part, frozen=True, kw_only=True):
    """The answer that another platform gave."""

    text: Text = ""
    kind: MtKind = "content"
    sent_at: Instant | None = None
    """When; with the message itself where it is not given."""


class Price(_Part, frozen=True, kw_only=True):
    """What the consumer was charged, tax included: a decimal in quotes, and its currency."""

    amount: Amount
    currency: Currency


class Charged(_Part, frozen=True, kw_only=True):
    """One amount that another platform charged for a message, and where that stands.

    Several may stand on one leg: the second that was captured was charged once too often.
    """

    leg: Leg = "mt"
    price: Price
    tariff: ShortId | None = None
    """By which tariff, if it says so; else the one that is in force here."""
    category: ShortId | None = None
    """The tax category by which it was charged, for what this catalogue says nothing of."""
    state: State
    ended_at: Instant | None = None
    """When it was captured or released; with its receipt, or with the message, if not given."""


class Reported(_Part, frozen=True, kw_only=True):
    """A receipt that another platform got for its answer."""

    outcome: ReceiptOutcome
    billed: Billed = "unknown"
    status: Status = ""
    occurred_at: Instant | None = None
    operator_message_id: OperatorMessageId | None = None
    part: Part | None = None


class Exchange(_Part, frozen=True, kw_only=True, tag_field="kind", tag="exchange"):
    """A message with what another platform made of it: recorded as it was, and judged."""

    gateway: ShortId
    smsc: Link
    id: MessageId
    sender: Sender
    short_code: ShortCode
    text: Text
    sent_at: Instant
    operator_message_id: OperatorMessageId | None = None
    match: Match | None = None
    unmatched: UnmatchedReason | None = None
    """Why nothing matched. Exactly one of the two is given, or neither for STOP and the like."""
    stopped: bool = False
    """Whether that platform took it for a STOP: then neither of those two is given."""
    mt: Sent | None = None
    charges: Annotated[tuple[Charged, ...], Meta(max_length=8)] = ()
    receipts: Annotated[tuple[Reported, ...], Meta(max_length=16)] = ()


class Turn(_Part, frozen=True, kw_only=True, tag_field="kind", tag="turn"):
    """Let happen what time has brought about up to an instant: renewals, notices, and the like."""

    at: Instant
    pushed: Pushed = "kept"
    """Taken: what waits to be pushed was handed to its gateway then, which took it."""


class Solicitation(_Part, frozen=True, kw_only=True, tag_field="kind", tag="solicitation"):
    """A gateway asks to solicit a consumer: as `POST /solicitations`; and sends, if it may."""

    id: MessageId
    gateway: ShortId
    smsc: Link
    sender: Sender
    short_code: ShortCode
    service: ShortId
    text: Text | None = None
    """What to send if it is allowed; without it the permission is only asked for."""
    arrived_at: Instant


class StopSubscription(_Part, frozen=True, kw_only=True, tag_field="kind", tag="stop_subscription"):
    """A merchant or regulator ends a subscription: as `POST …/subscriptions/…/stop`."""

    subscription: HexId
    by: By
    reason: Reason
    arrived_at: Instant


Line = Mo | Receipt | Exchange | Turn | Solicitation | StopSubscription


class LineRefused(ValueError):
    """A line is not what it should be; the text says why, and repeats nothing personal.

    `why` is the same for all lines of the same fault.
    """

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.why = _PLACE.sub("", told)


class _Doubled(ValueError):
    """A name stands twice in one object."""


_DECODER = msgspec.json.Decoder[Line](Line)
_PLACE = re.compile(r" \(byte \d+\)|(?<=\[)\d+(?=\])")
MOST_TOLD = 400
"""Letters of what is wrong with a line."""
_DIGITS = re.compile(r"\d{6,}")


def read_line(raw: bytes) -> Line:
    """Read one line.

    Raises:
        LineRefused: it is no such line; the text names the field.
    """
    try:
        line = _DECODER.decode(raw)
        json.loads(raw, object_pairs_hook=_once)
    except _Doubled as doubled:
        raise LineRefused(f"{_without_content(str(doubled))}: stands there twice") from None
    except msgspec.ValidationError as error:
        raise LineRefused(in_words(_without_content(str(error)))) from None
    except UnicodeDecodeError:
        raise LineRefused("this is not UTF-8") from None
    except RecursionError:
        raise LineRefused("objects are nested too deeply") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise LineRefused(f"this is no JSON: {_without_content(str(error))}") from None
    _check(line)
    return line


def _once(pairs: list[tuple[str, object]]) -> None:
    names = [name for name, _ in pairs]
    if len({*names}) < len(names):
        raise _Doubled(next(name for name in names if names.count(name) > 1))


def _without_content(told: str) -> str:
    """Leave out what may be a number that somebody put in a wrong place."""
    return _DIGITS.sub("…", told)[:MOST_TOLD]


def _check(line: Line) -> None:
    """Hold what no field can say alone."""
    match line:
        case Exchange():
            _check_exchange(line)
        case Solicitation() if line.text is not None and not is_readable(line.text):
            raise LineRefused("text: there is nothing to read in it")
        case StopSubscription() if tells_number(line.reason):
            raise LineRefused(f"reason: {NUMBER_TOLD}")
        case _:
            pass


def _check_exchange(line: Exchange) -> None:
    said = (line.match is not None) + (line.unmatched is not None) + line.stopped
    if said > 1:
        raise LineRefused("give one of match, unmatched and stopped")
    if line.receipts and line.mt is None:
        raise LineRefused("receipts: there is no mt that they speak of")
