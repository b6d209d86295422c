"""Makes problems of exceptions, in the application and in its OpenAPI document."""

import json
import logging
from http import HTTPStatus
from typing import Any

import psycopg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.limits import MOST_ERRORS
from api.problems import (
    INVALID,
    KINDS,
    MEDIA_TYPE,
    FaceError,
    FieldError,
    FieldsInvalid,
    NotAuthenticated,
    Problem,
    body_of,
    kind_of,
    place,
)
from ledger.commands.desk import Learn
from ledger.decisions.refusals import Refusal
from ledger.facts.registry import FactRefused
from ledger.facts.tags import TagRefused
from ledger.log.errors import ArchiveMissing, ArchiveUnreadable, FactsMissing, LogError
from projections.reading import ReadError

_log = logging.getLogger(__name__)

FAMILIES = (
    FaceError,
    Refusal,
    LogError,
    ReadError,
    Learn,
    FactRefused,
    TagRefused,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
_OLD_FACTS = (FactsMissing, ArchiveMissing, ArchiveUnreadable)
"""What somebody has to mend before it can be answered."""

_TOLD = (400, 401, 403, 404, 409, 422, 500, 503)
"""What any operation under a book may answer instead."""


def tell_problems(app: FastAPI) -> None:
    """Let every refusal and failure be answered as a problem."""
    for family in FAMILIES:
        app.add_exception_handler(family, tell)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    app.add_exception_handler(HTTPException, _tell_http)
    app.add_exception_handler(Exception, tell_nothing)
    app.add_route("/problems/{name}", _describe, methods=["GET"], include_in_schema=False)


def tell(request: Request, error: Exception) -> Response:
    """Answer one of `FAMILIES` as a problem."""
    kind = kind_of(error)
    assert kind is not None, "only families of the table are registered"
    if "gateway" in request.path_params and kind.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        # Kannel gives a message up after so many refusals, so somebody must hear of it: of which
        # gateway and why, and nothing that stood in the query.
        fields = error if isinstance(error, FieldsInvalid) else ""
        _log.warning("refused a gateway: %r, %s %s", request.url.path, kind.name, fields)
    if isinstance(error, _OLD_FACTS):
        # It does not pass by itself, and the caller is not told where the files are.
        _log.error("%r cannot be answered: %s", request.url.path, error)
    headers: dict[str, str] = {}
    if kind.retry_after_seconds is not None:
        headers["Retry-After"] = str(kind.retry_after_seconds)
    if isinstance(error, NotAuthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="obole"'
    problem = body_of(error, kind)
    if len(errors := problem.get("errors", [])) > MOST_ERRORS:
        more = f"{len(errors) - MOST_ERRORS} more are not listed"
        left = FieldError(field="body", message=more)
        problem["errors"] = [*errors[:MOST_ERRORS], left.model_dump()]
    return _response(problem, headers)


def _tell_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [FieldError(field=place(one["loc"]), message=one["msg"]) for one in error.errors()]
    return tell(request, FieldsInvalid(found))


def _tell_http(request: Request, error: Exception) -> Response:
    """Tell what the routing itself found: an unknown path, a method that is not there."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    problem = _plain(HTTPStatus(error.status_code))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # Nothing but a body is refused so: it is no UTF-8, nested too deeply, or a number too long.
        problem["errors"] = [FieldError(field="body", message="cannot be read").model_dump()]
    return _response(problem, headers)


def _methods(request: Request) -> set[str]:
    """Find what may be asked at a path: the router names the methods of one route alone."""
    served = iter_route_contexts(request.app.routes)
    here = (one for one in served if one.path_regex.match(request.url.path))
    return {method for one in here for method in one.methods or ()}


def tell_nothing(_: Request, __: Exception) -> Response:
    """Tell that we failed, and nothing of how."""
    return _response(_plain(HTTPStatus.INTERNAL_SERVER_ERROR), {})


def _plain(status: HTTPStatus) -> dict[str, Any]:
    """Write a problem that says no more than its status. Source: RFC 9457, section 4.2.1."""
    return {"type": "about:blank", "title": status.phrase, "status": int(status)}


def _response(problem: dict[str, Any], headers: dict[str, str]) -> Response:
    # A lone surrogate from somebody's JSON has no UTF-8: it is told as a question mark.
    content = json.dumps(problem, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, problem["status"], headers, MEDIA_TYPE)


def _describe(request: Request) -> Response:
    for kind in KINDS.values():
        if kind.name == request.path_params["name"]:
            text = f"{kind.name}: {kind.title} (HTTP {int(kind.status)}).\n"
            return Response(text, media_type="text/plain")
    raise HTTPException(HTTPStatus.NOT_FOUND)


def document(app: FastAPI) -> dict[str, Any]:
    """Give the OpenAPI document, with the problems that every operation under a book may answer."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, routes=app.routes)
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        shape = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= shape.pop("$defs") | {"Problem": shape}
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for path, operations in found["paths"].items():
            for operation in operations.values():
                _add_problems(operation["responses"], _TOLD if "{book}" in path else (500, 503))
        app.openapi_schema = found
    return app.openapi_schema


def _add_problems(responses: dict[str, Any], statuses: tuple[int, ...]) -> None:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status in statuses:
        phrase = INVALID.title if status == INVALID.status else HTTPStatus(status).phrase
        responses[str(status)] = {"description": phrase, "content": content}
