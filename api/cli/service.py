"""`obole api` and `obole serve`: the API alone, or all that a book needs in one command.

What serves is brought in by the command that serves: every other one starts in half the time.
"""

from typing import Annotated

import typer

from api.cli.show import Metrics

LOOPBACK = "127.0.0.1"
PORT = 8000
MOST_WORKERS = 8
"""Each has connections of its own to the database, three a book and up to eight for reading."""

Host = Annotated[
    str, typer.Option(help="Where to listen. Anything but the loopback wants TLS in front of it.")
]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0 is any that is free.")]
PublicUrl = Annotated[
    str | None,
    typer.Option(help="How gateways reach us, for receipts; by default as each one asked."),
]
Workers = Annotated[
    int,
    typer.Option(
        min=1, max=MOST_WORKERS, help="How many processes answer; two or more share the cores."
    ),
]


def api(
    host: Host = LOOPBACK,
    port: Port = PORT,
    public_url: PublicUrl = None,
    metrics: Metrics = None,
    workers: Workers = 1,
    shared: Annotated[
        int | None, typer.Option("--socket", hidden=True, help="Serve on an open socket.")
    ] = None,
) -> None:
    """Serve the HTTP API of all books that are open, until Ctrl-C.

    Where none is open yet, those of the settings are opened. `obole work`
    goes beside it.
    """
    from api.cli.hosting import Address, host_api, host_share  # noqa: PLC0415 - see above

    if shared is not None:
        host_share(shared, public_url)
    else:
        host_api(Address(host, port, public_url), metrics, workers)


def serve(  # noqa: PLR0913 - each is an option of the command
    host: Host = LOOPBACK,
    port: Port = PORT,
    public_url: PublicUrl = None,
    metrics: Metrics = None,
    workers: Workers = 1,
    *,
    empty: Annotated[
        bool, typer.Option("--empty", help="Load no demonstration catalogue into a new book.")
    ] = False,
    keys: Annotated[
        bool, typer.Option("--keys/--no-keys", help="Issue a key for each role, good for a day.")
    ] = True,
) -> None:
    """Serve database, API and worker together, to try things out.

    Until Ctrl-C. A new book gets the demonstration catalogue, unless it is to stay empty.
    """
    from api.cli.hosting import Address, host_all  # noqa: PLC0415 - see above

    host_all(Address(host, port, public_url), metrics, workers, empty=empty, keys=keys)
