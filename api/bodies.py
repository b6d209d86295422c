"""What every JSON body is held to before its route looks at it: no name stands twice in an object.

Which of two values somebody meant is not for us to choose: the last would win unseen.
"""

import json
from collections import Counter

from starlette.requests import Request

from api.problems import FieldError, FieldsInvalid

_BODILESS = frozenset({"GET", "HEAD"})
_LINES = "/imports"
"""There each line is held to the same by itself, and the whole is never held in memory."""


async def refuse_doubled_names(request: Request) -> None:
    """Refuse a JSON body in which a name stands twice, by that name.

    Raises:
        FieldsInvalid: one does.
    """
    if request.method in _BODILESS or request.scope["path"].endswith(_LINES):
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.startswith("application/") or not kind.endswith("json"):
        return
    try:
        json.loads(await request.body() or b"null", object_pairs_hook=_once)
    except ValueError:
        return  # what is no JSON is for the route to say, if it looks at a body at all
    except RecursionError:
        wrong = FieldError(field="body", message="is nested too deeply")
        raise FieldsInvalid([wrong]) from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        doubled = sorted(name for name, number in counted.items() if number > 1)
        raise FieldsInvalid(
            [FieldError(field=one, message="stands there twice") for one in doubled]
        )
    return found
