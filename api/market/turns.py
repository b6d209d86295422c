"""What time itself brings about, in the model: a turn at an instant, and solicitations."""

from collections.abc import Callable

from api.market.calendars import moment
from api.market.goods import Service
from api.market.people import Allowance, Consumer, Message, Stop, Subscription
from api.market.trade import Trade, covering
from ledger.words import derived_id

MICROS = 1_000_000
_FAILED = {"released", "refused"}
Pushed = Callable[[Message], None]


class Turns:
    """Takes turns; `pushed` is told of each message that goes out without being asked for."""

    def __init__(self, trade: Trade, pushed: Pushed) -> None:
        self._trade = trade
        self._pushed = pushed

    def take(self, at: int) -> None:
        """Let everything happen that is due at an instant."""
        self._unresolved(at)
        self._renewals(at)
        self._expired(at)
        self._notices()

    def _unresolved(self, at: int) -> None:
        delay = self._trade.rules.unresolved_after_seconds
        waiting = self._trade.unanswered
        while waiting and waiting[0][0] + delay <= at:
            since, charge = waiting.popleft()
            if charge.state == "authorized" and charge.at == since:
                self._trade.till.unresolve(charge, since + delay)

    def _renewals(self, at: int) -> None:
        live = self._trade.subscriptions = [one for one in self._trade.subscriptions if one.live]
        for one in live:
            # Most of them most of the time: the cycle that runs is paid, or may yet be.
            last = next(reversed(one.cycles.values()))
            if at >= one.next_due or last.state in _FAILED:
                self._renew(one, at)

    def _renew(self, one: Subscription, at: int) -> None:
        terms, service = self._trade.rules.subscriptions, one.service
        every = service.every
        assert terms is not None
        assert every is not None
        if covering(one.who, service.code.code, service):
            return
        number = one.number
        while self._trade.calendar.later(one.started, every.n * (number + 1), every.unit) <= at:
            number += 1
        begins = self._trade.calendar.later(one.started, every.n * number, every.unit)
        day = self._trade.calendar.day(begins if number else one.started)
        cycle = one.cycles.get(day)
        if cycle is None:
            last = [one.cycles[each] for each in sorted(one.cycles)][-terms.unpaid_cycles :]
            if len(last) == terms.unpaid_cycles and all(each.state in _FAILED for each in last):
                self._trade.fact("subscription_stopped")
                one.by = "unpaid"
                return
        elif (
            cycle.state not in _FAILED
            or cycle.attempts >= terms.attempts
            or at < cycle.since + terms.retry_after_seconds
        ):
            return
        self._charge_cycle(one, day, number, at)

    def _charge_cycle(self, one: Subscription, day: str, number: int, at: int) -> None:
        trade, service = self._trade, one.service
        sent = one.cycles[day].sent if day in one.cycles else 0
        if trade.till.above_cap(
            one.who, service.code.price, service.code.code, service.merchant, at
        ):
            raise AssertionError("no subscriber of the market spends as much as that")
        charge = trade.begin_cycle(one, day, number, at)
        trade.tell_again(charge)
        name = derived_id(trade.shop.book, "mt", charge.id, "renewal", sent)
        message = Message(name, one.who, service.code.code, service, charge)
        message.pushed = True
        self._pushed(trade.emit(message))

    def _expired(self, at: int) -> None:
        allowed = self._trade.allowed
        while allowed and allowed[0][0].until <= at * MICROS:
            allowance, who, counter = allowed.popleft()
            standing = who.allowances.get(counter, [])
            if not allowance.used and allowance in standing:
                standing.remove(allowance)
                self._trade.fact("solicitation_expired")

    def _notices(self) -> None:
        trade = self._trade
        due, trade.notices = trade.notices, []
        for notice in due:
            code = notice.service.code.code
            if covering(notice.who, code, notice.service):
                trade.fact("notice_dropped")
                continue
            trade.fact("notice_sent")
            name = f"notice/{notice.name}"
            message = Message(name, notice.who, code, notice.service, None)
            message.pushed = True
            trade.emit(message)


class Soliciting:
    """Judges who may be solicited."""

    def __init__(self, trade: Trade, pushed: Pushed) -> None:
        self._trade = trade
        self._pushed = pushed

    def ask(self, who: Consumer, service: Service, number: str, at: int) -> str | None:
        """Ask whether a consumer may be solicited; gives the solicitation if so."""
        trade = self._trade
        counter = (service.code.code, service.merchant)
        name = derived_id(trade.shop.book, "solicitation", f"gateway {trade.shop.gateway}", number)
        if rule := self._forbidden(who, service, counter, at):
            trade.fact("solicitation_refused")
            trade.truth.counts[f"solicitation refused: {rule}"] += 1
            return None
        trade.fact("solicitation_allowed")
        standing = who.allowances.setdefault(counter, [])
        for over in [one for one in standing if not _counts(one, at)]:
            standing.remove(over)
            trade.fact("solicitation_expired")
        since = max(at * MICROS, who.asked.get(counter, -1) * MICROS + 1)
        charter = trade.book.at(moment(at)).solicitations
        assert charter is not None
        allowance = Allowance(name, since, since + charter.reserved_seconds * MICROS)
        standing.append(allowance)
        trade.allowed.append((allowance, who, counter))
        return name

    def _forbidden(
        self, who: Consumer, service: Service, counter: tuple[str, str], at: int
    ) -> str | None:
        charter = self._trade.book.at(moment(at)).solicitations
        assert charter is not None
        if not who.wrote:
            return "unknown_consumer"
        if any(self._in_the_way(who, stop, service) for stop in who.stops):
            return "opted_out"
        if not any(merchant == service.merchant for merchant, _, _ in who.paid):
            return "never_bought"
        count = sum(_counts(one, at) for one in who.allowances.get(counter, ()))
        if count >= charter.limit_without_return:
            return "limit_without_return"
        clock = moment(at).astimezone(self._trade.calendar.zone).time()
        open_now = charter.open_today and charter.opens <= clock < charter.closes
        return None if open_now else "outside_hours"

    @staticmethod
    def _in_the_way(who: Consumer, stop: Stop, service: Service) -> bool:
        """Tell whether a STOP forbids it: one after which nothing new was paid within it."""
        code, only = stop.scope
        if code != service.code.code or only not in {None, service.service}:
            return False
        return not any(
            merchant == service.merchant
            and where == code
            and only in {None, bought}
            and allowed_at > stop.at
            for (merchant, where, bought), allowed_at in who.paid.items()
        )

    def use(self, who: Consumer, service: Service, solicitation: str) -> Message:
        """Let the one message of an allowance go out."""
        for one in who.allowances.get((service.code.code, service.merchant), ()):
            if one.id == solicitation:
                one.used = True
        book = self._trade.shop.book
        name = derived_id(book, "mt", solicitation, "solicitation", 0)
        message = Message(name, who, service.code.code, service, None)
        message.pushed = True
        message = self._trade.emit(message)
        self._pushed(message)
        return message


def _counts(one: Allowance, at: int) -> bool:
    return one.used or at * MICROS < one.until
