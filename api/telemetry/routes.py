"""Names the route of a request: its template, never what a caller wrote in it."""

from collections.abc import Mapping

from starlette.types import Scope

UNKNOWN = "unknown"
"""Whatever matched no route, so that callers cannot make up names."""


def route_of(scope: Scope) -> str:
    """Give the route that answered, such as `/v1/books/{book}/messages`.

    The router has left the parameters in the scope by the time that a request is answered.
    """
    if "endpoint" not in scope:
        return UNKNOWN
    names = {str(value): name for name, value in scope.get("path_params", {}).items()}
    parts = str(scope["path"]).split("/")
    return "/".join([_named(part, names) for part in parts])


def _named(part: str, names: Mapping[str, str]) -> str:
    """Give a part of a path as the template has it: also of `{month}.csv` the name stands alone."""
    if part in names:
        return f"{{{names[part]}}}"
    stem, dot, ending = part.rpartition(".")
    return f"{{{names[stem]}}}{dot}{ending}" if stem in names else part
