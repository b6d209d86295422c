"""A message that comes again: the first answer, a conflict, or, under a recycled id, a new one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ledger.decisions.refusals import ConflictingDuplicate, StatedTimeMissing
from ledger.facts.charges import ChargeAuthorized
from ledger.facts.notices import NoticeDue
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    KeywordMatched,
    KeywordUnmatched,
    MoReceived,
    MtEmitted,
)
from tests.support.book import Book, ChangedRules, MemoryKeys, in_memory, together
from tests.support.builders import (
    CHEAP,
    DONATION,
    NOON,
    ON_ACCEPTED,
    ON_DELIVERED,
    UNKNOWN_CODE,
    code,
    mo,
    tariff,
)
from tests.support.given import given, some

FIRST, OTHER = mo("JEU 1", gateway_message_id="m-7"), mo("JEU 2", gateway_message_id="m-7")
CONFLICT = ConflictingDuplicateReceived
SOLD = (MoReceived, KeywordMatched, ChargeAuthorized, MtEmitted)


def later(book: Book, **delta: float) -> None:
    """Let time pass."""
    book.clock.now += timedelta(**delta)


def destroy_keys(book: Book) -> None:
    """Forget every text."""
    assert isinstance(book.desk.keys, MemoryKeys)
    book.desk.keys.keys.clear()


class TestRepeated:
    """The same message again."""

    def test_gets_the_first_answer_and_leaves_nothing(self) -> None:
        book = in_memory()
        first = book.receive(FIRST)
        repeat = given(book=book).when(FIRST).then()
        assert repeat.answer == first._replace(repeated=True)

    def test_gets_it_also_after_the_price_has_changed(self) -> None:
        book = in_memory()
        first = book.receive(FIRST)
        book.add(tariff(ON_DELIVERED, 1_000_000, effective_from=NOON), n=1)
        repeat = given(book=book).when(FIRST).then()
        assert repeat.answer[:4] == first[:4]

    def test_gets_it_also_in_another_month(self) -> None:
        book = in_memory()
        first = book.receive(FIRST)
        later(book, days=40)
        assert given(book=book).when(FIRST).then().answer.text == first.text

    def test_gets_it_also_after_a_stop(self) -> None:
        book = in_memory()
        first = book.receive(FIRST)
        repeat = given(mo("STOP"), book=book).when(FIRST).then()
        assert repeat.answer.text == first.text

    def test_of_one_that_was_not_answered_is_not_answered(self) -> None:
        silent = mo("JEU", short_code=UNKNOWN_CODE, gateway_message_id="m-8")
        assert given(silent).when(silent).then().answer.mt is None

    @pytest.mark.parametrize("days", [0, 40])
    def test_after_its_key_was_destroyed_is_answered_by_nothing(self, days: int) -> None:
        book = in_memory()
        first = book.receive(FIRST)
        destroy_keys(book)
        later(book, days=days)
        repeat = given(book=book).when(FIRST).then()
        assert (repeat.answer.mt, repeat.answer.text) == (first.mt, "")

    def test_through_another_gateway_is_another_message(self) -> None:
        elsewhere = FIRST._replace(gateway="recycler", stated_at=NOON)
        given(FIRST).when(elsewhere).then(*SOLD, NoticeDue)


class TestConflicting:
    """Another message under the same id."""

    def test_is_kept_and_refused_without_any_other_effect(self) -> None:
        happened = given(FIRST).when(OTHER).refused(ConflictingDuplicate)
        happened.left(some(ConflictingDuplicateReceived, short_code=ON_DELIVERED))
        kept = happened.fact(ConflictingDuplicateReceived)
        assert happened.book.text_of(kept) == "JEU 2"

    def test_names_who_sent_it_and_the_id_that_came_twice(self) -> None:
        given(FIRST, book=(book := in_memory())).when(OTHER)
        (kept,), (first,) = book.facts(CONFLICT), book.facts(MoReceived)
        for name in ("mo", "gateway", "smsc", "gateway_message_id", "consumer", "operator"):
            assert getattr(kept, name) == getattr(first, name)
        assert (kept.gateway_message_id, kept.occurred_at) == ("m-7", first.occurred_at)
        assert kept.fingerprint != first.fingerprint

    def test_is_kept_once_however_often_it_comes(self) -> None:
        given(FIRST).when(OTHER).refused(ConflictingDuplicate)
        book = in_memory()
        given(FIRST, book=book).when(OTHER).refused(ConflictingDuplicate)
        given(book=book).when(OTHER).refused(ConflictingDuplicate).left()

    def test_is_kept_again_where_it_differs_again(self) -> None:
        book = in_memory()
        given(FIRST, book=book).when(OTHER)
        third = FIRST._replace(text="JEU 3")
        given(book=book).when(third).left(ConflictingDuplicateReceived)
        conflicts = [one for one in book.recorded if isinstance(one.fact, CONFLICT)]
        assert len({one.id for one in conflicts}) == 2

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(FIRST._replace(sender="alias-2"), id="another consumer"),
            pytest.param(FIRST._replace(short_code=ON_ACCEPTED), id="another code"),
            pytest.param(FIRST._replace(text="jeu 1"), id="another spelling"),
        ],
    )
    def test_is_one_that_differs_in_any_content(self, other: object) -> None:
        given(FIRST).when(other).refused(ConflictingDuplicate)

    def test_does_not_change_the_answer_to_the_first(self) -> None:
        book = in_memory()
        first = book.receive(FIRST)
        given(book=book).when(OTHER).refused(ConflictingDuplicate)
        assert book.receive(FIRST)[:4] == first[:4]

    def test_raced_by_itself_is_kept_once(self) -> None:
        book = in_memory()
        book.receive(FIRST)
        conflicts = together(book, lambda: book.take_in(OTHER), lambda: book.take_in(OTHER))
        assert [type(one) for one in conflicts] == [ConflictingDuplicate] * 2
        assert len(book.facts(ConflictingDuplicateReceived)) == 1


class TestRecycledIds:
    """A gateway whose message ids come again on another day."""

    MESSAGE = mo("JEU", gateway="recycler", gateway_message_id="1", stated_at=NOON)

    def test_tell_days_apart(self) -> None:
        book = in_memory()
        book.receive(self.MESSAGE)
        later(book, days=1)
        other = self.MESSAGE._replace(text="JEU 2", stated_at=book.clock.now)
        given(book=book).when(other).then(*SOLD, NoticeDue)

    def test_without_a_stated_time_cannot_be_told_apart(self) -> None:
        given().when(self.MESSAGE._replace(stated_at=None)).refused(StatedTimeMissing).left()

    def test_are_the_same_on_one_day(self) -> None:
        given(self.MESSAGE).when(self.MESSAGE).then()

    def test_go_by_the_utc_day_of_the_gateways_own_time(self) -> None:
        # One second before midnight UTC; told again two hours later, beyond the tolerance.
        sent = self.MESSAGE._replace(stated_at=datetime(2026, 7, 10, 23, 59, 59, tzinfo=UTC))
        book = in_memory()
        book.clock.now = datetime(2026, 7, 11, tzinfo=UTC)
        book.receive(sent)
        later(book, hours=2)
        given(book=book).when(sent).then()

    def test_of_other_gateways_stay_one_for_ever(self) -> None:
        book = in_memory()
        book.receive(FIRST)
        later(book, days=3)
        given(book=book).when(FIRST).then()


class TestTime:
    """Whose time a message is recorded under."""

    @pytest.mark.parametrize("seconds", [-600, -1, 0])
    def test_is_the_gateways_within_its_tolerance(self, seconds: int) -> None:
        stated = NOON + timedelta(seconds=seconds)
        received = given().when(mo(stated_at=stated)).fact(MoReceived)
        assert (received.occurred_at, received.stated_at) == (stated, None)

    @pytest.mark.parametrize("seconds", [-601, 1, 601, 86_400])
    def test_is_ours_beyond_it_and_keeps_what_was_stated(self, seconds: int) -> None:
        stated = NOON + timedelta(seconds=seconds)
        received = given().when(mo(stated_at=stated)).fact(MoReceived)
        assert (received.occurred_at, received.stated_at) == (NOON, stated.isoformat())

    def test_is_ours_where_the_gateway_states_none(self) -> None:
        received = given().when(mo()).fact(MoReceived)
        assert (received.occurred_at, received.stated_at) == (NOON, None)

    def test_is_written_in_utc(self) -> None:
        book = in_memory()
        book.receive(mo(stated_at=NOON.astimezone(timezone(timedelta(hours=2)))))
        assert all(b'"occurred_at":"2026-07-10T10:00:00Z"' in row.data for row in book.rows[-4:])

    def test_decides_which_catalogue_counts(self) -> None:
        dearer = tariff(ON_DELIVERED, 4_000_000, effective_from=NOON)
        just_before = mo(stated_at=NOON - timedelta(microseconds=1))
        for message, price in ((just_before, 3_000_000), (mo(), 4_000_000)):
            book = in_memory()
            book.add(dearer, n=1)
            assert given(book=book).when(message).fact(KeywordMatched).price == price


class TestConsumer:
    """Whose message it is: an alias, within its operator and the group of its code."""

    @staticmethod
    def names(*messages: object) -> list[str]:
        book = in_memory()
        received = [given(book=book).when(one).fact(MoReceived) for one in messages]
        return [one.consumer for one in received]

    def test_is_the_same_on_codes_that_share_a_group(self) -> None:
        one, other = self.names(mo(), mo(short_code=ON_ACCEPTED))
        assert one == other

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(mo(smsc="sfr"), id="the same alias at another operator"),
            pytest.param(mo(short_code=DONATION), id="on a code of another group"),
            pytest.param(mo(short_code=UNKNOWN_CODE), id="on a code that nobody knows"),
            pytest.param(mo(sender="alias-2"), id="another alias"),
        ],
    )
    def test_is_another(self, other: object) -> None:
        assert len(set(self.names(mo(), other))) == 2

    def test_on_each_unknown_code_is_another(self) -> None:
        assert len(set(self.names(mo(short_code="89998"), mo(short_code="89999")))) == 2

    def test_cannot_be_taken_for_one_of_a_group_by_its_name(self) -> None:
        book = in_memory(code("85014", alias_group="85015"))
        one = given(book=book).when(mo(short_code="85014")).fact(MoReceived)
        other = given(book=book).when(mo(short_code="85015")).fact(MoReceived)
        assert one.consumer != other.consumer

    def test_is_one_on_all_codes_where_a_number_names_them(self) -> None:
        rules = ChangedRules(consumer_kind="msisdn", consumer_scope="book")
        book = in_memory(rules=rules)
        messages = (mo(), mo(smsc="sfr"), mo(short_code=DONATION), mo(short_code=UNKNOWN_CODE))
        received = [given(book=book).when(one).fact(MoReceived) for one in messages]
        assert len({one.consumer for one in received}) == 1

    def test_is_named_on_every_fact_of_the_exchange_and_nowhere_else(self) -> None:
        chain = given().when(mo(short_code=CHEAP)).appended
        names = {getattr(one.fact, "ref", one.fact).consumer for one in chain}
        assert len(names) == 1
        assert not any(isinstance(one.fact, KeywordUnmatched) for one in chain)
