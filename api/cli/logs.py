"""What running commands log, on standard error: warnings, errors and what they did; never a key."""

import json
import logging
import os
import sys
from datetime import UTC, datetime

OURS = ("api", "ledger", "projections", "migrations")
CONFIGURED = (*OURS, "api.embedded", "psycopg.pool")
"""The loggers whose level is set here, beside the root's."""


class JsonLines(logging.Formatter):
    """One JSON object a line, for programs that collect logs.

    An exception tells its class and where it was, not its words: those may quote what was sent.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write one event."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0]:
            told["exception"] = record.exc_info[0].__name__
            trace = record.exc_info[2]
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            if trace is not None:
                told["at"] = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
        return json.dumps(told, ensure_ascii=False)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Write one line an event. What libraries tell of their own work is left to their warnings.

    OBOLE_LOG=json makes each line a JSON object.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonLines()
        if os.environ.get("OBOLE_LOG") == "json"
        else logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for ours in OURS:
        logging.getLogger(ours).setLevel(level)
    # Whoever leaves a server that others use has nothing to tell.
    logging.getLogger("api.embedded").setLevel(logging.WARNING)
    # The pool tells of every failed attempt; that the database is away is told once, by us.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
