"""Kannel's requests answered on a short way, for they are nearly all that ever come.

FastAPI's layers serve what Kannel's routes do not use: bodies, dependencies, files. They took a
third of what HTTP costs a message. The routes stay in the application's table, which is where their
paths are told, and whatever is not a plain GET of one of them goes the long way.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.answers import FAMILIES, tell, tell_nothing
from api.kannel import ROUTES

_Endpoint = Callable[[Request], Awaitable[Response]]


class Application(FastAPI):
    """FastAPI, and before it the short way."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        found = _found(scope)
        if found is None:
            await super().__call__(scope, receive, send)
            return
        endpoint, path_params = found
        # What the router would leave there: figures and traces name the route by it.
        scope.update(app=self, endpoint=endpoint, path_params=path_params)
        request = Request(scope, receive, send)
        try:
            response = await endpoint(request)
        except FAMILIES as error:
            response = tell(request, error)
        except Exception as error:
            await tell_nothing(request, error)(scope, receive, send)
            # Whoever serves the application writes it to the log.
            raise
        await response(scope, receive, send)


def _found(scope: Scope) -> tuple[_Endpoint, Mapping[str, str]] | None:
    """Give which of Kannel's routes is asked for, and what stands in its path."""
    if scope["type"] != "http" or scope["method"] != "GET" or scope.get("root_path"):
        return None
    for route in ROUTES:
        if match := route.path_regex.match(scope["path"]):
            return cast("_Endpoint", route.endpoint), match.groupdict()
    return None
