"""Every refusal: the sentence that a caller reads, and the data that it carries beside it."""

from collections.abc import Mapping

import pytest

from ledger.decisions import refusals
from ledger.decisions.refusals import Refusal

ONE_VALUE: Mapping[str, tuple[str, str]] = {
    "UnknownGateway": ("gateway", "no gateway 'x' is declared"),
    "StatedTimeMissing": ("gateway", "gateway 'x' uses its ids again, so it must state a time"),
    "BookNotOpen": ("book", "the book 'x' is not open"),
    "ConflictingDuplicate": ("mo", "another message was received under the id of x"),
    "UnknownExchange": ("mo", "no message x was received"),
    "UnknownConsumer": ("consumer", "nothing is recorded of a consumer x"),
    "MerchantNotRegistered": ("merchant", "no merchant 'x' is registered in this book"),
    "ServiceNotDeclared": ("service", "no service 'x' is declared"),
    "UnknownSolicitation": ("solicitation", "no solicitation x was asked for"),
    "ConflictingSolicitation": (
        "solicitation",
        "the solicitation x was asked or sent with other content",
    ),
    "UnknownKey": ("key", "no key 'x' was granted in this book"),
    "KeyAlreadyRevoked": ("key", "the key 'x' was revoked before"),
    "UnknownCharge": ("charge", "no charge x is known in this book"),
    "SoldByNobody": ("charge", "no merchant earns the charge x, so none gives it back"),
    "OtherContent": ("used", "the id 'x' was used before for something else"),
    "UnknownFinding": ("finding", "no finding x was opened in this book"),
    "UnknownShortCode": ("short_code", "no short code x was opened in this book"),
    "UnknownSubscription": ("subscription", "no subscription x began in this book"),
}
"""Refusals of one value: its name, and what is said of `x`."""

Said = tuple[type[Refusal], tuple[object, ...], str, Mapping[str, object]]
OTHERS: tuple[Said, ...] = (
    (
        refusals.GatewayMissing,
        ("gateway",),
        "a key with the role gateway must name a gateway",
        {"role": "gateway"},
    ),
    (
        refusals.GatewayMissing,
        ("operations",),
        "a key with the role operations must name no gateway",
        {"role": "operations"},
    ),
    (
        refusals.MerchantMissing,
        ("merchant",),
        "a key with the role merchant must name a merchant",
        {"role": "merchant"},
    ),
    (
        refusals.MerchantMissing,
        ("operations",),
        "a key with the role operations must name no merchant",
        {"role": "operations"},
    ),
    (
        refusals.UnknownLink,
        ("kannel", "sfr"),
        "gateway 'kannel' was not declared with a link 'sfr'",
        {"gateway": "kannel", "smsc": "sfr"},
    ),
    (
        refusals.RulesOutdated,
        ("one", "two"),
        "the book adopted rules one, but two are loaded: start again",
        {"adopted": "one", "loaded": "two"},
    ),
    (
        refusals.SolicitationNotAllowed,
        ("s", "opted_out"),
        "the solicitation s may not be sent: opted_out",
        {"solicitation": "s", "rule": "opted_out"},
    ),
    (
        refusals.MessageUnfit,
        (4, 3),
        "a text of 4 parts, of which there may be 1 to 3, not blank",
        {"parts": 4, "most": 3},
    ),
    (
        refusals.OtherCurrency,
        ("GBP", "EUR"),
        "the amount is in GBP, not in EUR",
        {"currency": "GBP", "wanted": "EUR"},
    ),
    (
        refusals.RefundNotMade,
        ("r", "more_than_charged", "1.00", 7),
        "more than charged: 1.00 could still be given back",
        {"refund": "r", "rule": "more_than_charged", "left": "1.00", "position": 7},
    ),
    (
        refusals.FindingAlreadyClosed,
        ("f", "refunded"),
        "the finding f was closed before, as refunded",
        {"finding": "f", "how": "refunded"},
    ),
    (
        refusals.PeriodRefused,
        ("first_day", "it is yet to come"),
        "it is yet to come",
        {"field": "first_day"},
    ),
    (
        refusals.SubscriptionEnded,
        ("s", 7),
        "the subscription s was stopped",
        {"subscription": "s", "position": 7},
    ),
    (
        refusals.RenewalNotDue,
        ("s", "not_due", "2026-08-01", 7),
        "not due; due at 2026-08-01",
        {"subscription": "s", "rule": "not_due", "due_at": "2026-08-01", "position": 7},
    ),
    (
        refusals.RenewalNotDue,
        ("s", "in_doubt", "", 7),
        "in doubt",
        {"subscription": "s", "rule": "in_doubt", "due_at": "", "position": 7},
    ),
)
"""The rest, with all that they carry."""


class TestEachRefusal:
    """What is said, and what can be read from it by name."""

    def test_has_its_sentence_here(self) -> None:
        told = {kind.__name__ for kind, *_ in OTHERS} | ONE_VALUE.keys()
        assert {
            name
            for name, one in vars(refusals).items()
            if isinstance(one, type) and issubclass(one, Refusal) and one is not Refusal
        } == told

    @pytest.mark.parametrize("name", ONE_VALUE)
    def test_of_one_value_names_it(self, name: str) -> None:
        refused = getattr(refusals, name)("x")
        field, sentence = ONE_VALUE[name]
        assert (str(refused), vars(refused)) == (sentence, {field: "x"})

    @pytest.mark.parametrize(("kind", "given", "sentence", "carried"), OTHERS)
    def test_of_several_carries_each(
        self,
        kind: type[Refusal],
        given: tuple[object, ...],
        sentence: str,
        carried: Mapping[str, object],
    ) -> None:
        refused = kind(*given)
        assert (str(refused), vars(refused)) == (sentence, carried)
