"""The API as `obole api` serves it, in a process of its own, by a clock that the player moves.

It says its port on standard output, and ends when its standard input does.
"""

import sys
from pathlib import Path

from api.books import Books, load_master_key, load_rules
from api.market.hand import Hand
from api.running import until_stopped
from api.serving import LOOPBACK, Setup, listen, loop_factory, serve


def host(url: str, clock: Path) -> None:
    """Serve every book until standard input ends."""
    rules, listener = load_rules(), listen(LOOPBACK, 0)
    setup = Setup(url, rules, load_master_key(url), Hand(clock))

    async def ready(_: Books) -> None:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()

    until_stopped(
        lambda stop: serve(setup, listener, stop, ready), with_parent=True, loop=loop_factory()
    )


if __name__ == "__main__":
    host(sys.argv[1], Path(sys.argv[2]))
