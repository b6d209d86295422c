"""How far STOP reaches, as a country's pack says: one service, one code, or everything."""

import msgspec
import pytest

from ledger.commands.notices import send_notice
from ledger.decisions.opt_out import EVERYTHING, Scope, covers
from ledger.facts import catalogue as entries
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.handover import MtCancelled, MtHandedOver
from ledger.facts.notices import NoticeDue
from ledger.facts.traffic import KeywordMatched, KeywordUnmatched, MoReceived, MtEmitted
from ledger.postings import Account, postings
from ledger.rules.inforce import StopEffect
from tests.support.book import FRENCH, ORIGIN, Book, ChangedRules, in_memory
from tests.support.builders import NOON, ON_ACCEPTED, ON_DELIVERED, OPENING, dlr, mo
from tests.support.given import given, some

USUAL = FRENCH.at(NOON).stop
CONFIRMED = some(MtEmitted, kind="opt_out_confirmation", billing_code="FREE")
SOLD = (MoReceived, KeywordMatched, ChargeAuthorized, some(MtEmitted, kind="content"))
ELSEWHERE = mo("JEU", short_code=ON_ACCEPTED)


def reaching(bare: str, with_keyword: str = "service") -> Book:
    """Open a book in whose country STOP reaches so far."""
    stop: StopEffect = msgspec.structs.replace(USUAL, bare=bare, with_keyword=with_keyword)
    return in_memory(rules=ChangedRules(stop=stop, notices=()))


class TestEverything:
    """STOP that means the consumer: every code."""

    def test_is_one_fact_for_all_codes(self) -> None:
        given(book=reaching("consumer")).when(mo("STOP")).then(
            MoReceived, some(OptedOut, everywhere=True, service=None), CONFIRMED
        )

    def test_said_again_on_another_code_is_silence(self) -> None:
        book = reaching("consumer")
        given(mo("STOP"), book=book).when(mo("STOP", short_code=ON_ACCEPTED)).then(MoReceived)

    def test_is_lifted_for_replies_by_a_message_to_any_code(self) -> None:
        book = reaching("consumer")
        given(mo("STOP"), book=book).when(ELSEWHERE).then(
            MoReceived,
            some(OptOutLifted, everywhere=True),
            KeywordMatched,
            ChargeAuthorized,
            some(MtEmitted, kind="content"),
        )
        given(book=book).when(mo("JEU")).then(*SOLD)

    def test_covers_each_code_and_service(self) -> None:
        assert covers(EVERYTHING, ON_DELIVERED, "quiz")
        assert covers(Scope(ON_DELIVERED, None), ON_DELIVERED, "quiz")
        assert not covers(Scope(ON_ACCEPTED, None), ON_DELIVERED, "quiz")


class TestService:
    """STOP alone that means the service last bought."""

    def test_stops_that_one(self) -> None:
        book = reaching("service")
        given(mo("VOTE 1"), mo("JEU"), book=book).when(mo("STOP")).then(
            MoReceived, some(OptedOut, service="quiz", merchant="ludotel"), CONFIRMED
        )

    def test_stops_all_of_a_code_where_nothing_was_bought(self) -> None:
        given(book=reaching("service")).when(mo("STOP")).then(
            MoReceived, some(OptedOut, service=None, everywhere=False), CONFIRMED
        )


class TestWithKeyword:
    """STOP and a keyword."""

    @pytest.mark.parametrize(
        ("reach", "service", "everywhere"),
        [("service", "quiz", False), ("code", None, False), ("consumer", None, True)],
    )
    def test_reaches_as_the_pack_says(
        self,
        reach: str,
        service: str | None,
        everywhere: bool,  # noqa: FBT001 - a column of the table above
    ) -> None:
        given(book=reaching("code", reach)).when(mo("STOP JEU")).then(
            MoReceived, some(OptedOut, service=service, everywhere=everywhere), CONFIRMED
        )


class TestSuspendedService:
    """A service that may not sell for now."""

    SUSPENDED = entries.ServiceSuspended(
        service="quiz", merchant="ludotel", reason="complaints", effective_from=OPENING
    )

    def test_answers_an_error_and_charges_nothing(self) -> None:
        given(book=in_memory(self.SUSPENDED)).when(mo("JEU")).then(
            MoReceived,
            some(KeywordUnmatched, reason="suspended"),
            some(MtEmitted, kind="error", billing_code="FREE", ref__charge=None),
        )

    def test_can_still_be_stopped(self) -> None:
        given(book=in_memory(self.SUSPENDED)).when(mo("STOP JEU")).then(
            MoReceived, some(OptedOut, service="quiz"), CONFIRMED
        )


class TestTestNumber:
    """A number that is declared to be used for tests."""

    @pytest.fixture
    def tested(self) -> Book:
        """Open a book in which the consumer of the usual messages is a test number."""
        book = in_memory()
        book.receive(mo("JEU", gateway_message_id="m-0"))
        (first,) = book.facts(MoReceived)
        declared = entries.TestNumberDeclared(
            consumer=first.consumer, label="our own handset", effective_from=NOON
        )
        book.add(declared)
        return book

    def test_is_flagged_on_all_that_it_does(self, tested: Book) -> None:
        happened = given(book=tested).when(mo("JEU"))
        flags = [getattr(one.fact, "ref", one.fact).test for one in happened.appended]
        assert flags
        assert all(flags)

    def test_earns_nobody_anything(self, tested: Book) -> None:
        answer = tested.receive(mo("JEU", gateway_message_id="m-7"))
        assert answer.mt is not None
        captured = given(book=tested).when(dlr(answer.mt)).fact(ChargeCaptured)
        accounts = {line.account for line in postings(captured)}
        assert accounts == {Account.OPERATOR_RECEIVABLE_ACCRUED, Account.UNATTRIBUTED}


class TestOnItsWay:
    """What was decided for a consumer and no gateway has taken yet."""

    @pytest.fixture
    def noticed(self) -> tuple[Book, MtEmitted]:
        """Let a notice fall due, and its message wait to be pushed."""
        book = in_memory()
        for _ in range(2):
            given(book=book).when(mo("JEU"))
        (due,) = book.facts(NoticeDue)
        book.run(send_notice(book.desk, due.ref.notice, ORIGIN, NOON))
        (waiting,) = [fact for fact in book.facts(MtEmitted) if fact.pushed]
        return book, waiting

    def test_is_called_back(self, noticed: tuple[Book, MtEmitted]) -> None:
        book, waiting = noticed
        given(book=book).when(mo("STOP")).then(
            MoReceived,
            OptedOut,
            some(MtCancelled, ref__mt=waiting.ref.mt, reason="opted_out"),
            CONFIRMED,
        )

    def test_that_a_gateway_took_is_left(self, noticed: tuple[Book, MtEmitted]) -> None:
        book, waiting = noticed
        book.add(
            MtHandedOver(ref=waiting.ref, attempt=1, raw_status="0: Accepted", occurred_at=NOON)
        )
        given(book=book).when(mo("STOP")).then(MoReceived, OptedOut, CONFIRMED)

    def test_outside_its_reach_is_left(self, noticed: tuple[Book, MtEmitted]) -> None:
        book, _ = noticed
        given(book=book).when(mo("STOP VOTE")).then(
            MoReceived, some(OptedOut, service="vote"), CONFIRMED
        )
