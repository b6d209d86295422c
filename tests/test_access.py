"""Access: keys granted, admitted and revoked, and what they were shown."""

from datetime import timedelta

import pytest

from ledger.access import Grants, key_text, secret_digest
from ledger.commands import access
from ledger.commands.access import IssuedKey, Shown, Wanted
from ledger.decisions.refusals import (
    BookNotOpen,
    GatewayMissing,
    KeyAlreadyRevoked,
    MerchantMissing,
    MerchantNotRegistered,
    UnknownGateway,
    UnknownKey,
)
from ledger.facts.access import AccessGranted, AccessRevoked, EvidenceDisclosed
from ledger.facts.catalogue import MerchantRegistered
from tests.support.book import ORIGIN, Book, closed, in_memory, overtaken, together
from tests.support.builders import NOON
from tests.support.exampled import CONSUMER, MO
from tests.support.given import given, some

NEXT_YEAR = NOON + timedelta(days=365)
FINANCE = Wanted("finance", "laptop", NEXT_YEAR)
KANNEL = Wanted("gateway", "kannel", NEXT_YEAR, gateway="kannel")
LUDOTEL = Wanted("merchant", "site", NEXT_YEAR, "ludotel")
KEY = "0123456789abcdef"


def issue(book: Book, wanted: Wanted = FINANCE) -> IssuedKey:
    """Issue a key."""
    return book.run(access.issue_key(book.desk, wanted, ORIGIN, book.clock.now))


def revoke(book: Book, key: str) -> object:
    """Revoke a key."""
    return book.run(access.revoke_key(book.desk, key, "lost", ORIGIN, book.clock.now))


def grants(book: Book) -> Grants:
    """Read all keys."""
    return book.run(access.read_grants(book.desk, Grants()))


class TestIssue:
    """Issuing a key."""

    def test_grants_what_was_asked_for(self) -> None:
        happened = given().when(lambda book: issue(book, LUDOTEL))
        happened.then(
            some(AccessGranted, role="merchant", merchant="ludotel", expires_at=NEXT_YEAR)
        )

    def test_never_keeps_the_secret(self) -> None:
        book = in_memory()
        issued = issue(book)
        secret = issued.text.split("_", 2)[2]
        assert issued.grant.secret_sha256 == secret_digest(secret)
        assert not any(secret.encode() in row.data for row in book.rows)

    def test_draws_another_each_time(self) -> None:
        book = in_memory()
        assert len({issue(book).text for _ in range(5)}) == 5

    @pytest.mark.parametrize(
        ("wanted", "refusal"),
        [
            pytest.param(LUDOTEL._replace(merchant=None), MerchantMissing, id="no merchant"),
            pytest.param(FINANCE._replace(merchant="ludotel"), MerchantMissing, id="not his"),
            pytest.param(LUDOTEL._replace(merchant="x"), MerchantNotRegistered, id="unknown"),
            pytest.param(KANNEL._replace(gateway=None), GatewayMissing, id="no gateway"),
            pytest.param(FINANCE._replace(gateway="kannel"), GatewayMissing, id="not its"),
            pytest.param(KANNEL._replace(gateway="x"), UnknownGateway, id="undeclared"),
        ],
    )
    def test_is_refused_for_the_wrong_party(self, wanted: Wanted, refusal: type[Exception]) -> None:
        given().when(lambda book: issue(book, wanted)).refused(refusal).left()

    def test_is_refused_before_the_book_is_open(self) -> None:
        book = closed()
        with pytest.raises(BookNotOpen):
            issue(book, FINANCE)
        assert not book.rows

    def test_knows_a_merchant_that_another_process_registered(self) -> None:
        book = in_memory()
        new = MerchantRegistered(merchant="new", name="New", effective_from=NOON)
        book.beside().add(new)
        assert issue(book, LUDOTEL._replace(merchant="new")).grant.merchant == "new"

    def test_overtaken_by_the_merchants_registration_is_granted(self) -> None:
        book = in_memory()
        new = MerchantRegistered(merchant="new", name="New", effective_from=NOON)
        issued = overtaken(book, lambda: issue(book), by=lambda: book.add(new))
        assert list(grants(book).granted) == [issued.grant.key]


class TestRevoke:
    """Revoking a key."""

    def test_is_recorded(self) -> None:
        book = in_memory()
        key = issue(book).grant.key
        given(book=book).when(lambda book: revoke(book, key)).then(
            some(AccessRevoked, key=key, reason="lost")
        )

    def test_of_a_key_that_nobody_granted_is_refused(self) -> None:
        given().when(lambda book: revoke(book, KEY)).refused(UnknownKey, KEY).left()

    def test_again_is_refused(self) -> None:
        book = in_memory()
        key = issue(book).grant.key
        revoke(book, key)
        given(book=book).when(lambda book: revoke(book, key)).refused(KeyAlreadyRevoked).left()

    def test_raced_by_itself_happens_once(self) -> None:
        book = in_memory()
        key = issue(book).grant.key

        async def once() -> object:
            return await access.revoke_key(book.desk, key, "lost", ORIGIN, NOON)

        results = together(book, once, once)
        assert isinstance(results[1], KeyAlreadyRevoked)
        assert len(book.facts(AccessRevoked)) == 1


class TestAdmit:
    """Presenting a key."""

    def test_opens_what_was_granted(self) -> None:
        book = in_memory()
        issued = issue(book)
        assert grants(book).admits(issued.text, NOON) == issued.grant

    def test_ends_at_its_very_end(self) -> None:
        book = in_memory()
        issued = issue(book)
        known = grants(book)
        assert known.admits(issued.text, NEXT_YEAR - timedelta(microseconds=1))
        assert known.admits(issued.text, NEXT_YEAR) is None

    def test_ends_when_it_is_revoked(self) -> None:
        book = in_memory()
        one, other = issue(book), issue(book)
        revoke(book, one.grant.key)
        assert grants(book).admits(one.text, NOON) is None
        assert grants(book).admits(other.text, NOON) == other.grant

    def test_of_another_book_opens_nothing(self) -> None:
        assert grants(in_memory()).admits(issue(in_memory()).text, NOON) is None

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"), id="a letter"),
            pytest.param(lambda text: text + "x", id="longer"),
            pytest.param(lambda text: text + "\n", id="with a line feed"),
            pytest.param(lambda text: text[:-1], id="shorter"),
            pytest.param(lambda text: text.upper(), id="capitals"),
            pytest.param(lambda _: "", id="nothing"),
            pytest.param(lambda _: "é" * 67, id="no ASCII"),
            pytest.param(lambda text: key_text(KEY, text.split("_", 2)[2]), id="another key"),
        ],
    )
    def test_that_was_spoilt_opens_nothing(self, spoil: object) -> None:
        book = in_memory()
        text = issue(book).text
        known = grants(book)
        assert known.admits(text, NOON)
        assert known.admits(spoil(text), NOON) is None

    def test_is_learnt_bit_by_bit(self) -> None:
        book = in_memory()
        first = issue(book)
        known = grants(book)
        second = issue(book)
        known = book.run(access.read_grants(book.desk, known))
        assert known.position == len(book.rows)
        assert known.admits(first.text, NOON)
        assert known.admits(second.text, NOON)

    def test_is_not_changed_by_other_facts(self) -> None:
        book = in_memory()
        assert Grants().advance(book.recorded) == Grants(position=len(book.rows))


class TestDisclose:
    """Showing personal content."""

    SHOWN = (Shown(CONSUMER, MO, 0, 9), Shown(CONSUMER, None, 3, 10))

    def disclose(self, book: Book, request: str | None = "request-1") -> object:
        origin = ORIGIN._replace(request=request)
        viewer = issue(book, FINANCE._replace(role="regulator")).grant
        story = access.disclose(book.desk, self.SHOWN, viewer, origin, book.clock.now)
        return book.run(story)

    def test_is_a_fact_for_each_thing_shown(self) -> None:
        shown = {"role": "regulator", "consumer": CONSUMER}
        given().when(self.disclose).then(
            AccessGranted,
            some(EvidenceDisclosed, mo=MO, after_position=0, through_position=9, **shown),
            some(EvidenceDisclosed, mo=None, after_position=3, through_position=10, **shown),
        )

    @pytest.mark.parametrize("request_name", ["request-1", None])
    def test_again_is_another_fact(self, request_name: str | None) -> None:
        book = in_memory()
        for _ in range(2):
            self.disclose(book, request_name)
            book.clock.now += timedelta(microseconds=1)
        shown = [one for one in book.recorded if isinstance(one.fact, EvidenceDisclosed)]
        assert len({one.id for one in shown}) == 4
