"""A long past: decisions read little of it, and decide as on the whole of it."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from ledger.commands import pasts
from ledger.commands.pasts import Pasts
from ledger.decisions import opt_out
from ledger.decisions.past import NOTHING, TYPES, after
from ledger.decisions.spending import changes, spent
from ledger.facts.base import Fact, Recorded
from ledger.facts.charges import ChargeAuthorized, ChargeRefused, ChargeReleased
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.notices import NoticeDue
from ledger.facts.registry import stored_name
from ledger.facts.subscriptions import SubscriptionStarted
from ledger.facts.traffic import DuplicateSuspected, KeywordMatched, MoReceived, MtEmitted
from ledger.log.batch import Decide, Outcome
from ledger.log.errors import LogUnavailable
from ledger.log.rows import Query, StoredRow
from tests.support.belgium import be_mo
from tests.support.book import Book, ChangedRules, in_memory
from tests.support.builders import NOON, ON_ACCEPTED, ORANGE, dlr, mo, paris, service
from tests.support.effort import WHOLE_HISTORIES
from tests.support.given import given, some
from tests.support.long_pasts import (
    ALL,
    HISTORIES,
    MARKETS,
    Market,
    Step,
    belgian_market,
    cap,
    live,
)
from tests.support.subscribers import last_mt, on, renew, sms

EACH = pytest.mark.parametrize("market", MARKETS.values(), ids=MARKETS)
MONTHS = ("07", "08", "09", "10", "11", "12")
ELSEWHERE = mo("JEU PLUS", short_code=ON_ACCEPTED)
"""Another service on another code, of the same consumer."""
SOLD = (MoReceived, KeywordMatched, ChargeAuthorized, MtEmitted)


def _said(kind: type[OptedOut | OptOutLifted], at: int, name: str | None) -> Fact:
    about = {"consumer": "1_" + "0" * 32, "mo": "0" * 32, "short_code": ON_ACCEPTED}
    said = {"operator": ORANGE, "service": name, "occurred_at": NOON + timedelta(seconds=at)}
    return kind(**about, **said, **({"word": "STOP"} if kind is OptedOut else {}))


SAID = st.lists(
    st.builds(
        _said,
        st.sampled_from([OptedOut, OptOutLifted]),
        st.integers(0, 5),
        st.sampled_from(["quiz", None]),
    ),
    max_size=8,
)
"""What is stopped and lifted, told in another order than it was said."""


def bare(book: Book) -> list[tuple[object, ...]]:
    """Give what was recorded, without what a new key makes another."""
    return [_bare(one) for one in book.recorded]


def _bare(one: Recorded) -> tuple[object, ...]:
    made_by_keys = {"text": None, "fingerprint": "0" * 32}
    has = {name: made_by_keys[name] for name in made_by_keys if hasattr(one.fact, name)}
    return (one.id, one.exchange, one.caused_by, msgspec.structs.replace(one.fact, **has))


def forgetful(book: Book) -> Book:
    """Let a book keep every past, and of each only what must be kept."""
    book.desk.pasts = Pasts(long=0, kept=0)
    return book


def in_month(book: Book, month: str, day: int = 10) -> Book:
    """Set the clock to noon of a day of 2026 in Paris."""
    book.clock.now = paris(f"2026-{month}-{day:02}T12:00")
    return book


def thresholds(book: Book) -> list[int]:
    """Give the thresholds that the consumer was told of, in whole euros."""
    return [fact.threshold // 1_000_000 for fact in book.facts(NoticeDue)]


class Counting:
    """A log that counts the rows that decisions read."""

    def __init__(self, book: Book) -> None:
        self._log = book.desk.log
        self.decided: list[int] = []
        self.learnt: list[int] = []
        book.desk.log = self

    async def submit(self, query: Query, decide: Decide) -> Outcome:
        outcome = await self._log.submit(query, decide)
        self.decided.append(len(outcome.history))
        return outcome

    async def read(self, query: Query) -> tuple[tuple[StoredRow, ...], int]:
        rows, head = await self._log.read(query)
        self.learnt.append(len(rows))
        return rows, head


@EACH
class TestAnyHistory:
    """Messages one by one and in batches, late ones, receipts for old ones, renewals, imports."""

    @WHOLE_HISTORIES
    @drawn(steps=HISTORIES, long=st.sampled_from([0, 0, 3]), kept=st.sampled_from([0, 0, 10]))
    def test_is_decided_as_on_the_whole_past(
        self, market: Market, steps: list[Step], long: int, kept: int
    ) -> None:
        assert bare(live(market, steps, long=long, kept=kept)) == bare(
            live(market, steps, long=ALL)
        )


def agree(book: Book, chunks: Sequence[int], reach: timedelta) -> None:
    """See that a past that is folded in chunks tells what the whole of its facts does."""
    whole = [one for one in book.recorded if stored_name(type(one.fact)) in TYPES]
    past, left = NOTHING, whole
    for size in chunks:
        new, left = left[:size], left[size:]
        keep = max((one.fact.occurred_at for one in new), default=NOON) - reach
        past = after(past, new, book.rows[-1].position, keep, kept=0)
    facts = [one.fact for one in whole]
    known = [one.fact for one in (*past.facts, *left)]
    # What is left out is older, and stands in the sums.
    assert {one for one in spent(known) if one.at >= past.since} == {
        one for one in spent(facts) if one.at >= past.since
    }
    before = [*past.sums.items(), *changes(known)]
    assert _by_service([*before, *_prices(known)]) == _by_service(_prices(facts))
    assert opt_out.stopped(known) == opt_out.stopped(facts)


def _by_service(amounts: Sequence[tuple[str | None, int]]) -> dict[str | None, int]:
    """Add up what was spent on each service; on none, nobody is told anything."""
    sums = Counter[str | None]()
    for name, by in amounts:
        sums[name] += by
    return {name: by for name, by in sums.items() if name is not None and by}


def _prices(facts: Sequence[Fact]) -> list[tuple[str | None, int]]:
    return [(one.service, one.price) for one in spent(facts)]


@EACH
class TestInAnyChunks:
    """However many facts of one consumer are taken in together, whatever is left out with each."""

    @WHOLE_HISTORIES
    @drawn(
        steps=HISTORIES,
        chunks=st.lists(st.integers(0, 12), max_size=12),
        days=st.sampled_from([0, 1, 30, 90]),
    )
    def test_comes_to_the_same(
        self, market: Market, steps: list[Step], chunks: list[int], days: int
    ) -> None:
        alone = market._replace(senders=market.senders[:1] * 2)
        agree(live(alone, steps, long=ALL), chunks, timedelta(days=days))


class TestShort:
    """How much is read of a past that grows and grows."""

    def grown(self, keeping: Pasts, messages: int) -> Counting:
        """Let a consumer write every day."""
        book = in_memory()
        book.desk.pasts = keeping
        counting = Counting(book)
        for number in range(messages):
            book.clock.now = NOON + timedelta(days=number)
            book.receive(mo("JEU", gateway_message_id=f"m-{number}"))
        return counting

    def test_is_what_a_decision_reads(self) -> None:
        counting = self.grown(Pasts(long=8, kept=8), 100)
        # A purchase is up to four facts that a past is made of.
        assert max(counting.decided) <= 8 + 4
        first, *others = counting.learnt
        assert max(others) <= first
        assert max(others) <= 8 + 2 * 4

    def test_is_not_what_is_read_of_a_past_that_is_not_kept(self) -> None:
        counting = self.grown(Pasts(long=ALL), 100)
        assert counting.decided[-1] >= 100 * 3 // 2

    def test_is_what_is_kept(self) -> None:
        counting = self.grown(keeping := Pasts(long=8, kept=8), 200)
        assert len(counting.decided) == 200
        (past,) = keeping._kept.values()  # noqa: SLF001 - what is kept shows nowhere else
        # No more than the window of a month and what may come late: three facts a day at most.
        assert len(past.facts) <= 3 * (31 + 2 + 5)
        assert past.sums["quiz"] > 0

    def test_is_read_after_a_book_was_away(self) -> None:
        book = forgetful(in_memory())
        given(mo("JEU"), mo("JEU"), book=book)
        book.desk.log = Away(book)
        # What would have been learnt is read by the decision itself.
        given(book=book).when(mo("JEU")).then(*SOLD)


class Away:
    """A log that answers nobody but decisions."""

    def __init__(self, book: Book) -> None:
        self._log = book.desk.log
        self.submit = self._log.submit
        book.desk.log = self

    async def read(self, query: Query) -> tuple[tuple[StoredRow, ...], int]:
        if any(interest.types for interest in query):
            raise LogUnavailable("away")
        return await self._log.read(query)


class TestNotice:
    """What is told of the spending on a service, months after it began."""

    def bought(self, *months: str) -> Book:
        """Let a consumer spend 3.00 in each month."""
        book = forgetful(in_memory())
        for month in months:
            given(book=in_month(book, month)).when(mo("JEU"))
        return book

    def test_counts_what_is_left_out(self) -> None:
        # 3, 6, 9, 12, 15 and 18 are over 5 with the second, 10 with the fourth, 15 with the fifth.
        book = self.bought(*MONTHS)
        assert thresholds(book) == [5, 10, 15]
        assert [fact.spent for fact in book.facts(NoticeDue)] == [6_000_000, 12_000_000, 15_000_000]

    def test_counts_nothing_that_was_released_since(self) -> None:
        book = self.bought(*MONTHS[:3])
        first = book.facts(MtEmitted)[0].ref.mt
        book.report(dlr(first, "failed"))
        assert len(book.facts(ChargeReleased)) == 1
        # 9 less 3: so 9 again, and 12 only then.
        given(book=in_month(book, "10")).when(mo("JEU"))
        assert thresholds(book) == [5]
        given(book=in_month(book, "11")).when(mo("JEU"))
        assert thresholds(book) == [5, 10]

    def test_counts_again_what_was_billed_after_all(self) -> None:
        book = self.bought(*MONTHS[:3])
        first = book.facts(MtEmitted)[0].ref.mt
        book.report(dlr(first, "failed"))
        given(book=in_month(book, "10")).when(mo("JEU"))
        book.report(dlr(first, "delivered"))
        # 9 less 3, and 3, and the first 3 again: 12, of which a charge has to tell.
        assert thresholds(book) == [5]
        told = given(book=in_month(book, "11")).when(mo("JEU")).fact(NoticeDue)
        assert (told.threshold, told.crossed, told.spent) == (15_000_000, 2, 15_000_000)

    def test_counts_once_what_was_billed_in_the_end(self) -> None:
        book = self.bought(*MONTHS[:3])
        for fact in book.facts(MtEmitted)[:2]:
            book.report(dlr(fact.ref.mt, "delivered"))
        told = given(book=in_month(book, "10")).when(mo("JEU")).fact(NoticeDue)
        assert told.spent == 12_000_000

    def test_tells_of_no_threshold_twice(self) -> None:
        book = self.bought(*MONTHS[:2])
        (first, _) = book.facts(MtEmitted)
        in_month(book, "08", 20)
        book.report(dlr(first.ref.mt, "failed"))
        for month in MONTHS[2:4]:
            given(book=in_month(book, month)).when(mo("JEU"))
        # 6, of which was told; 3; 6 again; 9.
        assert thresholds(book) == [5]

    def test_is_known_of_each_service(self) -> None:
        book = forgetful(in_memory())
        given(mo("JEU"), mo("JEU"), mo("VOTE 1"), mo("VOTE 1"), book=book)
        for month in MONTHS[1:3]:
            given(book=in_month(book, month)).when(ELSEWHERE)
        told = thresholds(book)
        # 9.00 each: of 5.00 both were told.
        given(book=book).when(mo("JEU")).then(*SOLD)
        given(book=book).when(mo("VOTE 1")).then(*SOLD)
        assert thresholds(book) == told


class TestCap:
    """What may be spent, however much was spent before."""

    def monthly(self) -> Book:
        """Open a book with 10.00 a month by the calendar; the pack has no notices there."""
        most = cap(10, 1, "month", "consumer", "Europe/Paris")
        return forgetful(in_memory(rules=ChangedRules(caps=(most,), notices=())))

    def test_begins_anew_with_its_window(self) -> None:
        book = self.monthly()
        for month in MONTHS:
            story = given(mo("JEU"), mo("JEU"), mo("JEU"), book=in_month(book, month))
            story.when(mo("JEU")).then(
                *SOLD[:2], some(ChargeRefused, spent=9_000_000), some(MtEmitted, kind="error")
            )

    def test_holds_for_what_comes_late_out_of_the_month_before(self) -> None:
        book = self.monthly()
        for month in MONTHS[:2]:
            given(mo("JEU"), mo("JEU"), mo("JEU"), book=in_month(book, month))
        # A clock that was set back by weeks, far beyond what a past reaches back.
        given(book=in_month(book, "07", 30)).when(mo("JEU")).then(
            *SOLD[:2], some(ChargeRefused, spent=9_000_000), some(MtEmitted, kind="error")
        )
        given(mo("VOTE 1"), book=in_month(book, "09")).when(mo("JEU")).then(*SOLD)

    def test_counts_no_charge_of_before_that_is_captured_now(self) -> None:
        book = self.monthly()
        given(mo("JEU"), mo("JEU"), mo("JEU"), book=in_month(book, "07"))
        given(mo("VOTE 1"), book=in_month(book, "09"))
        for fact in book.facts(MtEmitted)[:3]:
            book.report(dlr(fact.ref.mt, "delivered"))
        given(book=book).when(mo("JEU")).then(*SOLD)


class TestConsent:
    """What was stopped long ago."""

    def stopped(self, *texts: str) -> Book:
        """Let a consumer stop in July, and buy elsewhere in each month that follows."""
        book = forgetful(in_memory())
        given(mo("JEU"), *map(mo, texts), book=book)
        for month in MONTHS[1:]:
            given(book=in_month(book, month)).when(ELSEWHERE)
        return book

    def test_is_still_stopped(self) -> None:
        given(book=self.stopped("STOP")).when(mo("CONTACT")).then(MoReceived)

    def test_is_lifted_by_a_message_and_by_none_before(self) -> None:
        book = self.stopped("STOP")
        given(book=book).when(mo("JEU")).then(
            MoReceived, OptOutLifted, KeywordMatched, ChargeAuthorized, MtEmitted, NoticeDue
        )
        given(book=book).when(mo("JEU")).then(*SOLD)

    def test_that_was_lifted_stays_so(self) -> None:
        book = self.stopped("STOP", "JEU", "STOP", "JEU")
        assert len(book.facts(OptedOut)) == len(book.facts(OptOutLifted)) == 2
        given(book=book).when(mo("CONTACT")).then(
            MoReceived, some(MtEmitted, kind="service_word", ref__service=None)
        )

    def test_is_told_whose_service_was_bought_last(self) -> None:
        book = self.stopped("VOTE 1")
        given(book=book).when(mo("CONTACT"))
        assert book.text_of(book.facts(MtEmitted)[-1]) == "Edite par Voxpop, 0800 voxpop"

    def test_is_lifted_by_what_was_written_after_it(self) -> None:
        book = forgetful(in_memory())
        sent = [("STOP", 0), ("JEU", 60), ("JEU", 61), ("JEU", 62), ("STOP", 30), ("JEU", 120)]
        for text, seconds in sent:
            book.clock.now = max(book.clock.now, NOON + timedelta(seconds=seconds))
            given(mo(text, stated_at=NOON + timedelta(seconds=seconds)), book=book)
        # The second STOP was sent before what has lifted the first: it stops nothing.
        assert len(book.facts(OptedOut)) == 2
        assert len(book.facts(OptOutLifted)) == 1

    @drawn(said=SAID, more=SAID)
    def test_of_any_order_is_the_same_of_what_matters(
        self, said: list[OptedOut | OptOutLifted], more: list[OptedOut | OptOutLifted]
    ) -> None:
        kept = {id(fact) for fact in opt_out.mattering(said)}
        few = [fact for fact in said if id(fact) in kept]
        assert opt_out.stopped([*few, *more]) == opt_out.stopped([*said, *more])
        assert len(few) <= 2 * len({opt_out.scope_of(fact) for fact in said})


class TestRepeatedWords:
    """The same words within a service's window, of somebody who wrote often before."""

    def test_are_known_in_the_window_alone(self) -> None:
        book = forgetful(in_memory(service("quiz", duplicate_window_seconds=60)))
        for month in MONTHS:
            given(book=in_month(book, month)).when(mo("JEU"))
            book.clock.now += timedelta(seconds=60)
            given(book=book).when(mo("JEU")).then(
                MoReceived, KeywordMatched, DuplicateSuspected, MtEmitted
            )
        book.clock.now += timedelta(seconds=61)
        assert given(book=book).when(mo("JEU")).fact(ChargeAuthorized).amounts.price == 3_000_000

    def test_are_known_in_a_window_longer_than_a_past(self) -> None:
        weeks = 20 * 7 * 24 * 3_600
        book = forgetful(in_memory(service("vote", "voxpop", duplicate_window_seconds=weeks)))
        given(mo("VOTE 1"), book=in_month(book, "07"))
        for month in MONTHS[1:4]:
            given(book=in_month(book, month)).when(mo("JEU"))
        given(book=book).when(mo("VOTE 1")).then(
            MoReceived, KeywordMatched, DuplicateSuspected, MtEmitted
        )


class TestRenewal:
    """A subscriber who buys much else."""

    def subscribed(self) -> Book:
        """Give a book with caps in which somebody subscribed, 2.00 a month, and has a past."""
        book = forgetful(belgian_market())
        given(on("2026-07-01T12:00"), sms("METEO"), sms("OK"), book=book)
        for month in ("07", "08", "09"):
            given(on(f"2026-{month}-20T12:00"), be_mo("JEU"), be_mo("RIEN"), book=book)
        return book

    def test_reads_its_own_life_and_little_else(self) -> None:
        book = self.subscribed()
        counting = Counting(book)
        given(on("2026-10-01T12:00"), renew(), book=book)
        assert book.facts(ChargeAuthorized)[-1].ref.subscription is not None
        # Its request, start, first cycle and charge, and what came after the past.
        assert counting.decided[-1] <= 4 + 4

    def test_begins_with_a_confirmation_long_after_other_things(self) -> None:
        book = forgetful(belgian_market())
        given(on("2026-07-01T12:00"), be_mo("JEU"), be_mo("RIEN"), be_mo("JEU"), book=book)
        given(sms("METEO"), be_mo("RIEN"), be_mo("RIEN"), on("2026-07-02T12:00"), book=book)
        assert given(book=book).when(sms("OK")).fact(SubscriptionStarted).ref.service == "meteo"

    def test_is_refused_above_a_cap(self) -> None:
        book = self.subscribed()
        # 5.00 a day: 3.00 for both legs, and 1.00 for one of them, leave no 2.00.
        given(on("2026-10-01T12:00"), be_mo("JEU"), be_mo("JEU"), book=book)
        given(book=book).when(renew()).then(some(ChargeRefused, spent=4_000_000))
        given(on("2026-10-02T12:00"), book=book).when(renew())
        assert book.facts(ChargeAuthorized)[-1].ref.subscription is not None

    def test_counts_for_notices_what_is_left_out(self) -> None:
        # Ten euros: five times 2.00 of one service, a month apart.
        book = forgetful(belgian_market())
        given(on("2026-07-01T12:00"), sms("METEO"), sms("OK"), book=book)
        for month in ("08", "09", "10"):
            given(on(f"2026-{month}-01T12:00"), renew(), book=book)
        assert thresholds(book) == []
        given(on("2026-11-01T12:00"), renew(), book=book)
        assert thresholds(book) == [10]

    def test_counts_once_what_failed_and_was_tried_again(self) -> None:
        book = forgetful(belgian_market())
        given(on("2026-07-01T12:00"), sms("METEO"), sms("OK"), book=book)
        first = last_mt(book)
        for day in (20, 21):
            given(on(f"2026-07-{day}T12:00"), be_mo("RIEN"), book=book)
        # By now the charge of the first cycle is left out.
        given(dlr(first, "failed"), on("2026-07-22T12:00"), renew(), book=book)
        assert len(book.facts(ChargeAuthorized)[-1].ref.subscription) == 32
        for day in (23, 24, 25):
            given(on(f"2026-07-{day}T12:00"), be_mo("RIEN"), book=book)
        for first in range(6, 14):
            agree(book, [first, 2, 50], timedelta(0))
        # 2.00 in July after all, and 4.00, 6.00, 8.00 and 10.00 from August on.
        for month in ("08", "09", "10"):
            given(on(f"2026-{month}-01T12:00"), renew(), book=book)
        assert thresholds(book) == []
        given(on("2026-11-01T12:00"), renew(), book=book)
        assert thresholds(book) == [10]


class TestKept:
    """Whose pasts are kept."""

    def test_are_those_asked_for_last(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pasts, "MOST", 2)
        book = forgetful(in_memory())
        for sender in ("alias-1", "alias-2", "alias-3"):
            given(*[mo("JEU", sender=sender)] * 3, book=book)
        assert len(book.desk.pasts._kept) == 2  # noqa: SLF001 - shows nowhere else
        # Whose past went is read again, and nothing else changes.
        given(book=book).when(mo("JEU", sender="alias-1")).then(*SOLD, NoticeDue)
