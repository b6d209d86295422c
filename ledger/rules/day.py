"""The rules of one local day: what of a pack holds then, put together with a book's settings."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TypeVar

import holidays

from ledger.facts.subscriptions import ConsentStep
from ledger.rules import kinds, ranges
from ledger.rules.codes import covers
from ledger.rules.inforce import (
    Attachment,
    BillingPoint,
    Cap,
    CodeRange,
    MoCharge,
    Notice,
    Rules,
    Solicitations,
    StopEffect,
    Subscribing,
    Subscriptions,
)
from ledger.rules.pack import Contents, RulePack
from ledger.rules.schema import CapTerms, Rule, Window
from ledger.rules.settings import Settings
from ledger.spans import Window as Stretch
from ledger.words import LocalDay

RuleT = TypeVar("RuleT", bound=Rule)
RangedT = TypeVar("RangedT", ranges.BillingRule, ranges.PriceRule, ranges.SubscriptionRule)

_SECONDS_A_MINUTE = 60
_SECONDS_AN_HOUR = 3600
_WEEKDAYS: tuple[kinds.Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class RuleNotInForce(LookupError):
    """The pack has no rule of a kind that decisions cannot do without, on this day."""

    def __init__(self, kind: str, day: LocalDay) -> None:
        super().__init__(f"the rule pack has no rule on {kind} for {day.isoformat()}")
        self.kind = kind
        self.day = day


def resolve_day(pack: RulePack, settings: Settings, day: LocalDay) -> Rules:
    """Give the rules in force on a local day of the pack's zone.

    Raises:
        RuleNotInForce: the pack does not reach that day.
    """
    file = pack.contents
    consumer = _the_one(file.consumer, day)
    segment = _the_one(file.segment, day)
    words = _holding(file.service_word, day)
    caps: list[CapTerms] = [*_holding(file.spending_cap, day), *settings.spending_caps]
    return Rules(
        pack_sha256=pack.sha256,
        settings_sha256=settings.sha256,
        currency=file.currency,
        zone=file.zone,
        consumer_kind=consumer.named_by,
        consumer_scope=consumer.scope,
        code_ranges=_code_ranges(file, day),
        mo_charge=_mo_charge(file, day),
        caps=tuple(_cap(terms) for terms in caps),
        notices=tuple(Notice(name=one.name, every=one.every) for one in _holding(file.notice, day)),
        subscriptions=_subscriptions(file, settings, day),
        solicitations=_solicitations(pack, settings, day),
        alias_window_days=next((one.days for one in _holding(file.alias_window, day)), None),
        service_words={word: rule.kind for rule in words for word in rule.spellings},
        stop=_stop(_the_one(file.stop, day), _the_one(file.silence, day)),
        tax_rates={rule.category: rule.percent for rule in _holding(file.tax, day)},
        passed_on_whole=frozenset(rule.category for rule in _holding(file.passed_on, day)),
        gsm7_characters=segment.gsm7_characters,
        ucs2_characters=segment.ucs2_characters,
        charged_segments=segment.charged_segments,
        acting=settings.acting,
        free_billing_code=settings.free_billing_code,
        capture_rules={(one.operator, one.code, one.leg): one.on for one in settings.capture},
        unresolved_after_seconds=settings.unresolved_after_hours * _SECONDS_AN_HOUR,
        keyword_rest_days=settings.keyword_rest_days,
        clock_tolerance_seconds=settings.clock_tolerance_seconds,
    )


def _holding(rules: Iterable[RuleT], day: LocalDay) -> list[RuleT]:
    return [rule for rule in rules if rule.holds_on(day)]


def _the_one(rules: tuple[RuleT, ...], day: LocalDay) -> RuleT:
    """Give the only rule of a kind in force; two at once were refused on loading."""
    for rule in _holding(rules, day):
        return rule
    raise RuleNotInForce(rules[0].subject, day)


def _code_ranges(file: Contents, day: LocalDay) -> tuple[CodeRange, ...]:
    """Give the ranges in force, those with more fixed digits first."""
    return tuple(
        CodeRange(
            codes=rule.codes,
            floor=rule.floor,
            ceiling=rule.ceiling,
            ceiling_on=rule.ceiling_on,
            billing_point=_billing_point(file, rule.codes, day),
            subscriptions=_subscribing(file, rule.codes, day),
            price_attaches_to=_attachment(file, rule.codes, day),
            tax_category=rule.tax_category,
        )
        for rule in sorted(_holding(file.code_range, day), key=_narrowness)
    )


def _billing_point(file: Contents, codes: str, day: LocalDay) -> BillingPoint:
    return _on_range(file.billing, codes, day).point


def _attachment(file: Contents, codes: str, day: LocalDay) -> Attachment:
    return _on_range(file.price, codes, day).attaches_to


def _subscribing(file: Contents, codes: str, day: LocalDay) -> Subscribing:
    rule = _on_range(file.subscription, codes, day)
    if rule.only:
        return "only"
    return "allowed" if rule.allowed else "none"


def _on_range(rules: Iterable[RangedT], codes: str, day: LocalDay) -> RangedT:
    """Find what holds on a range: a rule of its own, a wider one's, or every code's."""
    known = sorted(rules, key=_narrowness)
    for rule in _holding(known, day):
        if rule.codes == ranges.ANY_CODE or covers(rule.codes, codes):
            return rule
    raise RuleNotInForce(f"{known[0].subject.split(' on ')[0]} on {codes}", day)


def _narrowness(rule: ranges.Ranged) -> tuple[bool, int, str]:
    return (rule.codes == ranges.ANY_CODE, rule.codes.count("x"), rule.codes)


def _mo_charge(file: Contents, day: LocalDay) -> MoCharge | None:
    for rule in _holding(file.mo_charge, day):
        return MoCharge(taxed_as=rule.taxed_as, free=frozenset(rule.free))
    return None


def _cap(terms: CapTerms) -> Cap:
    return Cap(
        name=terms.name,
        amount=terms.amount,
        window=_stretch(terms.window),
        counted_per=terms.counted_per,
        codes=terms.codes,
    )


def _stretch(window: Window) -> Stretch:
    return Stretch(kind=window.kind, n=window.n or 0, unit=window.unit, zone=window.zone)


def _subscriptions(file: Contents, settings: Settings, day: LocalDay) -> Subscriptions | None:
    own = settings.subscriptions
    if own is None:
        return None
    consent = [rule for rule in _holding(file.consent, day) if rule.to == "subscription"]
    steps = consent[0].steps if consent else ("mo",)
    known: Mapping[str, ConsentStep] = {"mo": "mo", "confirming_mo": "confirming_mo"}
    return Subscriptions(
        steps=tuple(known[step] for step in steps if step in known),
        confirm_within_seconds=own.confirm_within_hours * _SECONDS_AN_HOUR,
        retry_after_seconds=own.retry_after_hours * _SECONDS_AN_HOUR,
        attempts=own.attempts,
        unpaid_cycles=own.unpaid_cycles,
    )


def _solicitations(pack: RulePack, settings: Settings, day: LocalDay) -> Solicitations | None:
    file = pack.contents
    charters = {rule.charter for rule in _holding(file.solicitation, day)}
    hours = [rule for rule in _holding(file.hours, day) if rule.charter in charters]
    if not hours:
        return None
    consent = [rule for rule in _holding(file.consent, day) if rule.to == "solicitation"]
    rule = hours[0]
    return Solicitations(
        charter=rule.charter,
        open_today=_day_kind(pack.country, day) in rule.days,
        opens=rule.opens,
        closes=rule.closes,
        after_purchase=any("paid_transaction" in one.steps for one in consent),
        limit_without_return=settings.solicitation_limit_without_return,
        reserved_seconds=settings.solicitation_reservation_minutes * _SECONDS_A_MINUTE,
    )


def _day_kind(country: str, day: LocalDay) -> kinds.Day:
    """Tell what a day counts as: a public holiday of the whole country is no ordinary weekday."""
    if day in holidays.country_holidays(country.upper(), years=day.year):
        return "public_holiday"
    return _WEEKDAYS[date.weekday(day)]


def _stop(reach: kinds.StopRule, effect: kinds.SilenceRule) -> StopEffect:
    return StopEffect(
        bare=reach.bare,
        with_keyword=reach.with_keyword,
        ends=effect.ends,
        confirmations=effect.confirmations,
    )
