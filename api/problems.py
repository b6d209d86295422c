"""How every refusal and failure is told over HTTP: one family, one problem (RFC 9457).

FaceError
├── NotAuthenticated   no key, or one that opens nothing
├── NotAllowed         the key does not open this: its role or its merchant is another's
├── NoSuchBook         the key opens other books, and this one may not even be there
└── FieldsInvalid      what was sent is not what is understood; every field is named

All other exceptions come from the ledger, its log and the projections as they are; a class that
is not in the table is told as its nearest base is.

Source: RFC 9457, sections 3 and 4; a type's address is relative and can be read from us.
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import psycopg
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ledger.commands.desk import Learn
from ledger.decisions import refusals
from ledger.decisions.catalogue_request import CatalogueRefused
from ledger.decisions.national import NationalNumber
from ledger.decisions.refusals import Refusal
from ledger.facts.registry import FactRefused
from ledger.facts.tags import TagRefused
from ledger.log import errors as log
from projections.reading import BeforeTheBook, NotKnown, NotProjected, NotReached, ReadError

MEDIA_TYPE = "application/problem+json"
SOON = 1
"""Seconds after which it is worth coming again where the ledger is only behind or busy."""
LATER = 5
"""Seconds after which it is worth coming again when the database is away."""


class FieldError(BaseModel):
    """One field that is wrong, and why."""

    field: str
    message: str


class FaceError(Exception):
    """A request is refused before the ledger hears of it."""


class NotAuthenticated(FaceError):
    """No key was presented, or one that is unknown, malformed, expired or revoked."""


class NotAllowed(FaceError):
    """The key opens the book, and not this in it. Nothing tells whether there is anything."""


class NoSuchBook(FaceError):
    """The key opens another book; whether this one exists is not for its holder to know."""


class FieldsInvalid(FaceError):
    """What was sent is not understood; `fields` names everything that is wrong."""

    def __init__(self, fields: Sequence[FieldError]) -> None:
        super().__init__(", ".join(one.field for one in fields))
        self.fields = fields

    @classmethod
    def of(cls, error: ValidationError) -> "FieldsInvalid":
        """Tell what a model found wrong."""
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return cls([FieldError(field=place(one["loc"]), message=one["msg"]) for one in found])


class Kind(NamedTuple):
    """One type of problem: its HTTP status, the name that its type ends in, and its title."""

    status: HTTPStatus
    name: str
    title: str
    retry_after_seconds: int | None = None


_AWAY = Kind(
    HTTPStatus.SERVICE_UNAVAILABLE, "database-away", "The ledger's database is away", LATER
)
_BUSY = Kind(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "Too much is waiting", SOON)
_FILES = Kind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "archive-unreadable",
    "Old facts that this rests on cannot be read",
    LATER,
)
_BOOK = Kind(HTTPStatus.NOT_FOUND, "unknown-book", "There is no such book for this key")
_VALUES = Kind(
    HTTPStatus.UNPROCESSABLE_ENTITY, "values-refused", "No fact may hold what follows from this"
)
_LOG = Kind(HTTPStatus.INTERNAL_SERVER_ERROR, "log-failed", "The log failed")
INVALID = Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", "The request is not understood")

KINDS: Mapping[type[Exception], Kind] = {
    NotAuthenticated: Kind(
        HTTPStatus.UNAUTHORIZED, "not-authenticated", "A key that opens something is needed"
    ),
    NotAllowed: Kind(HTTPStatus.FORBIDDEN, "not-allowed", "This key does not open that"),
    NoSuchBook: _BOOK,
    FieldsInvalid: INVALID,
    Refusal: Kind(HTTPStatus.CONFLICT, "refused", "The ledger says no"),
    refusals.UnknownGateway: Kind(
        HTTPStatus.NOT_FOUND, "unknown-gateway", "No such gateway is declared"
    ),
    refusals.UnknownLink: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "unknown-link", "The gateway has no such link"
    ),
    NationalNumber: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "national-number", "The number lacks its country's code"
    ),
    refusals.ConflictingDuplicate: Kind(
        HTTPStatus.CONFLICT, "conflicting-duplicate", "Another message came under this id"
    ),
    refusals.UnknownExchange: Kind(
        HTTPStatus.NOT_FOUND, "unknown-exchange", "No such message was received"
    ),
    refusals.UnknownConsumer: Kind(
        HTTPStatus.NOT_FOUND, "unknown-consumer", "Nothing is recorded of such a consumer"
    ),
    refusals.RulesOutdated: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "rules-outdated",
        "This process must be started again with the rules that the book adopted",
        LATER,
    ),
    refusals.StatedTimeMissing: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "stated-time-missing", "The message must state its time"
    ),
    refusals.BookNotOpen: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "book-not-open", "The book is not open yet", LATER
    ),
    refusals.GatewayMissing: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "gateway-missing", "The key must name its gateway"
    ),
    refusals.MerchantMissing: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "merchant-missing", "The key must name its merchant"
    ),
    refusals.MerchantNotRegistered: Kind(
        HTTPStatus.NOT_FOUND, "merchant-not-registered", "No such merchant is registered"
    ),
    refusals.ServiceNotDeclared: Kind(
        HTTPStatus.NOT_FOUND, "service-not-declared", "No such service is declared"
    ),
    refusals.UnknownSolicitation: Kind(
        HTTPStatus.NOT_FOUND, "unknown-solicitation", "No such solicitation was asked for"
    ),
    refusals.ConflictingSolicitation: Kind(
        HTTPStatus.CONFLICT, "conflicting-solicitation", "Something else came under this id"
    ),
    refusals.SolicitationNotAllowed: Kind(
        HTTPStatus.CONFLICT, "solicitation-not-allowed", "The solicitation may not be sent"
    ),
    refusals.MessageUnfit: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "message-unfit", "The text cannot be sent"
    ),
    refusals.UnknownKey: Kind(HTTPStatus.NOT_FOUND, "unknown-key", "No such key was granted"),
    refusals.KeyAlreadyRevoked: Kind(
        HTTPStatus.CONFLICT, "key-already-revoked", "The key was revoked before"
    ),
    refusals.UnknownCharge: Kind(HTTPStatus.NOT_FOUND, "unknown-charge", "No such charge is known"),
    refusals.OtherCurrency: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "other-currency", "The amount is in another currency"
    ),
    refusals.SoldByNobody: Kind(
        HTTPStatus.CONFLICT, "sold-by-nobody", "No merchant earns what this charge is for"
    ),
    refusals.RefundNotMade: Kind(
        HTTPStatus.CONFLICT, "refund-not-made", "A rule forbids this refund or write-off"
    ),
    refusals.OtherContent: Kind(
        HTTPStatus.CONFLICT, "other-content", "This id was used before for something else"
    ),
    refusals.UnknownFinding: Kind(
        HTTPStatus.NOT_FOUND, "unknown-finding", "No such finding was opened"
    ),
    refusals.FindingAlreadyClosed: Kind(
        HTTPStatus.CONFLICT, "finding-already-closed", "The finding was closed before"
    ),
    refusals.UnknownSubscription: Kind(
        HTTPStatus.NOT_FOUND, "unknown-subscription", "No such subscription began here"
    ),
    refusals.SubscriptionEnded: Kind(
        HTTPStatus.CONFLICT, "subscription-ended", "The subscription was stopped"
    ),
    refusals.RenewalNotDue: Kind(
        HTTPStatus.CONFLICT, "renewal-not-due", "Nothing of the subscription is due now"
    ),
    refusals.UnknownShortCode: Kind(
        HTTPStatus.NOT_FOUND, "unknown-short-code", "No such short code was opened"
    ),
    refusals.PeriodRefused: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "period-refused", "These days can hold no fact"
    ),
    CatalogueRefused: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "catalogue-refused", "The catalogue is refused whole"
    ),
    FactRefused: _VALUES,
    TagRefused: _VALUES,
    log.LogError: _LOG,
    log.UnknownBook: _BOOK,
    log.RowRefused: Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "row-refused", "The log does not take what follows"
    ),
    log.LogOverloaded: _BUSY,
    log.LogUnavailable: _AWAY,
    log.FactsMissing: _FILES,
    log.ArchiveMissing: _FILES,
    log.ArchiveUnreadable: _FILES,
    log.ArchiveRefused: _LOG,
    psycopg.OperationalError: _AWAY,
    psycopg.InterfaceError: _AWAY,
    Learn: _BUSY,
    ReadError: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "not-readable", "There is no answer here and now", SOON
    ),
    NotProjected: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "not-projected", "This was never worked out yet", LATER
    ),
    NotKnown: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "not-known", "That day is not worked out whole yet", SOON
    ),
    BeforeTheBook: Kind(
        HTTPStatus.NOT_FOUND, "before-the-book", "The book was not there on that day"
    ),
    NotReached: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "not-reached", "The position asked for is not reached", SOON
    ),
}
"""How each family is told."""


class Problem(BaseModel):
    """A refusal or failure. Source: RFC 9457, section 3.1."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/problems/invalid"])
    title: str
    status: int
    detail: str | None = None
    errors: list[FieldError] | None = None


def kind_of(error: Exception) -> Kind | None:
    """Give how an exception is told: by its class, or the nearest base of it."""
    return next((KINDS[base] for base in type(error).__mro__ if base in KINDS), None)


def body_of(error: Exception, kind: Kind) -> dict[str, Any]:
    """Write the problem; only refusals and reads give their data, the rest might tell internals."""
    problem: dict[str, Any] = {
        "type": f"/problems/{kind.name}",
        "title": kind.title,
        "status": int(kind.status),
    }
    match error:
        case FieldsInvalid():
            problem["errors"] = [one.model_dump() for one in error.fields]
        case NotReached():
            problem |= {"position": error.watermark.position, "at_least": error.at_least}
        case log.RowRefused():
            problem["rule"] = error.rule
        case CatalogueRefused() | NationalNumber():
            wrong = [FieldError(field=one.place, message=one.text) for one in error.problems]
            problem["detail"] = str(error)
            problem["errors"] = [one.model_dump() for one in wrong]
        case Refusal():
            problem["detail"] = str(error)
            problem |= _data(vars(error))
        case _:
            pass
    return problem


def _data(members: Mapping[str, object]) -> dict[str, object]:
    """Keep what a refusal carries in simple values, never over a problem's own members."""
    own = Problem.model_fields
    return {
        name: value
        for name, value in members.items()
        if name not in own and isinstance(value, str | int)
    }


def place(steps: Iterable[str | int]) -> str:
    """Write where something is wrong: `text`, or `lines.3.amount`; the whole body is `body`."""
    named = [str(step) for step in steps]
    if len(named) > 1 and named[0] in {"body", "query", "path", "header"}:
        named = [step for step in named[1:] if not step.isdecimal()] or named[:1]
    return ".".join(named) or "body"
