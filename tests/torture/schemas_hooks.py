"""What schemathesis cannot know by itself; it imports this by its name, `SCHEMATHESIS_HOOKS`."""

from http import HTTPStatus
from typing import Any

import schemathesis
from schemathesis.checks import CheckContext, not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection


@schemathesis.serializer("application/x-ndjson")
def lines(_context: object, value: object) -> dict[str, Any]:
    """Send what was made up as the body, as it is: most of it is no import, and is told so."""
    return {"data": value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")}


@schemathesis.check
def no_failure(
    context: CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> bool | None:
    """Let no answer be 5xx, but for a position that is asked for and not reached: a 503 says so."""
    if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        told = response.json()
        if told["type"] == "/problems/not-reached" and told["at_least"] > told["position"]:
            return None
    return not_a_server_error(context, response, case)


@schemathesis.check
def nothing_guessed(
    context: CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> bool | None:
    """Let nothing be taken that the document forbids.

    What is wrong in a header alone does not count: the one that is read is always sent with the
    same value, and HTTP lets anyone send others. Whatever comes as an import is answered line by
    line, a bad line by its reason, and all by 200.
    """
    if case.path.endswith("/imports") or _wrong_in(case) == {ParameterLocation.HEADER}:
        return None
    return negative_data_rejection(context, response, case)


def _wrong_in(case: schemathesis.Case) -> set[ParameterLocation]:
    parts = case.meta.components if case.meta else {}
    return {where for where, part in parts.items() if part.mode.is_negative}
