"""Logging without secrets: uvicorn's access log names each request by its path alone.

A query may hold a key, a consumer's number and what they wrote, so none of it is ever written.
"""

import logging
from typing import Any

from uvicorn.config import LOGGING_CONFIG


class WithoutQuery(logging.Filter):
    """Cuts the query off the path in a record of `uvicorn.access`.

    Such a record's arguments are client, method, path with query, HTTP version and status.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; it is always kept."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                argument.partition("?")[0] if isinstance(argument, str) else argument
                for argument in record.args
            )
        return True


def log_config() -> dict[str, Any]:
    """Give uvicorn's own configuration of logging, for `log_config`, with the queries cut off."""
    own: dict[str, Any] = LOGGING_CONFIG
    access = own["handlers"]["access"] | {"filters": ["without_query"]}
    return own | {
        "filters": {"without_query": {"()": WithoutQuery}},
        "handlers": own["handlers"] | {"access": access},
    }
