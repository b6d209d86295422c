"""Who is asking: a key opens one book, in one role, and a merchant's only its own account.

Each route names beside itself the roles that it is for, by `Allow`. A key is presented as a bearer
token; only Kannel's routes also take it in their query, for its URLs are all that Kannel offers.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, cast
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import Response

from api.books import Books, OpenBook
from api.problems import FieldError, FieldsInvalid, NoSuchBook, NotAllowed, NotAuthenticated
from ledger.facts.access import AccessGranted, Role
from ledger.facts.registry import Origin

MAX_PARAMETERS = 64


class Face(NamedTuple):
    """What every route of one application shares."""

    books: Books
    public_url: str | None
    """How gateways reach us, without a slash at its end; none: as each request says."""
    wait_seconds: float
    """How long a reader that asks for a position waits for it at most."""


def face_of(request: Request) -> Face:
    """Give what the application was made with."""
    return cast("Face", request.app.state.face)


class Caller(NamedTuple):
    """Somebody whose key was admitted, and what they came to."""

    name: str
    book: OpenBook
    grant: AccessGranted
    request: str
    """Our own name for this request; it stands in the facts that come of it."""

    @property
    def origin(self) -> Origin:
        """Whom the facts that come of this request name."""
        return Origin(self.name, f"key:{self.grant.key}", self.request)


def caller_of(request: Request) -> Caller:
    """Give who was admitted for this request, by the route's `Allow`."""
    return cast("Caller", request.state.caller)


class Query:
    """A query string as bytes; of a name that comes twice the first value counts."""

    def __init__(self, raw: bytes) -> None:
        parts = raw.replace(b"+", b" ").split(b"&")
        if len(parts) > MAX_PARAMETERS:
            wrong = FieldError(field="query", message=f"more than {MAX_PARAMETERS} parameters")
            raise FieldsInvalid([wrong])
        self._values: dict[bytes, bytes] = {}
        for part in filter(None, parts):
            name, _, value = part.partition(b"=")
            if b"%" in part:
                name, value = unquote_to_bytes(name), unquote_to_bytes(value)
            self._values.setdefault(name, value)

    def get(self, name: str, charset: str = "utf-8") -> str | None:
        """Give a parameter, whatever does not decode as the replacement character."""
        value = self._values.get(name.encode())
        return None if value is None else value.decode(charset, "replace")


KannelHandler = Callable[[Request, Caller, Query, str], Awaitable[Response]]
"""Answers a gateway; the last argument is the key as it was presented."""


class Allow:
    """The roles that a route is for: a FastAPI dependency, or `over` a plain Starlette route."""

    def __init__(self, *roles: Role) -> None:
        self.roles = frozenset(roles)

    async def __call__(self, request: Request) -> Caller:
        """Admit whoever presents a bearer token.

        Raises: NotAuthenticated, NoSuchBook, NotAllowed.
        """
        return await self._admitted(request, bearer(request))

    def over(self, handler: KannelHandler) -> Callable[[Request], Awaitable[Response]]:
        """Guard one of Kannel's routes, where the key may stand in the query."""

        async def guarded(request: Request) -> Response:
            query = Query(request.scope["query_string"])
            presented = bearer(request) or query.get("key") or ""
            caller = await self._admitted(request, presented)
            return await handler(request, caller, query, presented)

        return guarded

    async def _admitted(self, request: Request, presented: str) -> Caller:
        name = str(request.path_params["book"])
        book, grant = await _admit(face_of(request).books, name, presented)
        if grant.role not in self.roles or not _of_its_own(grant, request.path_params):
            raise NotAllowed
        caller = Caller(name, book, grant, secrets.token_hex(16))
        request.state.caller = caller
        return caller


def _of_its_own(grant: AccessGranted, path: Mapping[str, str]) -> bool:
    """Tell whether a merchant's or gateway's key is used for itself, as far as the path says."""
    if grant.role == "merchant":
        return grant.merchant is not None and grant.merchant == path.get("merchant")
    if grant.role == "gateway":
        return grant.gateway is not None and grant.gateway == path.get("gateway", grant.gateway)
    return True


def speaks_for(caller: Caller, gateway: str) -> None:
    """Let a gateway's key speak for its own gateway alone, where the body names one.

    Raises: NotAllowed.
    """
    if caller.grant.gateway != gateway:
        raise NotAllowed


async def _admit(books: Books, name: str, presented: str) -> tuple[OpenBook, AccessGranted]:
    """Find what a key opens; one that opens no book at all is told nothing about books."""
    here = books.by_name.get(name)
    grant = await here.admit(presented, books.clock) if here else None
    if here and grant:
        return here, grant
    for book in books.by_name.values():
        if book is not here and await book.admit(presented, books.clock):
            raise NoSuchBook
    raise NotAuthenticated


def bearer(request: Request) -> str:
    """Give the bearer token that a request presents, empty if none.

    Source: RFC 6750, section 2.1; the scheme's name in any case, RFC 9110, section 11.1.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
