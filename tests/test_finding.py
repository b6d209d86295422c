"""Findings: opened once for each subject, and closed once, by a refund or a person."""

from typing import Any

import pytest

from ledger.commands.findings import Closed, close_finding
from ledger.decisions import finding
from ledger.decisions.finding import ByPerson, Closing, about_charge, about_message
from ledger.decisions.refusals import FindingAlreadyClosed, UnknownFinding
from ledger.facts.charges import ChargeCaptured
from ledger.facts.findings import FindingClosed
from ledger.facts.traffic import MtEmitted
from tests.support.book import ORIGIN, Book, in_memory, overtaken, together
from tests.support.builders import BOOK, NOON
from tests.support.given import given, some
from tests.support.refunding import asked, found, nobodys, refund_of, refunding

NOTE = "the consumer had asked for it on the telephone"


def closing(wanted: str, how: ByPerson = "no_fault", note: str = NOTE) -> Any:  # noqa: ANN401 - a step of a story
    return lambda book: book.run(_close(book, wanted, how, note))


async def _close(book: Book, wanted: str, how: ByPerson = "no_fault", note: str = NOTE) -> Closed:
    return await close_finding(book.desk, wanted, (how, note), ORIGIN, book.clock.now)


class TestId:
    """What a finding is called."""

    def test_follows_from_its_book_kind_and_subject(self) -> None:
        ids = {
            finding.finding_id(book, kind, subject)
            for book in ("fr", "be")
            for kind in ("unattributed", "billed_twice")
            for subject in ("a" * 32, "b" * 32)
        }
        assert len(ids) == 8
        assert finding.finding_id("fr", "unattributed", "a" * 32) in ids


class TestOpened:
    """The fact that opens a finding."""

    def test_points_at_a_charge(self) -> None:
        sold = nobodys()
        captured = sold.book.facts(ChargeCaptured)[-1]
        about = about_charge(captured.ref, 3_000_000, "EUR", mt="a" * 32)
        opened = finding.opened(BOOK, "unattributed", sold.charge, about, NOON)
        assert opened.finding == finding.finding_id(BOOK, "unattributed", sold.charge)
        assert (opened.charge, opened.mo, opened.mt) == (sold.charge, captured.ref.mo, "a" * 32)
        assert (opened.leg, opened.merchant, opened.amount) == ("mo", None, 3_000_000)

    def test_points_at_a_message_and_the_charge_on_it(self) -> None:
        book, charge = asked()
        ref = book.facts(MtEmitted)[0].ref
        opened = finding.opened(BOOK, "handover_unknown", ref.mt, about_message(ref), NOON)
        assert (opened.mt, opened.charge, opened.leg) == (ref.mt, charge, "mt")
        assert (opened.merchant, opened.amount, opened.currency) == ("ludotel", None, None)

    def test_stays_open_until_it_is_closed(self) -> None:
        sold = nobodys()
        one, other = found(sold), found(sold, "billed_twice")
        shut = finding.closed(one, Closing("resolved", NOTE), NOON)
        assert finding.still_open([one, other]) == [one, other]
        assert finding.still_open([one, other, shut]) == [other]
        # Whoever comes upon the same thing again opens nothing new.
        assert finding.still_open([one, one]) == [one]

    def test_is_never_closed_before_it_was_opened(self) -> None:
        opened = found(nobodys())
        early = opened.occurred_at.replace(year=2020)
        assert finding.closed(opened, Closing("resolved", NOTE), early).occurred_at == (
            opened.occurred_at
        )


class TestClose:
    """A person closes a finding."""

    @pytest.mark.parametrize("how", ["no_fault", "resolved"])
    def test_happens_with_a_note(self, how: ByPerson) -> None:
        sold = nobodys()
        opened = found(sold)
        happened = given(book=sold.book).when(closing(opened.finding, how))
        happened.then(
            some(
                FindingClosed,
                finding=opened.finding,
                kind="unattributed",
                how=how,
                note=NOTE,
                refund=None,
                charge=sold.charge,
            )
        )
        (recorded,) = [one for one in sold.book.recorded if one.fact == opened]
        assert happened.appended[0].caused_by == recorded.id

    def test_of_one_that_was_never_opened_is_refused(self) -> None:
        given(book=in_memory()).when(closing("f" * 32)).refused(UnknownFinding).left()

    def test_a_second_time_otherwise_is_refused(self) -> None:
        sold = nobodys()
        opened = found(sold)
        for how, note in (("resolved", NOTE), ("no_fault", "for another reason")):
            story = given(closing(opened.finding), book=sold.book)
            story.when(closing(opened.finding, how, note)).refused(FindingAlreadyClosed).left()

    def test_after_a_refund_closed_it_is_refused(self) -> None:
        sold = nobodys()
        opened = found(sold)
        story = given(refunding(refund_of(sold.charge)), book=sold.book)
        story.when(closing(opened.finding)).refused(FindingAlreadyClosed, "refunded").left()

    def test_repeated_changes_nothing(self) -> None:
        sold = nobodys()
        opened = found(sold)
        first = closing(opened.finding)(sold.book)
        given(book=sold.book).when(closing(opened.finding)).then()
        assert closing(opened.finding)(sold.book) == first._replace(repeated=True)

    def test_raced_by_another_happens_once(self) -> None:
        sold = nobodys()
        opened = found(sold)
        results = together(
            sold.book,
            lambda: _close(sold.book, opened.finding),
            lambda: _close(sold.book, opened.finding, "resolved"),
        )
        assert sorted(type(one).__name__ for one in results) == ["Closed", "FindingAlreadyClosed"]
        assert len(sold.book.facts(FindingClosed)) == 1

    def test_overtaken_by_a_refund_is_refused(self) -> None:
        sold = nobodys()
        opened = found(sold)
        with pytest.raises(FindingAlreadyClosed):
            overtaken(
                sold.book,
                lambda: closing(opened.finding)(sold.book),
                by=lambda: refunding(refund_of(sold.charge))(sold.book),
            )
        assert len(sold.book.facts(FindingClosed)) == 1
