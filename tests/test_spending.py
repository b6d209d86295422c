"""What a consumer has spent: caps that forbid a charge, and notices that fall due with one."""

from datetime import datetime, timedelta

import pytest

from ledger.decisions.spending import Spent, crossings, reached, spent
from ledger.facts.charges import ChargeAuthorized, ChargeRefused, ChargeReleased
from ledger.facts.notices import NoticeDue
from ledger.facts.traffic import (
    DeliveryReceived,
    DuplicateSuspected,
    KeywordMatched,
    MoReceived,
    MtEmitted,
)
from ledger.rules.inforce import Cap, Notice
from ledger.spans import Window
from tests.support.book import Book, ChangedRules, in_memory, overtaken, together
from tests.support.builders import DONATION, NOON, dlr, mo, paris, service, tariff
from tests.support.given import given, some

DON = mo("DON", short_code=DONATION)
SOLD = (MoReceived, KeywordMatched, ChargeAuthorized, some(MtEmitted, kind="content"))
ERROR = some(MtEmitted, kind="error", billing_code="FREE", ref__charge=None)


def refused(
    spent_before: int, limit: int = 50_000_000, cap: str | None = None
) -> tuple[object, ...]:
    """Describe a message whose answer a cap forbids."""
    name = cap or "donations to one charity"
    why = some(ChargeRefused, rule="spending_cap", cap=name, spent=spent_before, limit=limit)
    return (MoReceived, KeywordMatched, why, ERROR)


def at(book: Book, moment: datetime) -> Book:
    """Set a book's clock."""
    book.clock.now = moment
    return book


def donated(times: int, price: int = 20_000_000) -> Book:
    """Let one consumer give to one charity a number of times, at 20.00 each."""
    book = in_memory(tariff(DONATION, price))
    for _ in range(times):
        given(book=book).when(DON)
    return book


class TestCap:
    """A spending cap: 50.00 a calendar month to one charity, in France."""

    def test_allows_what_stays_below_it(self) -> None:
        # 20.00 and 20.00 make 40.00, of at most 50.00; each passes a threshold of 5.00.
        given(book=donated(1)).when(DON).then(*SOLD, NoticeDue)

    def test_refuses_what_would_go_beyond_it(self) -> None:
        # 40.00 are given; 20.00 more would be 60.00.
        given(book=donated(2)).when(DON).then(*refused(40_000_000))

    def test_allows_exactly_its_amount(self) -> None:
        # Five times 10.00 are 50.00, and a sixth is more.
        book = donated(4, 10_000_000)
        given(book=book).when(DON).then(*SOLD, NoticeDue)
        given(book=book).when(DON).then(*refused(50_000_000))

    def test_asks_again_under_the_same_id_and_is_answered_as_before(self) -> None:
        book = donated(2)
        last = DON._replace(gateway_message_id="m-7")
        first = book.receive(last)
        again = book.receive(last)
        assert again._replace(repeated=False, position=0) == first._replace(position=0)

    def test_begins_anew_with_the_month_in_local_time(self) -> None:
        # The last second of July in Paris, and the first of August, two hours before UTC's.
        book = at(in_memory(tariff(DONATION, 20_000_000)), paris("2026-07-31T23:59:58"))
        for _ in range(2):
            given(book=book).when(DON)
        given(book=at(book, paris("2026-07-31T23:59:59"))).when(DON).then(*refused(40_000_000))
        given(book=at(book, paris("2026-08-01T00:00:00"))).when(DON).then(*SOLD, NoticeDue)

    def test_counts_each_consumer_apart(self) -> None:
        other = DON._replace(sender="alias-2")
        given(book=donated(2)).when(other).then(*SOLD, NoticeDue)

    def test_counts_no_charge_that_was_released(self) -> None:
        book = donated(1)
        answer = book.receive(DON._replace(gateway_message_id="m-7"))
        assert answer.mt is not None
        given(book=book).when(dlr(answer.mt, "failed")).then(DeliveryReceived, ChargeReleased)
        # 40.00 were told of before, so the threshold of 40.00 is told of no second time.
        given(book=book).when(DON).then(*SOLD)

    def test_is_kept_by_two_messages_at_once(self) -> None:
        book = donated(1)
        book.receive(DON._replace(gateway_message_id="m-1a"))
        # 40.00 are given. Of two more at once neither may pass; with 10.00 left none of 20.00 fits.
        together(
            book,
            lambda: book.take_in(DON._replace(gateway_message_id="m-7")),
            lambda: book.take_in(DON._replace(gateway_message_id="m-8")),
        )
        assert len(book.facts(ChargeAuthorized)) == 2
        assert len(book.facts(ChargeRefused)) == 2

    def test_is_kept_by_a_message_that_was_overtaken(self) -> None:
        book = donated(1)
        late, early = (DON._replace(gateway_message_id=name) for name in ("m-7", "m-8"))
        overtaken(book, lambda: book.receive(late), by=lambda: book.receive(early))
        assert len(book.facts(ChargeAuthorized)) == 2
        (why,) = book.facts(ChargeRefused)
        assert (why.rule, why.spent) == ("spending_cap", 40_000_000)

    def test_of_each_charge_bounds_the_price_alone(self) -> None:
        cap = Cap(
            name="one payment", amount=2_000_000, window=Window(kind="each_charge"),
            counted_per="consumer",
        )  # fmt: skip
        book = in_memory(rules=ChangedRules(caps=(cap,)))
        given(book=book).when(mo("JEU")).then(*refused(0, 2_000_000, "one payment"))

    @pytest.mark.parametrize(
        ("counted_per", "other", "counts"),
        [
            pytest.param("consumer", "VOTE", True, id="whatever it buys"),
            pytest.param("consumer_and_merchant", "VOTE", False, id="another merchant"),
            pytest.param("consumer_and_merchant", "JEU PLUS", True, id="the same merchant"),
            pytest.param("consumer_and_service", "JEU PLUS", False, id="another service"),
            pytest.param("consumer_and_service", "JEU", True, id="the same service"),
        ],
    )
    def test_counts_together_what_it_says(self, counted_per: str, other: str, counts: bool) -> None:  # noqa: FBT001 - a column
        cap = Cap(
            name="a day", amount=4_000_000, counted_per=counted_per,
            window=Window(kind="rolling", n=1, unit="day"),
        )  # fmt: skip
        book = in_memory(rules=ChangedRules(caps=(cap,), notices=()))
        given(mo(other), book=book).when(mo("JEU")).then(
            *(refused(3_000_000, 4_000_000, "a day") if counts else SOLD)
        )

    def test_of_one_range_counts_nothing_elsewhere(self) -> None:
        cap = Cap(
            name="donations", amount=5_000_000, counted_per="consumer", codes="92xxx",
            window=Window(kind="rolling", n=1, unit="day"),
        )  # fmt: skip
        book = in_memory(rules=ChangedRules(caps=(cap,), notices=()))
        given(mo("JEU"), mo("JEU"), book=book).when(DON).then(*SOLD)

    def test_that_rolls_forgets_what_lies_before_it(self) -> None:
        cap = Cap(
            name="an hour", amount=3_000_000, counted_per="consumer",
            window=Window(kind="rolling", n=1, unit="hour"),
        )  # fmt: skip
        book = in_memory(rules=ChangedRules(caps=(cap,), notices=()))
        given(book=book).when(mo("JEU"))
        given(book=at(book, NOON + timedelta(minutes=59, seconds=59))).when(mo("JEU")).then(
            *refused(3_000_000, 3_000_000, "an hour")
        )
        given(book=at(book, NOON + timedelta(hours=1))).when(mo("JEU")).then(*SOLD)


class TestNoticeDue:
    """The French notice: one for each 5.00 spent on a service."""

    def test_falls_due_with_the_charge_that_crosses_the_threshold(self) -> None:
        # 3.00 and 3.00 are 6.00: over 5.00.
        given(mo("JEU"), book=in_memory()).when(mo("JEU")).then(
            *SOLD, some(NoticeDue, threshold=5_000_000, crossed=1, spent=6_000_000)
        )

    def test_is_one_where_one_charge_jumps_over_several(self) -> None:
        # 20.00 at once are four thresholds of 5.00: one notice, of the highest.
        book = in_memory(tariff(DONATION, 20_000_000))
        given(book=book).when(DON).then(
            *SOLD, some(NoticeDue, threshold=20_000_000, crossed=4, spent=20_000_000)
        )

    def test_does_not_fall_due_in_between(self) -> None:
        # 3.00, 6.00, 9.00, 12.00: over 5.00 with the second, over 10.00 with the fourth.
        book = in_memory()
        for thresholds in ([], [5_000_000], [], [10_000_000]):
            happened = given(book=book).when(mo("JEU"))
            found = [one.fact for one in happened.appended if isinstance(one.fact, NoticeDue)]
            assert [fact.threshold for fact in found] == thresholds

    def test_falls_due_exactly_at_the_threshold(self) -> None:
        book = in_memory(tariff(DONATION, 5_000_000))
        given(book=book).when(DON).then(*SOLD, some(NoticeDue, threshold=5_000_000))

    def test_counts_each_service_apart(self) -> None:
        given(mo("VOTE"), book=in_memory()).when(mo("JEU")).then(*SOLD)

    def test_falls_due_once_for_two_messages_at_once(self) -> None:
        book = in_memory()
        given(book=book).when(mo("JEU"))
        together(
            book,
            lambda: book.take_in(mo("JEU", gateway_message_id="m-7")),
            lambda: book.take_in(mo("JEU", gateway_message_id="m-8")),
        )
        assert [fact.threshold for fact in book.facts(NoticeDue)] == [5_000_000]

    def test_names_the_link_that_it_goes_out_by(self) -> None:
        notice = given(mo("JEU"), book=in_memory()).when(mo("JEU")).fact(NoticeDue)
        assert (notice.ref.gateway, notice.ref.smsc) == ("kannel", "orange")


class TestSums:
    """The sums by themselves, of bare data."""

    def one(self, charge: str, price: int, service: str = "s", minutes: int = 0) -> Spent:
        return Spent(charge, "m", service, "81014", price, NOON + timedelta(minutes=minutes))

    def test_do_not_count_a_charge_against_itself(self) -> None:
        wanted = self.one("a", 3)
        cap = Cap(name="c", amount=3, window=Window(kind="rolling", n=1, unit="day"), counted_per="consumer")  # fmt: skip  # noqa: E501 - one line
        assert reached((cap,), wanted, [wanted]) is None
        assert reached((cap,), wanted, [self.one("b", 1)]) is not None

    def test_of_nothing_are_nothing(self) -> None:
        assert spent(()) == ()
        assert crossings((Notice(name="n", every=5),), self.one("a", 4), (), ()) == []


class TestRepeatedWords:
    """The same words again within the service's window, where only the answer is charged."""

    WINDOW = service("quiz", duplicate_window_seconds=60)

    def test_are_answered_again_for_nothing(self) -> None:
        given(mo("JEU"), book=in_memory(self.WINDOW)).when(mo("JEU")).then(
            MoReceived,
            KeywordMatched,
            DuplicateSuspected,
            some(MtEmitted, kind="content", billing_code="FREE", ref__charge=None),
        )

    def test_at_the_windows_very_end_are_still_in_it(self) -> None:
        book = in_memory(self.WINDOW)
        given(book=book).when(mo("JEU"))
        given(book=at(book, NOON + timedelta(seconds=60))).when(mo("JEU")).then(
            MoReceived, KeywordMatched, DuplicateSuspected, some(MtEmitted, billing_code="FREE")
        )

    def test_after_the_window_are_a_purchase(self) -> None:
        book = in_memory(self.WINDOW)
        given(book=book).when(mo("JEU"))
        given(book=at(book, NOON + timedelta(seconds=61))).when(mo("JEU")).then(*SOLD, NoticeDue)

    def test_of_what_a_cap_refused_are_refused_again(self) -> None:
        cap = Cap(
            name="one payment", amount=2_000_000, window=Window(kind="each_charge"),
            counted_per="consumer",
        )  # fmt: skip
        book = in_memory(self.WINDOW, rules=ChangedRules(caps=(cap,)))
        given(mo("JEU"), book=book).when(mo("JEU")).then(*refused(0, 2_000_000, "one payment"))

    def test_a_third_time_name_the_one_that_was_bought(self) -> None:
        book = in_memory(self.WINDOW)
        first = mo("JEU", gateway_message_id="m-0")
        given(first, mo("JEU"), book=book).when(mo("JEU"))
        bought = book.facts(MoReceived)[0]
        assert [fact.like for fact in book.facts(DuplicateSuspected)] == [bought.mo, bought.mo]
