"""The trade as the rules have it, small: what must follow from a message, without any log.

This is the specification in other words. It shares with the ledger the derived ids and the rule
pack's numbers, and none of its decisions or folds.
"""

from api.market.calendars import HOUR
from api.market.dealing import Dealing, Mo
from api.market.goods import Code, Service
from api.market.people import Bought, Charge, Consumer, Message, Scope, Stop, Subscription
from api.market.reading import Said
from ledger.words import derived_id


class Trade(Dealing):
    """One book's trade: what consumers send, and what comes of it."""

    # A message in

    def receive(self, mo: Mo) -> Message | None:
        """Take in a new message; gives the answer to it, if there is one."""
        said, code = self.reader.read(mo.code, mo.text), self.codes.get(mo.code)
        self.fact("mo_received")
        mo.who.wrote = True
        if said.word == "stop" or said.stops:
            return self._stop(mo, code, said.named or said.service)
        if code is None:
            return self._unmatched(mo, code, answers=False)
        if said.word == "contact":
            return self._contact(mo, code, said)
        if said.word == "confirm":
            answer = self._confirm(mo, code)
            if answer is not None:
                return answer
        return self._answer(mo, code, said)

    def conflict(self) -> None:
        """Take in another message under an id that came before."""
        self.fact("conflicting_duplicate_received")

    def _answer(self, mo: Mo, code: Code, said: Said) -> Message | None:
        service = said.service
        if any(mo.at < mo.who.scopes[one] for one in self._covering(mo, service)):
            return self._unmatched(mo, code, answers=False)
        if said.word is not None and service is None:
            self.fact("subscription_refused")
            silent = bool(self._covering(mo, None))
            return self._unmatched(mo, code, answers=not silent)
        self._lift(mo, service)
        if service is None:
            return self._unmatched(mo, code, answers=True)
        self._matched(mo, service)
        answer, charge = self._sell(mo, code, service)
        if charge is not None:
            self.tell_again(charge)
        return answer

    def _unmatched(self, mo: Mo, code: Code | None, *, answers: bool) -> Message | None:
        self.fact("keyword_unmatched")
        self._charge_message(mo, code, None)
        return self._emit(mo, None, None) if answers else None

    def _matched(self, mo: Mo, service: Service) -> None:
        self.fact("keyword_matched")
        who, key = mo.who, (mo.code, service.merchant)
        who.last[mo.code] = service
        who.asked[key] = max(mo.at, who.asked.get(key, 0))
        standing = who.allowances.get(key)
        if standing:
            since = who.asked[key] * 1_000_000
            who.allowances[key] = [one for one in standing if one.at > since]

    def _sell(self, mo: Mo, code: Code, service: Service) -> tuple[Message | None, Charge | None]:
        """Sell what is asked for; gives the answer, and the charge that notices go by."""
        if service.window_seconds and self._repeats(mo, service):
            self.fact("duplicate_suspected")
            leg = self._charge_message(mo, code, service)
            return self._emit(mo, service, None), leg
        leg = self._charge_message(mo, code, service)
        if service.every is not None:
            return self._ask(mo, service), None
        if not code.price:
            self._remember(mo, service, None)
            return self._emit(mo, service, None), leg
        parts = self.till.parts(code.price, code.tariff, mo.who.operator.operator, service)
        name = derived_id(self.shop.book, "charge", self.mo(mo.number), "mt")
        if self.till.above_cap(mo.who, code.price, code.code, service.merchant, mo.at):
            self.fact("charge_refused")
            if leg is not None:
                self.till.find("leg_failed", name)
            return self._emit(mo, None, None), leg
        charge = Charge(name, mo.who, code.code, service, parts)
        charge.other_leg = leg is not None
        self.authorize(charge, mo.at)
        self._remember(mo, service, charge)
        return self._emit(mo, service, charge), charge

    def _repeats(self, mo: Mo, service: Service) -> bool:
        """Tell whether the same words bought the same a moment ago, by a charge that stands."""
        # A message that was slow counts from when it was sent: what it repeats may lie after it.
        recent = mo.who.recent = [one for one in mo.who.recent if mo.at - one.at <= HOUR]
        return any(
            abs(mo.at - one.at) <= service.window_seconds
            and one.service == service
            and one.text == mo.text
            and (one.charge is None or one.charge.state != "released")
            for one in recent
        )

    def _remember(self, mo: Mo, service: Service, charge: Charge | None) -> None:
        if service.window_seconds:
            mo.who.recent.append(Bought(mo.at, service, mo.text, charge))

    # STOP and CONTACT

    def _covering(self, mo: Mo, service: Service | None) -> list[Scope]:
        return covering(mo.who, mo.code, service)

    def _stop(self, mo: Mo, code: Code | None, meant: Service | None) -> Message | None:
        who, scope = mo.who, (mo.code, meant.service if meant else None)
        since = who.scopes.get(scope)
        if since is not None and mo.at <= since:
            self._charge_message(mo, code, None)
            return None
        silent = bool(self._covering(mo, meant))
        self.fact("opted_out")
        stop = Stop(self.mo(mo.number), scope, mo.at)
        who.stops.append(stop)
        if mo.at < who.lifted.get(scope, mo.at):
            stop.stands = False
            self._charge_message(mo, code, None)
            return None
        who.scopes[scope] = mo.at
        self._call_back(mo, scope)
        for one in who.subscriptions:
            reached = one.service.code.code == mo.code and scope[1] in {None, one.service.service}
            if reached and one.live:
                self.fact("subscription_stopped")
                one.by = "consumer"
            if reached:
                one.open = False
        self._charge_message(mo, code, None)
        return None if code is None or silent else self._emit(mo, None, None)

    def _call_back(self, mo: Mo, scope: Scope) -> None:
        """Cancel what was on its way and no gateway has taken."""
        kept: list[Message] = []
        for message in mo.who.pushed:
            service = message.service.service if message.service else None
            if message.code != scope[0] or scope[1] not in {None, service}:
                kept.append(message)
                continue
            self.fact("mt_cancelled")
            charge = message.charge
            if charge is not None and charge.state in {"authorized", "unresolved"}:
                self.till.release(charge, mo.at)
        mo.who.pushed = kept

    def _lift(self, mo: Mo, service: Service | None) -> None:
        for scope in self._covering(mo, service):
            self.fact("opt_out_lifted")
            del mo.who.scopes[scope]
            mo.who.lifted[scope] = max(mo.at, mo.who.lifted.get(scope, 0))
            for stop in mo.who.stops:
                if stop.scope == scope:
                    stop.stands = False

    def _contact(self, mo: Mo, code: Code, said: Said) -> Message | None:
        self._charge_message(mo, code, None)
        meant = said.named or mo.who.last.get(mo.code)
        return None if self._covering(mo, meant) else self._emit(mo, None, None)

    # Subscriptions, as they are asked for and agreed to

    def _ask(self, mo: Mo, service: Service) -> Message:
        who = mo.who
        if any(one.live and one.service == service for one in who.subscriptions):
            self.fact("subscription_refused")
            return self._emit(mo, None, None)
        again = any(
            one.open and one.service == service and mo.at <= one.expires
            for one in who.subscriptions
        )
        if not again:
            for one in who.subscriptions:
                if one.service.code.code == mo.code:
                    one.open = False
            self.fact("subscription_requested")
            terms = self.rules.subscriptions
            assert terms is not None
            name = derived_id(self.shop.book, "subscription", self.mo(mo.number))
            expires = mo.at + terms.confirm_within_seconds
            who.subscriptions.append(Subscription(name, who, service, expires))
        return self._emit(mo, service, None)

    def _confirm(self, mo: Mo, code: Code) -> Message | None:
        """Start what was offered on a code; none if nothing was."""
        offers = [
            one for one in mo.who.subscriptions if one.open and one.service.code.code == mo.code
        ]
        if not offers:
            return None
        offer = offers[-1]
        if mo.at > offer.expires:
            offer.open = False
            self.fact("subscription_refused")
            return self._emit(mo, None, None)
        if any(one.live and one.service == offer.service for one in mo.who.subscriptions):
            self.fact("subscription_refused")
            return self._emit(mo, None, None)
        return self._start(mo, code, offer)

    def _start(self, mo: Mo, code: Code, offer: Subscription) -> Message:
        who, service = mo.who, offer.service
        if self.till.above_cap(who, code.price, code.code, service.merchant, mo.at):
            self.fact("charge_refused")
            self.fact("subscription_refused")
            return self._emit(mo, None, None)
        self.fact("subscription_started")
        offer.open, offer.started = False, mo.at
        charge = self.begin_cycle(offer, self.calendar.day(mo.at), 0, mo.at)
        message = self._emit(mo, service, charge)
        self.tell_again(charge)
        self.subscriptions.append(offer)
        return message


def covering(who: Consumer, code: str, service: Service | None) -> list[Scope]:
    """Give what keeps a service silent, or with none the code as a whole."""
    wanted = {(code, None), (code, service.service if service else None)}
    return [scope for scope in who.scopes if scope in wanted]
