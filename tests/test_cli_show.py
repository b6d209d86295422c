"""Tables as a person sees them, also in a narrow terminal."""

import io

from rich.console import Console

from api.cli.show import table


def printed(width: int, columns: tuple[str, ...], row: tuple[str, ...]) -> str:
    """Print a table of one row."""
    out = io.StringIO()
    Console(file=out, width=width).print(table("Title", columns, [row]))
    return out.getvalue()


class TestTable:
    """Rows laid out under a title."""

    def test_breaks_no_number_and_no_name_in_two(self) -> None:
        row = ("7117c53b90a20a4d", "10.966666", "a label that may well go on over several lines")
        assert all(cell in printed(60, ("=id", "#sum", "label"), row) for cell in row[:2])

    def test_breaks_words_only_where_it_must(self) -> None:
        row = ("7117c53b90a20a4d", "10.966666", "a label that may well go on over several lines")
        assert row[2] not in printed(60, ("=id", "#sum", "label"), row)
