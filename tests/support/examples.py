"""An example of each fact, every field filled in, and a spare one where fields may be left out."""

from collections.abc import Iterator

from ledger.facts.access import AccessGranted, AccessRevoked, EvidenceDisclosed
from ledger.facts.base import Fact
from ledger.facts.book import BookOpened, GatewayDeclared, RulesAdopted
from ledger.facts.catalogue import (
    ContractAgreed,
    KeywordAssigned,
    KeywordWithdrawn,
    MerchantRegistered,
    ServiceDeclared,
    ShortCodeClosed,
    ShortCodeOpened,
    TariffSet,
)
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRefused,
    ChargeReleased,
    ChargeUnresolved,
)
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    DeliveryOrphaned,
    DeliveryReceived,
    KeywordMatched,
    KeywordUnmatched,
    MoReceived,
    MtEmitted,
    MtSubmitted,
)
from ledger.money import FixedAmount, Percentage, Rate
from tests.support.exampled import (
    AT,
    CHARGE,
    CONSUMER,
    DAY,
    FACT,
    FREE_REF,
    LEFT,
    MO,
    MOVED,
    MT,
    MT_REF,
    PRINT,
    SEALED,
    SHA,
    SOLD,
    STATED,
    WHERE,
)
from tests.support.examples_trade import trade_examples


def examples() -> Iterator[tuple[str, Fact]]:
    """Give each example with a name of its own: `full`, or what it leaves out."""
    yield from (("full", fact) for fact in (*_book(), *_traffic(), *_charges(), *_catalogue()))
    yield from (("full", fact) for fact in _access())
    yield from (("spare", fact) for fact in _spare())
    yield from trade_examples()


def _book() -> Iterator[Fact]:
    yield BookOpened(
        book="fr",
        jurisdiction="FR",
        legal_entity="Example SAS",
        currency="EUR",
        zone="Europe/Paris",
        log_origin="log.example/fr",
        pseudonym_scheme="hmac-sha256-128/v1",
        occurred_at=AT,
    )
    yield RulesAdopted(
        pack="fr",
        pack_sha256=SHA,
        settings_sha256=SHA,
        settings={"acting": "agent", "capture": [{"code": "*"}], "keyword_rest_days": 90},
        occurred_at=AT,
    )
    yield GatewayDeclared(
        gateway="kannel",
        operators={"orange": "20801"},
        recycles_ids=True,
        repeat_horizon_days=7,
        clock_tolerance_seconds=600,
        effective_from=AT,
    )


def _traffic() -> Iterator[Fact]:
    report = {"operator_message_id": "op-2", "occurred_at": AT, "stated_at": STATED}
    yield MoReceived(
        mo=MO,
        gateway="kannel",
        smsc="orange",
        gateway_message_id="m-1",
        operator_message_id="op-1",
        text=SEALED,
        fingerprint=PRINT,
        occurred_at=AT,
        stated_at=STATED,
        **WHERE,
    )
    yield ConflictingDuplicateReceived(
        mo=MO,
        gateway="kannel",
        smsc="orange",
        gateway_message_id="m-1",
        operator_message_id="op-9",
        text=SEALED,
        fingerprint=PRINT,
        occurred_at=AT,
        stated_at=STATED,
        **WHERE,
    )
    yield KeywordMatched(
        mo=MO,
        keyword="VOTE",
        text=SEALED,
        choice="1",
        tariff="t-81014",
        tariff_version=FACT,
        price=3_000_000,
        currency="EUR",
        catalogue_position=99,
        occurred_at=AT,
        **WHERE,
        **SOLD,
    )
    yield KeywordUnmatched(
        mo=MO, reason="unknown_keyword", catalogue_position=99, occurred_at=AT, **WHERE
    )
    yield MtEmitted(
        ref=MT_REF,
        kind="content",
        billing_code="P300",
        tariff="t-81014",
        tariff_version=FACT,
        parts=1,
        text=SEALED,
        occurred_at=AT,
    )
    yield MtSubmitted(ref=MT_REF, billed="yes", raw_status="8", **report)
    yield DeliveryReceived(
        ref=MT_REF, outcome="failed", billed="no", raw_status="2", contradicts=True, **report
    )
    yield DeliveryOrphaned(
        mt=MT, gateway="kannel", outcome="submitted", billed="unknown", raw_status="8", **report
    )


def _charges() -> Iterator[Fact]:
    yield ChargeAuthorized(**MOVED, captures_on="delivered", value_day=DAY, occurred_at=AT)
    yield ChargeRefused(
        charge=CHARGE,
        leg="mt",
        mo=MO,
        category="content",
        keyword="JEU",
        tariff="t-81014",
        tariff_version=FACT,
        rules=FACT,
        rule="price_above_ceiling",
        amount=4_500_001,
        limit=4_500_000,
        currency="EUR",
        value_day=DAY,
        occurred_at=AT,
        **WHERE,
        **SOLD,
    )
    yield ChargeCaptured(**LEFT, mt=MT, was="released", occurred_at=AT)
    yield ChargeUnresolved(**LEFT, occurred_at=AT)
    yield ChargeReleased(**LEFT, mt=MT, was="unresolved", reason="failed", occurred_at=AT)
    yield OptedOut(mo=MO, word="STOP", occurred_at=AT, **WHERE, **SOLD)
    yield OptOutLifted(mo=MO, service="quiz", occurred_at=AT, **WHERE)


def _catalogue() -> Iterator[Fact]:
    since = {"effective_from": AT}
    keyword = {"short_code": "81014", "keyword": "JEU PLUS"}
    half = Percentage(Rate(1, 2), "price_net_of_tax")
    yield MerchantRegistered(merchant="ludotel", name="Ludotel SARL", **since)
    yield ContractAgreed(
        contract="c-1",
        party="merchant",
        operator="20801",
        merchant="ludotel",
        tariff="t-81014",
        share=half,
        **since,
    )
    yield ShortCodeOpened(
        short_code="81014",
        operator="20801",
        alias_group="group-a",
        dedicated_to="ludotel",
        publisher="Obole",
        desk="0800 000 000",
        error_text="Inconnu",
        stop_text="Arrêt",
        contact_text="Édité par {publisher}",
        **since,
    )
    yield ShortCodeClosed(short_code="81014", operator="20801", **since)
    yield ServiceDeclared(
        service="vote",
        merchant="ludotel",
        name="Vote",
        category="content",
        reply_text="Merci {argument}",
        publisher="Ludotel",
        desk="0800 000 001",
        choices=("1", "2"),
        **since,
    )
    yield KeywordAssigned(service="quiz", merchant="ludotel", **keyword, **since)
    yield KeywordWithdrawn(**keyword, **since)
    yield TariffSet(
        tariff="t-81014",
        price=3_000_000,
        currency="EUR",
        billing_code="P300",
        **keyword,
        **since,
    )


def _access() -> Iterator[Fact]:
    key = "0123456789abcdef"
    yield AccessGranted(
        key=key,
        secret_sha256=SHA,
        role="merchant",
        merchant="ludotel",
        gateway="kannel",
        label="laptop",
        expires_at=AT,
        occurred_at=AT,
    )
    yield AccessRevoked(key=key, reason="lost", occurred_at=AT)
    yield EvidenceDisclosed(
        disclosure=FACT,
        key=key,
        role="regulator",
        consumer=CONSUMER,
        mo=MO,
        after_position=7,
        through_position=99,
        occurred_at=AT,
    )


def _spare() -> Iterator[Fact]:
    yield MtEmitted(ref=FREE_REF, kind="error", billing_code="FREE", parts=1, occurred_at=AT)
    yield DeliveryReceived(
        ref=FREE_REF,
        outcome="delivered",
        billed="unknown",
        raw_status="",
        occurred_at=AT,
    )
    yield ChargeCaptured(**LEFT, was="authorized", occurred_at=AT)
    yield OptedOut(mo=MO, word="STOP", occurred_at=AT, **WHERE)
    yield ContractAgreed(
        contract="c-2",
        party="operator",
        operator="20801",
        share=FixedAmount(1_100_000),
        effective_from=AT,
    )
