"""The end of a subscription, asked for by several at once: it ends once, by whoever came first."""

from ledger.commands.subscriptions import stop_subscription
from ledger.facts.consent import OptedOut
from ledger.facts.subscriptions import SubscriptionStopped
from tests.support.book import ORIGIN, overtaken, together
from tests.support.subscribers import end, sms, subscriber, the_subscription


class TestStop:
    """A merchant, a regulator and the consumer, none of whom waits for another."""

    def test_by_merchant_and_regulator_at_once_is_one(self) -> None:
        book = subscriber()
        name, now = the_subscription(book), book.clock.now
        together(
            book,
            lambda: stop_subscription(book.desk, name, "merchant", "asked", ORIGIN, now),
            lambda: stop_subscription(book.desk, name, "regulator", "no proof", ORIGIN, now),
        )
        (stopped,) = book.facts(SubscriptionStopped)
        assert (stopped.by, stopped.reason) == ("merchant", "asked")

    def test_overtaken_by_the_consumer_stays_the_consumers(self) -> None:
        book = subscriber()
        stop = sms("STOP", gateway_message_id="m-stop")
        overtaken(book, lambda: end()(book), by=lambda: book.receive(stop))
        (stopped,) = book.facts(SubscriptionStopped)
        assert stopped.by == "consumer"

    def test_overtaken_by_its_merchant_leaves_stop_what_it_is(self) -> None:
        book = subscriber()
        stop = sms("STOP", gateway_message_id="m-stop")
        overtaken(book, lambda: book.receive(stop), by=lambda: end()(book))
        (stopped,) = book.facts(SubscriptionStopped)
        assert stopped.by == "merchant"
        assert len(book.facts(OptedOut)) == 1
