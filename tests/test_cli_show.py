"""Tables as a person sees them, also in a narrow terminal."""

import io

from rich.console import Console

from api.cli.show import print_table, table


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


class TestPrintTable:
    """A table that is wider than what it is printed on."""

    COLUMNS = ("=day", "#matched", "#share", "#revenue", "what came of it")
    ROW = ("2026-11-25", "12", "1.983471", "1,204.50", "confirmed unconditionally")

    def whole(self, width: int) -> list[str]:
        """Print it, and give its lines."""
        out = io.StringIO()
        print_table(table("Title", self.COLUMNS, [self.ROW]), Console(file=out, width=width))
        return out.getvalue().splitlines()

    def test_cuts_no_amount_no_day_and_no_heading(self) -> None:
        printed = "\n".join(self.whole(40))
        assert all(cell in printed for cell in self.ROW[:4])
        assert all(name.lstrip("#=") in printed for name in self.COLUMNS[:4])

    def test_breaks_text_between_words(self) -> None:
        printed = "\n".join(self.whole(40))
        assert all(word in printed for word in self.ROW[4].split())

    def test_keeps_to_the_width_where_there_is_room(self) -> None:
        assert max(map(len, self.whole(100))) <= 100
