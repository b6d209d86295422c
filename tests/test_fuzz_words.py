"""Words on the command line: any are understood, or refused in words, without a trace."""

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.asked import near
from tests.support.cli import ROOT, Obole
from tests.support.noise import STRANGE

# No argument of a process holds NUL; a byte that is no UTF-8 comes as a surrogate of this range.
ARGUMENTS = (
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
    | st.sampled_from([one for one in STRANGE if "\0" not in one and "\ud800" not in one])
    | st.binary(max_size=8)
    .map(lambda raw: raw.replace(b"\0", b""))
    .map(lambda raw: raw.decode("utf-8", "surrogateescape"))
)


def refused_or_done(*arguments: str) -> int:
    done = Obole({"OBOLE_SETTINGS": str(ROOT / "settings"), "HOME": "/"})(*arguments)
    assert done.status in {0, 1, 2}
    assert done.status == 0 or done.err.strip(), arguments
    assert "Traceback" not in done.err
    return done.status


@given(near("2026-07-15").filter(lambda text: "\0" not in text) | ARGUMENTS)
@example("2026-02-30")
@example("9" * 5_000)
def test_a_day_of_rules_is_read_or_refused(text: str) -> None:
    """The days of one pack are all there are to show."""
    assert refused_or_done("rules", "show", "fr", "--at", text, "--json") in {0, 2}


@given(ARGUMENTS)
@example("../../etc/passwd")
@example("a" * 300)
@example("fr/../fr")
@example("\udcff")
def test_a_book_of_rules_is_shown_or_refused(text: str) -> None:
    """It is looked for beside the settings, and nowhere else."""
    refused_or_done("rules", "show", "--json", "--", text)


@given(ARGUMENTS)
@example("2026-07-15T09:30:00")
@example("0001-01-01")
def test_an_instant_of_work_is_refused_where_it_is_none(text: str) -> None:
    """With one that is none, no book is opened."""
    if "+" not in text and "Z" not in text and "-" not in text[10:]:
        assert refused_or_done("work", "--once", "--now", text) == 2
