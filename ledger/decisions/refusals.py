"""What the ledger says no to, each refusal with a type of its own.

Refusal
├── UnknownGateway          no such gateway was declared in this book
├── StatedTimeMissing       a gateway whose ids come again must say when each message was sent
├── UnknownLink             the gateway names a link whose operator it was not declared with
├── ConflictingDuplicate    another message came under this id; kept as a fact of its own
├── UnknownExchange         no message of that id was received
├── UnknownConsumer         nothing is recorded of such a consumer
├── BookNotOpen             the book has no first fact yet
├── GatewayMissing          a gateway's key must name its gateway, and no other key may
├── MerchantMissing         a merchant's key must name one merchant, and no other key may
├── MerchantNotRegistered   this book does not know the merchant
├── ServiceNotDeclared      this book knows no such service, or not of this merchant
├── UnknownSolicitation     nobody asked for a solicitation under that id
├── ConflictingSolicitation something else was asked, or sent, under that id
├── SolicitationNotAllowed  it was refused, has run out, or may not be sent any more
├── MessageUnfit            a text that nobody could read, or too long to be sent
├── UnknownKey              this book never granted that key
├── KeyAlreadyRevoked       the key was revoked before
├── UnknownShortCode        the short code was never opened in this book
├── PeriodRefused           the days that were asked for can hold no fact
├── UnknownCharge           this book knows no such charge
├── OtherCurrency           an amount is not in the currency of what it is about
├── SoldByNobody            a merchant cannot give back what no merchant earns
├── RefundNotMade           a rule forbids a refund or write-off; kept as a fact of its own
├── OtherContent            the same id was used before, for something else
├── UnknownFinding          no such finding was opened in this book
├── FindingAlreadyClosed    the finding was closed before, otherwise
├── UnknownSubscription     this book knows no such subscription, or it never began
├── SubscriptionEnded       the subscription was stopped, so it is not renewed
├── RenewalNotDue           nothing of the subscription is due now; kept as a fact of its own
└── RulesOutdated           other rules were adopted than those this process decides by

A refusal says what happened and carries data. How it is told to whom is the faces' matter.
"""


class Refusal(Exception):
    """A request was understood, and the answer is no."""


class UnknownGateway(Refusal):
    """No such gateway was declared in this book."""

    def __init__(self, gateway: str) -> None:
        super().__init__(f"no gateway {gateway!r} is declared")
        self.gateway = gateway


class StatedTimeMissing(Refusal):
    """A gateway whose ids come again must say when a message was sent, or a retry is another."""

    def __init__(self, gateway: str) -> None:
        super().__init__(f"gateway {gateway!r} uses its ids again, so it must state a time")
        self.gateway = gateway


class BookNotOpen(Refusal):
    """The book has no first fact yet, so nothing else can be recorded in it."""

    def __init__(self, book: str) -> None:
        super().__init__(f"the book {book!r} is not open")
        self.book = book


class GatewayMissing(Refusal):
    """A gateway's key must name the gateway it is for, and a key of another role may not."""

    def __init__(self, role: str) -> None:
        which = "a gateway" if role == "gateway" else "no gateway"
        super().__init__(f"a key with the role {role} must name {which}")
        self.role = role


class UnknownLink(Refusal):
    """The gateway names a link to an operator that it was not declared with."""

    def __init__(self, gateway: str, smsc: str) -> None:
        super().__init__(f"gateway {gateway!r} was not declared with a link {smsc!r}")
        self.gateway = gateway
        self.smsc = smsc


class ConflictingDuplicate(Refusal):
    """Another message came under this id before; both are kept, only the first had effect."""

    def __init__(self, mo: str) -> None:
        super().__init__(f"another message was received under the id of {mo}")
        self.mo = mo


class UnknownExchange(Refusal):
    """No message of that id was received."""

    def __init__(self, mo: str) -> None:
        super().__init__(f"no message {mo} was received")
        self.mo = mo


class UnknownConsumer(Refusal):
    """Nothing is recorded of such a consumer."""

    def __init__(self, consumer: str) -> None:
        super().__init__(f"nothing is recorded of a consumer {consumer}")
        self.consumer = consumer


class RulesOutdated(Refusal):
    """The book follows other rules than this process was started with, so it decides nothing."""

    def __init__(self, adopted: str, loaded: str) -> None:
        super().__init__(f"the book adopted rules {adopted}, but {loaded} are loaded: start again")
        self.adopted = adopted
        self.loaded = loaded


class MerchantMissing(Refusal):
    """A merchant's key must name the merchant it is for, and a key of another role may not."""

    def __init__(self, role: str) -> None:
        super().__init__(f"a key with the role {role} must name {_HOW_MANY[role == 'merchant']}")
        self.role = role


class MerchantNotRegistered(Refusal):
    """This book does not know the merchant."""

    def __init__(self, merchant: str) -> None:
        super().__init__(f"no merchant {merchant!r} is registered in this book")
        self.merchant = merchant


class ServiceNotDeclared(Refusal):
    """This book knows no such service, or it is another merchant's."""

    def __init__(self, service: str) -> None:
        super().__init__(f"no service {service!r} is declared")
        self.service = service


class UnknownSolicitation(Refusal):
    """Nobody asked for a solicitation under that id."""

    def __init__(self, solicitation: str) -> None:
        super().__init__(f"no solicitation {solicitation} was asked for")
        self.solicitation = solicitation


class ConflictingSolicitation(Refusal):
    """Something else was asked, or sent, under this id before; that stands."""

    def __init__(self, solicitation: str) -> None:
        super().__init__(f"the solicitation {solicitation} was asked or sent with other content")
        self.solicitation = solicitation


class SolicitationNotAllowed(Refusal):
    """A solicitation was refused, has run out, or may not be sent any more."""

    def __init__(self, solicitation: str, rule: str) -> None:
        super().__init__(f"the solicitation {solicitation} may not be sent: {rule}")
        self.solicitation = solicitation
        self.rule = rule


class MessageUnfit(Refusal):
    """There is nothing to read in a text, or it takes more parts than a message may have."""

    def __init__(self, parts: int, most: int) -> None:
        super().__init__(f"a text of {parts} parts, of which there may be 1 to {most}, not blank")
        self.parts = parts
        self.most = most


class UnknownKey(Refusal):
    """This book never granted that key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no key {key!r} was granted in this book")
        self.key = key


class KeyAlreadyRevoked(Refusal):
    """The key was revoked before."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} was revoked before")
        self.key = key


class UnknownCharge(Refusal):
    """This book knows no such charge."""

    def __init__(self, charge: str) -> None:
        super().__init__(f"no charge {charge} is known in this book")
        self.charge = charge


class OtherCurrency(Refusal):
    """An amount is not in the currency of what it is about."""

    def __init__(self, currency: str, wanted: str) -> None:
        super().__init__(f"the amount is in {currency}, not in {wanted}")
        self.currency = currency
        self.wanted = wanted


class SoldByNobody(Refusal):
    """A merchant cannot give back what none sold, or what a test number bought: none earns it."""

    def __init__(self, charge: str) -> None:
        super().__init__(f"no merchant earns the charge {charge}, so none gives it back")
        self.charge = charge


class RefundNotMade(Refusal):
    """A rule forbids a refund or a write-off; that it was asked for is a fact of its own."""

    def __init__(self, refund: str, rule: str, left: str, position: int) -> None:
        super().__init__(f"{rule.replace('_', ' ')}: {left} could still be given back")
        self.refund = refund
        self.rule = rule
        self.left = left
        self.position = position


class OtherContent(Refusal):
    """The same id was used before, for something else; what it did then stands."""

    def __init__(self, used: str) -> None:
        super().__init__(f"the id {used!r} was used before for something else")
        self.used = used


class UnknownFinding(Refusal):
    """No such finding was opened in this book."""

    def __init__(self, finding: str) -> None:
        super().__init__(f"no finding {finding} was opened in this book")
        self.finding = finding


class FindingAlreadyClosed(Refusal):
    """The finding was closed before, in another way or with other words."""

    def __init__(self, finding: str, how: str) -> None:
        super().__init__(f"the finding {finding} was closed before, as {how}")
        self.finding = finding
        self.how = how


class UnknownShortCode(Refusal):
    """The short code was never opened in this book."""

    def __init__(self, short_code: str) -> None:
        super().__init__(f"no short code {short_code} was opened in this book")
        self.short_code = short_code


class PeriodRefused(Refusal):
    """The days that were asked for can hold no fact; `field` is the end that is wrong."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


class UnknownSubscription(Refusal):
    """This book knows no such subscription, or it never began, or it is another merchant's."""

    def __init__(self, subscription: str) -> None:
        super().__init__(f"no subscription {subscription} began in this book")
        self.subscription = subscription


class SubscriptionEnded(Refusal):
    """The subscription was stopped, so it is not renewed; that it was asked for is a fact."""

    def __init__(self, subscription: str, position: int) -> None:
        super().__init__(f"the subscription {subscription} was stopped")
        self.subscription = subscription
        self.position = position


class RenewalNotDue(Refusal):
    """Nothing of the subscription is due now; that it was asked for is a fact of its own."""

    def __init__(self, subscription: str, rule: str, due_at: str, position: int) -> None:
        when = f"; due at {due_at}" if due_at else ""
        super().__init__(f"{rule.replace('_', ' ')}{when}")
        self.subscription = subscription
        self.rule = rule
        self.due_at = due_at
        self.position = position


_HOW_MANY = {True: "a merchant", False: "no merchant"}
