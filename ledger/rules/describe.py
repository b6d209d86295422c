"""Show people the rules in force on a day, each with its date, source and confidence."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ledger.rules.pack import RulePack, load_pack
from ledger.rules.schema import CapTerms, Rule
from ledger.rules.settings import Settings, SubscriptionSettings
from ledger.words import LocalDay


class RuleLine(NamedTuple):
    """One rule as text; days as `2026-03-01`, empty where the pack names none."""

    rule: str
    value: str
    since: str
    """The first day in force; "not found" where no text seen gives it."""
    until: str
    """The first day no longer in force."""
    confidence: str
    """`primary`, `secondary`, `memory`, `set by us` or `not set`."""
    source: str
    note: str


def rules_table(country: str, at: LocalDay, settings: Settings | None = None) -> list[RuleLine]:
    """Give what `obole rules show` prints: a country's rules on a local day.

    Raises:
        UnknownCountry: there is no such pack.
        RulePackInvalid: it has mistakes; all of them are listed.
    """
    return describe(load_pack(country), settings, at)


def describe(pack: RulePack, settings: Settings | None, at: LocalDay) -> list[RuleLine]:
    """Give the rules of a pack that hold on a local day, and the settings or what they lack."""
    file = pack.contents
    return [
        RuleLine("pack", f"{file.name}, {pack.sha256}", "", "", "", "", ""),
        RuleLine("currency and zone", f"{file.currency}, {file.zone}", "", "", "", "", ""),
        *(_line(rule) for rule in file.rules() if rule.holds_on(at)),
        *_no_charter(pack, at),
        *(_set(settings) if settings else _not_set(pack)),
    ]


def _line(rule: Rule) -> RuleLine:
    return RuleLine(
        rule=rule.subject,
        value=rule.shown,
        since=rule.since.isoformat() if rule.since else "not found",
        until=rule.until.isoformat() if rule.until else "",
        confidence=rule.confidence,
        source=rule.source,
        note=rule.note or "",
    )


def _no_charter(pack: RulePack, at: LocalDay) -> Iterator[RuleLine]:
    if not any(rule.holds_on(at) for rule in pack.contents.solicitation):
        value = "no charter is named, so nobody may be solicited"
        yield RuleLine("solicitation hours", value, "", "", "", "", "")


def _set(settings: Settings) -> Iterator[RuleLine]:
    tables = {"spending_caps", "subscriptions", "capture"}
    for key, value in settings.values().items():
        if key not in tables:
            yield _setting(key, str(value))
    yield from _caps(settings.spending_caps)
    yield _setting("subscriptions", _subscriptions(settings.subscriptions))
    for one in settings.capture:
        yield _setting(f"capture {' '.join(one.key)}", one.on)


def _caps(caps: Sequence[CapTerms]) -> Iterator[RuleLine]:
    if not caps:
        yield _setting("spending_caps", "none beside those of the pack")
    for cap in caps:
        yield _setting(f"spending_caps {cap.name}", cap.terms_shown)


def _subscriptions(own: SubscriptionSettings | None) -> str:
    if own is None:
        return "not set, which only a pack without subscriptions allows"
    return (
        f"confirmed within {_counted(own.confirm_within_hours, 'hour')}; "
        f"each cycle tried {_counted(own.attempts, 'time')}, "
        f"{_counted(own.retry_after_hours, 'hour')} apart; "
        f"over after {_counted(own.unpaid_cycles, 'cycle')} without money"
    )


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _setting(key: str, value: str) -> RuleLine:
    return RuleLine(f"setting {key}", value, "", "", "set by us", "settings of the book", "")


def _not_set(pack: RulePack) -> Iterator[RuleLine]:
    for missing in pack.contents.set_elsewhere:
        text = f"setting {missing.setting}"
        yield RuleLine(text, "no default", "", "", "not set", "", missing.reason)
