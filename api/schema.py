"""Writes `migrations/schema.sql` from the chain, in a scratch database: `python -m api.schema`."""

import tempfile
from pathlib import Path

from api.embedded import Embedded
from api.postgres import find_programs
from migrations.runner import migrate
from migrations.schema import SCHEMA_FILE, render_schema


def main() -> None:
    """Run the chain on a server of its own and write what it adds up to."""
    with tempfile.TemporaryDirectory(prefix="obole-schema-") as folder:
        home = Path(folder)
        home.chmod(0o711)  # for root: the server's account must pass
        with Embedded(home, durable=False) as server:
            migrate(server.url())
            SCHEMA_FILE.write_text(render_schema(server.url(), find_programs() / "bin/pg_dump"))


if __name__ == "__main__":
    main()
