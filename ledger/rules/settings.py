"""What no rule pack can know, set for each book by whoever runs it. Nothing has a default.

A default would be a guess at somebody's contract; a missing value therefore stops the
start, with a message that says what it means and gives an example.
"""

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from ledger.facts.base import Leg
from ledger.facts.charges import Acting, CaptureEvent
from ledger.rules.schema import CapTerms, Text, Whole
from ledger.rules.toml_file import STRICT, Document, FileInvalid, ListOf, Problem, SomeOf
from ledger.rules.toml_lines import Place

_ORIGIN = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~-]+)*")
_IMPOSSIBLE: dict[Leg, frozenset[CaptureEvent]] = {
    "mo": frozenset({"smsc_accepted", "delivered"}),
    "mt": frozenset({"mo_received"}),
}


class SettingsInvalid(FileInvalid):
    """A book's settings are refused; the text names every key that is missing or wrong."""


def _origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        raise ValueError(f"{value!r} must be an address without its scheme")
    return value


class CaptureSetting(BaseModel):
    """What makes a charge captured with one operator, on one code or all, on one leg."""

    model_config = STRICT

    operator: Annotated[
        str,
        Field(
            pattern=r"^[0-9]{5,6}$",
            description="the operator's MCC and MNC; each is listed by itself",
            examples=['"20801"'],
        ),
    ]
    code: Annotated[
        str,
        Field(
            pattern=r"^([0-9]{3,8}|\*)$",
            description='the short code, or "*" for those of the operator that are not listed',
            examples=['"*"'],
        ),
    ]
    leg: Annotated[Leg, Field(description="the message that is charged", examples=['"mt"'])]
    on: Annotated[
        CaptureEvent,
        Field(description="what proves that the consumer was billed", examples=['"delivered"']),
    ]

    @model_validator(mode="after")
    def _can_happen(self) -> Self:
        if self.on in _IMPOSSIBLE[self.leg]:
            raise ValueError(f"{self.on} never happens to an {self.leg.upper()}")
        return self

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is set for."""
        return (self.operator, self.code, self.leg)


class SubscriptionSettings(BaseModel):
    """How subscriptions are confirmed, tried again and given up, where the country has them."""

    model_config = STRICT

    confirm_within_hours: Annotated[
        Whole,
        Field(
            description="for how long an offered subscription can still be confirmed",
            examples=["24"],
        ),
    ]
    retry_after_hours: Annotated[
        Whole,
        Field(
            description="how long after a failed renewal the same cycle is tried again",
            examples=["12"],
        ),
    ]
    attempts: Annotated[
        Whole,
        Field(
            description="how often at most the renewal of one cycle is tried",
            examples=["3"],
        ),
    ]
    unpaid_cycles: Annotated[
        Whole,
        Field(
            description="after how many cycles in a row without money a subscription ends",
            examples=["3"],
        ),
    ]


def _told_apart(entries: tuple[CaptureSetting, ...]) -> tuple[CaptureSetting, ...]:
    """Put captures in order, so that the file's own order makes no other settings."""
    keys = [entry.key for entry in entries]
    if twice := sorted({" ".join(key) for key in keys if keys.count(key) > 1}):
        raise ValueError(f"set more than once: {', '.join(twice)}")
    return tuple(sorted(entries, key=lambda entry: entry.key))


class Settings(BaseModel):
    """A book's settings; every one of them is required."""

    model_config = STRICT

    pack: Annotated[
        str,
        Field(
            pattern=r"^[a-z]{2}$",
            description="the country whose rule pack the book follows",
            examples=['"fr"'],
        ),
    ]
    legal_entity: Annotated[
        Text,
        Field(description="whose books these are", examples=['"Example SAS, Paris"']),
    ]
    log_origin: Annotated[
        str,
        AfterValidator(_origin),
        Field(
            description="the name of the book's transparency log, an address without scheme",
            examples=['"log.example.com/fr"'],
        ),
    ]
    acting: Annotated[
        Acting,
        Field(
            description="whether we sell in the merchant's name (agent) or our own (principal)",
            examples=['"agent"'],
        ),
    ]
    free_billing_code: Annotated[
        Text,
        Field(
            description="what tells the operators that a message costs nothing",
            examples=['"FREE"'],
        ),
    ]
    unresolved_after_hours: Annotated[
        Whole,
        Field(
            description="after how long without an answer a charge counts as unresolved",
            examples=["72"],
        ),
    ]
    keyword_rest_days: Annotated[
        int,
        Field(
            ge=0,
            description="how long a withdrawn keyword rests before another merchant gets it",
            examples=["90"],
        ),
    ]
    clock_tolerance_seconds: Annotated[
        int,
        Field(
            ge=0,
            description="how far a gateway's time may be from ours before ours is taken",
            examples=["300"],
        ),
    ]
    solicitation_limit_without_return: Annotated[
        Whole,
        Field(
            description="how often a past buyer may be solicited who does not buy again",
            examples=["2"],
        ),
    ]
    solicitation_reservation_minutes: Annotated[
        Whole,
        Field(
            description="for how long an allowance to solicit lasts that is not used",
            examples=["60"],
        ),
    ]
    spending_caps: Annotated[
        ListOf[CapTerms],
        Field(
            description="the ceilings that operators impose beside the pack's; [] for none",
            examples=[
                (
                    '[{ name = "a week", amount = "20", counted_per = "consumer_and_service", '
                    'window = { kind = "rolling", n = 1, unit = "week" } }]'
                )
            ],
        ),
    ]
    subscriptions: Annotated[
        SubscriptionSettings | None,
        Field(
            description="how subscriptions are confirmed and renewed, where the pack allows any",
            examples=[
                (
                    "{ confirm_within_hours = 24, retry_after_hours = 12, attempts = 3, "
                    "unpaid_cycles = 3 }"
                )
            ],
        ),
    ] = None
    capture: Annotated[
        SomeOf[CaptureSetting],
        Field(
            description="what captures a charge, for each operator, code and leg",
            examples=['[{ operator = "20801", code = "*", leg = "mt", on = "delivered" }]'],
        ),
        AfterValidator(_told_apart),
    ]

    def values(self) -> dict[str, Any]:
        """Give every value as plain JSON data, as `rules_adopted` records it."""
        return self.model_dump(mode="json")

    def canonical_json(self) -> str:
        """Write the values as JSON, keys in order and no space, always the same text."""
        return json.dumps(self.values(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @property
    def sha256(self) -> str:
        """The SHA-256 of the canonical JSON, hexadecimal: equal values, equal digest."""
        return sha256(self.canonical_json().encode()).hexdigest()


def load_settings(path: Path) -> Settings:
    """Read a book's settings.

    Raises:
        SettingsInvalid: a value is missing or wrong, or the file is; all are listed.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SettingsInvalid(str(path), [Problem(0, "", f"cannot be read: {error}")]) from error
    return parse_settings(raw, str(path))


def parse_settings(raw: bytes, name: str) -> Settings:
    """Check the bytes of a settings file; `name` is what to call it in messages.

    Raises:
        SettingsInvalid: a value is missing or wrong; all of them are listed.
    """
    try:
        document = Document(raw)
    except ValueError as error:
        raise SettingsInvalid(name, [Problem(0, "", f"is no TOML file: {error}")]) from error
    settings = document.validated(Settings, explain=_meaning)
    if settings is None or document.problems:
        raise SettingsInvalid(name, document.problems)
    return settings


_TABLES: dict[str, type[BaseModel]] = {
    "capture": CaptureSetting,
    "spending_caps": CapTerms,
    "subscriptions": SubscriptionSettings,
}
"""What stands within a setting that is more than one value."""


def _meaning(place: Place) -> str:
    """Say what a key is for and how it could read; nothing for a key that is not ours."""
    names = [step for step in place if isinstance(step, str)]
    model = _TABLES.get(names[0], Settings) if len(names) > 1 else Settings
    field = model.model_fields.get(names[-1]) if names[-1:] == list(place[-1:]) else None
    if field is None or not field.examples:
        return ""
    return f" ({field.description}; for example {names[-1]} = {field.examples[0]})"
