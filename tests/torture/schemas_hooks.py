"""What schemathesis cannot know by itself; it imports this by its name, `SCHEMATHESIS_HOOKS`."""

from http import HTTPStatus
from typing import Any

import schemathesis
from schemathesis.checks import CheckContext, not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from api.shapes import MAX_POSITION

INVALID = "/problems/invalid"
SHAPES = (
    *("is missing", "is no field that belongs here", "must be a day", "must be a time"),
    *("Input should", "String should", "List should", "Value should", "Dictionary should"),
)
"""How what a schema can tell is told to be wrong: what is there, of which kind and how written."""


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


@schemathesis.check
def nothing_refused(
    context: CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> bool | None:
    """Let nothing that fits the document be told that it does not."""
    if response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and not _misshapen(response, case):
        return None
    return positive_data_acceptance(context, response, case)


def _misshapen(response: schemathesis.Response, case: schemathesis.Case) -> bool:
    """Tell whether a refusal is about what the document could tell.

    A decision against something has a type of its own. And some rules are not a schema's to tell:
    which of two days comes first, that only an operator gives back on the bill, that a label
    holds no number. What is in a catalogue's file has its own page.
    """
    told = response.json()
    if told.get("type") != INVALID or case.path.endswith("/catalogue"):
        return False
    # The document is written with floats, which round the greatest position up.
    messages = [
        str(one["message"])
        for one in told["errors"]
        if not one["message"].endswith(str(MAX_POSITION))
    ]
    return any(one.removeprefix("Value error, ").startswith(SHAPES) for one in messages)


def _wrong_in(case: schemathesis.Case) -> set[ParameterLocation]:
    parts = case.meta.components if case.meta else {}
    return {where for where, part in parts.items() if part.mode.is_negative}
