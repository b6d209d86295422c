"""`obole demo` and `obole bench`: what there is to see, and how fast it is.

What they bring in, they bring in themselves: every other command starts in half the time.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli.refused import REFUSED, CommandRefused
from api.cli.show import AsJson
from api.demo.namespace import is_isolated, run_in_namespace

PARTS = ("log", "intake", "import", "folds", "growth", "peers")


def demo(
    *,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Use our simulated gateway even where Kannel is.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the database of this run, and say where it is.")
    ] = False,
    out: Annotated[
        Path, typer.Option(help="The folder for the documents; an earlier run's is replaced.")
    ] = Path("obole-demo-documents"),
    as_json: AsJson = False,
) -> None:
    """Play traffic of two countries, and show what became of it.

    It writes the payouts, an audit export and a merchant's statement of
    each book. The traffic is real where Kannel is installed and a network
    namespace is allowed. The status is 0 only if the books balance, live
    projections equal a rebuild, and every message is accounted for.
    """
    from api.cli.demonstration import demonstrate  # noqa: PLC0415 - see above
    from api.demo.kannel import kannel_available  # noqa: PLC0415 - the same

    fallback = "--simulated was asked for" if simulated else kannel_available()
    if fallback is None and not is_isolated():
        run_in_namespace([sys.executable, "-m", "api.cli.main", *sys.argv[1:]])
    if not demonstrate(fallback, out, keep=keep, as_json=as_json):
        sys.exit(REFUSED)


def bench(
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"Only this part: {', '.join(PARTS)}; may be given several times."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="With --only growth: draw it into this file, as SVG.")
    ] = None,
    most: Annotated[
        int | None, typer.Option(help="With --only growth: grow to so many facts at most.", min=1)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure log, intake, import, folds and peers, beside what bounds them.

    Growth is measured only where it is asked for: it takes an hour.
    """
    from api.bench.main import UnknownPart, run  # noqa: PLC0415 - see above
    from api.bench.stage import grown_to  # noqa: PLC0415 - see above

    try:
        run(as_json=as_json, only=only or (), scale=grown_to(most), plot=plot)
    except UnknownPart as unknown:
        raise CommandRefused(str(unknown)) from unknown
