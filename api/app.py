"""The HTTP application: every face of the books that a process serves, in one."""

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Path, Security
from fastapi.security import HTTPBearer
from starlette.responses import JSONResponse, Response

from api import (
    accounts,
    balances,
    catalogue,
    expected,
    exports,
    feed,
    findings,
    health,
    imports,
    intake,
    kannel,
    opt_outs,
    outbox,
    payouts,
    rates,
    refunds,
    solicitations,
    subscriptions,
    trail,
)
from api.access import Face
from api.answers import document, tell_problems
from api.bodies import refuse_doubled_names
from api.books import Books
from api.limits import BodyLimit
from api.shortcut import Application

WAIT_SECONDS = 5.0
"""How long a reader that asks for a position waits for it at most."""
_FACES = (
    *(intake, imports, accounts, balances, catalogue, trail, feed, exports, payouts),
    *(opt_outs, outbox, expected, rates, solicitations, subscriptions),
    *(refunds, findings),
)
"""Every module with routes below a book."""


def create_app(
    books: Books, *, public_url: str | None = None, wait_seconds: float = WAIT_SECONDS
) -> FastAPI:
    """Make the application; it belongs to the event loop in which `books` were opened.

    `public_url` is how gateways reach us, for the receipts' URLs; by default each request's own
    host. Serve it without uvicorn's access log, which would write Kannel's queries: keys,
    numbers and texts.
    """
    # The pages for reading the document load their scripts from elsewhere: there are none.
    app = Application(
        title="Obole",
        version=version("obole"),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # A slash more is another address: a redirection would repeat what stood in the query.
        redirect_slashes=False,
        # A trace would carry Kannel's queries to wherever traces are kept.
        telemetry={"tracing": False},
    )
    app.state.face = Face(books, public_url.rstrip("/") if public_url else None, wait_seconds)
    app.add_middleware(BodyLimit)
    # Kannel's routes first: each message looks for its route in this order.
    app.router.routes.extend(kannel.ROUTES)
    tell_problems(app)
    # The scheme only tells the document how to present a key; `Allow` judges it.
    scheme = HTTPBearer(auto_error=False, description="A key issued by `obole key`.")
    named = [Security(scheme), Depends(_named), Depends(refuse_doubled_names)]
    book = APIRouter(prefix="/v1/books/{book}", dependencies=named)
    for face in _FACES:
        book.include_router(face.router)
    app.include_router(book)
    app.include_router(health.router)

    async def openapi(_: object) -> Response:
        return JSONResponse(document(app))

    app.add_route("/openapi.json", openapi, include_in_schema=False)
    return app


async def _named(book: Annotated[str, Path(description="The book that the key opens.")]) -> None:
    """Tell the document that a path names its book; `Allow` judges which."""
