"""What running commands log, on standard error: warnings, errors and what they did; never a key."""

import logging
import sys


def log_to_stderr(level: int = logging.INFO) -> None:
    """Write one line an event. What libraries tell of their own work is left to their warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for ours in ("api", "ledger", "projections", "migrations"):
        logging.getLogger(ours).setLevel(level)
    # Whoever leaves a server that others use has nothing to tell.
    logging.getLogger("api.embedded").setLevel(logging.WARNING)
    # The pool tells of every failed attempt; that the database is away is told once, by us.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
