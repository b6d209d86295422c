"""Examples of the facts of subscriptions, solicitations, notices, findings, refunds, pushing.

Beside them, wider examples of older facts: with the fields that those got since.
"""

from collections.abc import Iterator

import msgspec

from ledger.facts import catalogue
from ledger.facts.access import AuditExported
from ledger.facts.base import Fact, Sealed
from ledger.facts.book import RulesAdopted
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRef,
    ChargeRefunded,
    ChargeRefused,
    ChargeWrittenOff,
    RefundRefused,
)
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.findings import FindingClosed, FindingOpened
from ledger.facts.handover import (
    MtCancelled,
    MtHandedOver,
    MtHandoverRefused,
    MtHandoverUnknown,
)
from ledger.facts.imported import ExchangeImported, PendingTerms, ToldCharge
from ledger.facts.notices import NoticeDropped, NoticeDue, NoticeRef, NoticeSent
from ledger.facts.solicitations import (
    SolicitationAllowed,
    SolicitationExpired,
    SolicitationRef,
    SolicitationRefused,
)
from ledger.facts.subscriptions import (
    Consent,
    RenewalRefused,
    SubscriptionRef,
    SubscriptionRefused,
    SubscriptionRenewed,
    SubscriptionRequested,
    SubscriptionStarted,
    SubscriptionStopped,
)
from ledger.facts.traffic import (
    DeliveryOrphaned,
    DeliveryReceived,
    DuplicateSuspected,
    KeywordMatched,
    KeywordUnmatched,
    MoReceived,
    MtEmitted,
    MtRef,
    MtSubmitted,
)
from ledger.spans import Period
from tests.support.exampled import (
    AMOUNTS,
    AT,
    CHARGE,
    CHARGE_REF,
    CONSUMER,
    DAY,
    FACT,
    MO,
    MOVED,
    MT,
    MT_REF,
    PRINT,
    SEALED,
    SHA,
    SOLD,
    WHERE,
)

SUBSCRIPTION, SOLICITATION, NOTICE, FINDING, REFUND = (digit * 32 for digit in "6789a")
PROVEN = Sealed(month="2026-07", kind="consent", box=bytes(range(40)))
LINK = {"gateway": "kannel", "smsc": "orange"}
SUBSCRIBED = SubscriptionRef(
    subscription=SUBSCRIPTION,
    category="content",
    keyword="JEU",
    tariff="t-81014",
    tariff_version=FACT,
    billing_code="P300",
    price=3_000_000,
    currency="EUR",
    every=Period(1, "month"),
    test=True,
    **LINK,
    **WHERE,
    **SOLD,
)
SOLICITED = SolicitationRef(solicitation=SOLICITATION, test=True, **LINK, **WHERE, **SOLD)
NOTICED = NoticeRef(notice=NOTICE, name="tariff", test=True, **LINK, **WHERE, **SOLD)
CYCLE_REF: ChargeRef = msgspec.structs.replace(
    CHARGE_REF, mo=None, subscription=SUBSCRIPTION, cycle=DAY, test=True
)
NOBODYS: ChargeRef = msgspec.structs.replace(
    CHARGE_REF, leg="mo", merchant=None, service=None, keyword=None, merchant_contract=None
)
PUSHED: MtRef = msgspec.structs.replace(MT_REF, mo=None, subscription=SUBSCRIPTION, test=True)
MONEY = {"currency": "EUR", "captured_day": DAY, "value_day": DAY, "occurred_at": AT}


def trade_examples() -> Iterator[tuple[str, Fact]]:
    """Give each example with a name of its own."""
    yield from (("full", fact) for fact in (*_pushing(), *_subscriptions(), *_solicitations()))
    yield from (("full", fact) for fact in (*_notices(), *_findings(), *_refunds(), *_catalogue()))
    yield from (("wider", fact) for fact in (*_wider(), *_wider_charges(), *_wider_catalogue()))
    yield from (("full", fact) for fact in _imported())
    yield "pending", _imported_pending()


def _imported_pending() -> Fact:
    """Give an exchange whose charge is pending, with the terms to book it by."""
    terms = PendingTerms(ref=CHARGE_REF, amounts=AMOUNTS, captures_on="delivered")
    charge = ToldCharge(
        charge=CHARGE, leg="mt", price=3_000_000, currency="EUR", state="authorized", terms=terms
    )
    return ExchangeImported(
        mo=MO, told=FACT, gateway="kannel", charges=(charge,), occurred_at=AT, **WHERE, **SOLD
    )


def _imported() -> Iterator[Fact]:
    yield ExchangeImported(
        mo=MO,
        told=FACT,
        gateway="kannel",
        keyword="JEU",
        unmatched="unknown_keyword",
        stopped=True,
        charges=(
            ToldCharge(
                charge=CHARGE,
                leg="mt",
                price=3_000_000,
                currency="EUR",
                tariff="t-81014",
                state="captured",
            ),
        ),
        test=True,
        occurred_at=AT,
        **WHERE,
        **SOLD,
    )


def _pushing() -> Iterator[Fact]:
    yield MtHandoverUnknown(ref=MT_REF, attempt=1, occurred_at=AT)
    yield MtHandedOver(ref=MT_REF, attempt=2, raw_status="0: Accepted for delivery", occurred_at=AT)
    yield MtHandoverRefused(ref=MT_REF, attempt=1, raw_status="403", occurred_at=AT)
    yield MtCancelled(ref=MT_REF, reason="opted_out", occurred_at=AT)
    yield DuplicateSuspected(mo=MO, like=FACT, window_seconds=60, occurred_at=AT, **WHERE, **SOLD)


def _subscriptions() -> Iterator[Fact]:
    yield SubscriptionRequested(ref=SUBSCRIBED, mo=MO, confirm="OK", expires_at=AT, occurred_at=AT)
    yield SubscriptionRefused(
        mo=MO,
        subscription=SUBSCRIPTION,
        rule="already_subscribed",
        occurred_at=AT,
        **WHERE,
        **SOLD,
    )
    yield SubscriptionStarted(
        ref=SUBSCRIBED,
        consent=(Consent("mo", FACT, AT), Consent("confirming_mo", MO, AT)),
        text=PROVEN,
        occurred_at=AT,
    )
    yield SubscriptionRenewed(
        ref=SUBSCRIBED,
        cycle=DAY,
        number=1,
        charge=CHARGE,
        mt=MT,
        next_due_at=AT,
        occurred_at=AT,
    )
    yield RenewalRefused(ref=SUBSCRIBED, rule="not_due", due_at=AT, request="r-1", occurred_at=AT)
    yield SubscriptionStopped(ref=SUBSCRIBED, by="consumer", mo=MO, reason="STOP", occurred_at=AT)


def _solicitations() -> Iterator[Fact]:
    yield SolicitationAllowed(
        ref=SOLICITED, count=1, limit=2, charter="a charter", expires_at=AT, occurred_at=AT
    )
    yield SolicitationRefused(
        ref=SOLICITED,
        rule="outside_hours",
        count=1,
        limit=2,
        charter="a charter",
        opens_at=AT,
        occurred_at=AT,
    )
    yield SolicitationExpired(ref=SOLICITED, allowed_at=AT, occurred_at=AT)


def _notices() -> Iterator[Fact]:
    yield NoticeDue(
        ref=NOTICED,
        mo=MO,
        charge=CHARGE,
        every=5_000_000,
        threshold=10_000_000,
        crossed=2,
        spent=12_000_000,
        currency="EUR",
        occurred_at=AT,
    )
    yield NoticeSent(ref=NOTICED, mt=MT, occurred_at=AT)
    yield NoticeDropped(ref=NOTICED, reason="opted_out", occurred_at=AT)


def _findings() -> Iterator[Fact]:
    yield FindingOpened(
        finding=FINDING,
        kind="billed_twice",
        mo=MO,
        mt=MT,
        charge=CHARGE,
        leg="mt",
        consumer=CONSUMER,
        merchant="ludotel",
        short_code="81014",
        operator="20801",
        amount=3_000_000,
        currency="EUR",
        test=True,
        occurred_at=AT,
    )
    yield FindingClosed(
        finding=FINDING,
        kind="billed_twice",
        how="refunded",
        note="on the bill",
        refund=REFUND,
        charge=CHARGE,
        consumer=CONSUMER,
        merchant="ludotel",
        short_code="81014",
        operator="20801",
        occurred_at=AT,
    )


def _refunds() -> Iterator[Fact]:
    yield ChargeRefunded(
        refund=REFUND,
        ref=CHARGE_REF,
        by="operator",
        channel="bill",
        price=3_000_000,
        taken_back=AMOUNTS,
        borne_by="each_its_part",
        unattributed=1,
        finding=FINDING,
        reason="not wanted",
        **MONEY,
    )
    yield RefundRefused(
        refund=REFUND,
        ref=CHARGE_REF,
        by="operator",
        rule="above_what_is_left",
        price=3_000_001,
        left=3_000_000,
        currency="EUR",
        occurred_at=AT,
    )
    yield ChargeWrittenOff(
        write_off=REFUND,
        ref=CHARGE_REF,
        reason="unpaid",
        amounts=AMOUNTS,
        borne_by="merchant",
        unattributed=1,
        note="the bill was never paid",
        **MONEY,
    )
    yield AuditExported(
        export=FACT,
        key="0123456789abcdef",
        first_day=DAY,
        last_day=DAY,
        short_code="81014",
        consumer=CONSUMER,
        facts=42,
        through_position=99,
        manifest_sha256=SHA,
        occurred_at=AT,
    )


def _catalogue() -> Iterator[Fact]:
    since = {"effective_from": AT}
    yield catalogue.ServiceSuspended(
        service="quiz", merchant="ludotel", reason="complaints", **since
    )
    yield catalogue.ServiceResumed(service="quiz", merchant="ludotel", **since)
    yield catalogue.TestNumberDeclared(consumer=CONSUMER, label="our handset", **since)
    yield catalogue.TestNumberWithdrawn(consumer=CONSUMER, **since)


def _wider() -> Iterator[Fact]:
    yield RulesAdopted(
        pack="fr",
        pack_sha256=SHA,
        settings_sha256=SHA,
        settings={},
        pack_toml='country = "fr"\n',
        occurred_at=AT,
    )
    yield MoReceived(
        mo=MO,
        gateway="kannel",
        smsc="orange",
        gateway_message_id="m-1",
        fingerprint=PRINT,
        test=True,
        occurred_at=AT,
        **WHERE,
    )
    yield KeywordMatched(
        mo=MO,
        keyword="JEU",
        tariff="t-81014",
        tariff_version=FACT,
        price=2_000_000,
        mo_price=1_000_000,
        currency="EUR",
        catalogue_position=99,
        test=True,
        occurred_at=AT,
        **WHERE,
        **SOLD,
    )
    yield KeywordUnmatched(
        mo=MO, reason="suspended", catalogue_position=99, test=True, occurred_at=AT, **WHERE
    )
    yield MtEmitted(
        ref=PUSHED,
        kind="renewal",
        billing_code="P300",
        parts=1,
        text=SEALED,
        pushed=True,
        smsc="orange",
        occurred_at=AT,
    )
    yield MtSubmitted(ref=PUSHED, part=1, raw_status="8", occurred_at=AT)
    yield DeliveryReceived(
        ref=PUSHED, outcome="delivered", billed="yes", part=2, raw_status="1", occurred_at=AT
    )
    yield DeliveryOrphaned(
        mt=MT,
        gateway="kannel",
        outcome="failed",
        billed="no",
        part=2,
        raw_status="2",
        occurred_at=AT,
    )
    yield OptedOut(mo=MO, everywhere=True, word="STOP", test=True, occurred_at=AT, **WHERE)
    yield OptOutLifted(mo=MO, everywhere=True, occurred_at=AT, **WHERE)


def _wider_charges() -> Iterator[Fact]:
    yield ChargeAuthorized(
        **{**MOVED, "ref": CYCLE_REF},
        captures_on="delivered",
        was="released",
        released_day=DAY,
        value_day=DAY,
        occurred_at=AT,
    )
    yield ChargeRefused(
        charge=CHARGE,
        leg="mt",
        subscription=SUBSCRIPTION,
        cycle=DAY,
        category="content",
        keyword="JEU",
        tariff="t-81014",
        tariff_version=FACT,
        rules=FACT,
        rule="spending_cap",
        amount=3_000_000,
        limit=50_000_000,
        cap="a month",
        spent=48_000_000,
        currency="EUR",
        value_day=DAY,
        test=True,
        occurred_at=AT,
        **WHERE,
        **SOLD,
    )
    yield ChargeCaptured(
        **{**MOVED, "ref": NOBODYS},
        authorized_day=DAY,
        was="unauthorized",
        mt=MT,
        value_day=DAY,
        occurred_at=AT,
    )


def _wider_catalogue() -> Iterator[Fact]:
    since = {"effective_from": AT}
    share = msgspec.convert({"type": "fixed", "amount": 400_000}, catalogue.Share)
    yield catalogue.ContractAgreed(
        contract="c-1",
        party="merchant",
        merchant="ludotel",
        share=share,
        refunds_borne_by="merchant",
        unpaid_borne_by="merchant",
        **since,
    )
    yield catalogue.ServiceDeclared(
        service="club",
        merchant="ludotel",
        name="Club",
        category="content",
        reply_text="Bonjour",
        publisher="Ludotel",
        desk="0800 000 001",
        duplicate_window_seconds=60,
        subscription=catalogue.SubscriptionOffer(
            every=Period(1, "week"), offer_text="{service}: {price}. {confirm}?"
        ),
        **since,
    )
    yield catalogue.ShortCodeOpened(
        short_code="81014",
        operator="20801",
        alias_group="group-a",
        publisher="Obole",
        desk="0800 000 000",
        error_text="Inconnu",
        stop_text="Arrêt",
        contact_text="Édité par {publisher}",
        notice_text="{spent} sur {service}",
        **since,
    )
    yield catalogue.TariffSet(
        tariff="t-81014",
        short_code="81014",
        price=2_000_000,
        mo_price=1_000_000,
        currency="EUR",
        billing_code="P200",
        **since,
    )
