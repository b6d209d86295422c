"""Find the rules in force: from a pack and a book's settings, at an instant, no I/O."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from ledger.rules.day import resolve_day
from ledger.rules.inforce import Rules
from ledger.rules.pack import RulePack
from ledger.rules.settings import Settings
from ledger.words import Instant, LocalDay, local_day

_DAYS_KEPT = 64
_DAYS_AHEAD = 31
"""No country is without a working day for that long."""


class SettingsForAnotherPack(ValueError):
    """The book's settings name one country's pack, and were given another's."""

    def __init__(self, named: str, given: str) -> None:
        super().__init__(f"the settings follow the pack {named!r}, not {given!r}")
        self.named = named
        self.given = given


class SubscriptionSettingsMissing(ValueError):
    """The pack allows subscriptions, and the book's settings do not say how they go."""

    def __init__(self, country: str) -> None:
        super().__init__(
            f"the pack {country!r} allows subscriptions, so the settings need a table "
            "[subscriptions] with confirm_within_hours, retry_after_hours, attempts and "
            "unpaid_cycles; none of them has a default"
        )
        self.country = country


class RuleBook:
    """A pack and settings together, which gives their rules at any instant.

    Rules change at local midnight only, so each day is resolved once and a few are kept.
    """

    def __init__(self, pack: RulePack, settings: Settings) -> None:
        """Put them together.

        Raises:
            SettingsForAnotherPack: the settings name another country's pack.
            SubscriptionSettingsMissing: the pack allows what they say nothing of.
        """
        if settings.pack != pack.country:
            raise SettingsForAnotherPack(settings.pack, pack.country)
        allowed = any(rule.allowed for rule in pack.contents.subscription)
        if allowed and settings.subscriptions is None:
            raise SubscriptionSettingsMissing(pack.country)
        self.pack = pack
        self.settings = settings
        self._days: dict[LocalDay, Rules] = {}

    def at(self, at: Instant) -> Rules:
        """Give the rules in force at an instant.

        Raises:
            RuleNotInForce: the pack does not reach that day.
        """
        return self.on(local_day(at, self.pack.zone))

    def on(self, day: LocalDay) -> Rules:
        """Give the rules in force on a local day.

        Raises:
            RuleNotInForce: the pack does not reach that day.
        """
        rules = self._days.get(day)
        if rules is None:
            rules = resolve_day(self.pack, self.settings, day)
            if len(self._days) >= _DAYS_KEPT:
                self._days.clear()
            self._days[day] = rules
        return rules

    def next_opening(self, at: Instant) -> datetime | None:
        """Give when solicitations are next permitted, from `at` on; none where no charter is."""
        zone = ZoneInfo(self.pack.zone)
        today = local_day(at, self.pack.zone)
        for ahead in range(_DAYS_AHEAD):
            day = today + timedelta(days=ahead)
            hours = self.on(day).solicitations
            if hours is None:
                return None
            begins = max(at, _instant(day, hours.opens, zone))
            if hours.open_today and begins < _instant(day, hours.closes, zone):
                return begins
        return None


def _instant(day: LocalDay, local: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, local, zone)


def resolve(pack: RulePack, settings: Settings, at: datetime) -> Rules:
    """Give the rules in force at an instant; see `RuleBook` for asking often.

    Raises:
        SettingsForAnotherPack: the settings name another country's pack.
        SubscriptionSettingsMissing: the pack allows what they say nothing of.
        RuleNotInForce: the pack does not reach that day.
    """
    return RuleBook(pack, settings).at(at)
