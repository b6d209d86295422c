"""Find the rules in force: from a pack and a book's settings, at an instant, no I/O."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from ledger.rules import kinds
from ledger.rules.codes import covers
from ledger.rules.inforce import Attachment, CodeRange, Rules, StopEffect
from ledger.rules.pack import Contents, RulePack
from ledger.rules.schema import Rule
from ledger.rules.settings import Settings
from ledger.words import Instant, LocalDay, local_day

RuleT = TypeVar("RuleT", bound=Rule)

_SECONDS_AN_HOUR = 3600
_DAYS_KEPT = 64


class RuleNotInForce(LookupError):
    """The pack has no rule of a kind that decisions cannot do without, on this day."""

    def __init__(self, kind: str, day: LocalDay) -> None:
        super().__init__(f"the rule pack has no rule on {kind} for {day.isoformat()}")
        self.kind = kind
        self.day = day


class SettingsForAnotherPack(ValueError):
    """The book's settings name one country's pack, and were given another's."""

    def __init__(self, named: str, given: str) -> None:
        super().__init__(f"the settings follow the pack {named!r}, not {given!r}")
        self.named = named
        self.given = given


class RuleBook:
    """A pack and settings together, which gives their rules at any instant.

    Rules change at local midnight only, so each day is resolved once and a few are kept.
    """

    def __init__(self, pack: RulePack, settings: Settings) -> None:
        """Put them together.

        Raises:
            SettingsForAnotherPack: the settings name another country's pack.
        """
        if settings.pack != pack.country:
            raise SettingsForAnotherPack(settings.pack, pack.country)
        self.pack = pack
        self.settings = settings
        self._days: dict[LocalDay, Rules] = {}

    def at(self, at: Instant) -> Rules:
        """Give the rules in force at an instant.

        Raises:
            RuleNotInForce: the pack does not reach that day.
        """
        day = local_day(at, self.pack.zone)
        rules = self._days.get(day)
        if rules is None:
            rules = resolve_day(self.pack, self.settings, day)
            if len(self._days) >= _DAYS_KEPT:
                self._days.clear()
            self._days[day] = rules
        return rules


def resolve(pack: RulePack, settings: Settings, at: datetime) -> Rules:
    """Give the rules in force at an instant; see `RuleBook` for asking often.

    Raises:
        SettingsForAnotherPack: the settings name another country's pack.
        RuleNotInForce: the pack does not reach that day.
    """
    return RuleBook(pack, settings).at(at)


def resolve_day(pack: RulePack, settings: Settings, day: LocalDay) -> Rules:
    """Give the rules in force on a local day of the pack's zone.

    Raises:
        RuleNotInForce: the pack does not reach that day.
    """
    file = pack.contents
    consumer = _the_one(file.consumer, day)
    segment = _the_one(file.segment, day)
    words = _holding(file.service_word, day)
    return Rules(
        pack_sha256=pack.sha256,
        settings_sha256=settings.sha256,
        currency=file.currency,
        zone=file.zone,
        consumer_kind=consumer.named_by,
        consumer_scope=consumer.scope,
        billing_point=_the_one(file.billing, day).point,
        code_ranges=_code_ranges(file, day),
        subscriptions_allowed=_the_one(file.subscription, day).allowed,
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
    prices = _holding(file.price, day)
    return tuple(
        CodeRange(
            codes=rule.codes,
            floor=rule.floor,
            ceiling=rule.ceiling,
            price_attaches_to=_attachment(prices, rule.codes, day),
            tax_category=rule.tax_category,
        )
        for rule in sorted(_holding(file.code_range, day), key=_narrowness)
    )


def _attachment(prices: list[kinds.PriceRule], codes: str, day: LocalDay) -> Attachment:
    """Find what the price attaches to on a range: its own rule, a wider one's, or any code's."""
    for rule in sorted(prices, key=_narrowness):
        if rule.codes == kinds.ANY_CODE or covers(rule.codes, codes):
            return rule.attaches_to
    raise RuleNotInForce(f"price on {codes}", day)


def _narrowness(rule: kinds.PriceRule | kinds.CodeRangeRule) -> tuple[bool, int, str]:
    return (rule.codes == kinds.ANY_CODE, rule.codes.count("x"), rule.codes)


def _stop(reach: kinds.StopRule, effect: kinds.SilenceRule) -> StopEffect:
    return StopEffect(
        bare=reach.bare,
        with_keyword=reach.with_keyword,
        ends=effect.ends,
        confirmations=effect.confirmations,
    )
