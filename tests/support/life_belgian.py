"""A Belgian book in memory on which subscriptions live and both legs are charged: its inputs.

A model's names for charges, messages and findings stand for their ids, which are derived.
"""

from collections.abc import Mapping
from typing import Any

from ledger.commands.findings import close_finding
from ledger.commands.subscriptions import renew_subscription, stop_subscription
from ledger.decisions.charging import charge_id
from ledger.decisions.finding import finding_id
from ledger.decisions.pushed import pushed_mt_id
from ledger.decisions.story import mo_id, mt_id
from ledger.words import derived_id
from tests.support.book import ORIGIN, Book
from tests.support.builders import BOOK
from tests.support.life_cycles import Subscription
from tests.support.life_desk import ONE_DAY, Step
from tests.support.life_model import GATEWAY
from tests.support.life_sales import Who
from tests.support.life_subscribed import Subscribed
from tests.support.subscribers import ChangedBelgian, subscribers

PEOPLE = (Who("32470000001", "proximus"), Who("32470000002", "proximus"))


def opened() -> Book:
    """Open the book: what may be spent in a day is limited, and no notices are sent."""
    return subscribers(rules=ChangedBelgian(caps=(ONE_DAY,), notices=()))


def subscription_id(name: str) -> str:
    """Give the id of the subscription that a message asked for."""
    return derived_id(BOOK, "subscription", mo_id(BOOK, GATEWAY, name))


def charge_of(name: str) -> str:
    """Give the id of a charge: of a leg, of a day's cycle, or of what was billed again."""
    if name.endswith(" again"):
        return derived_id(BOOK, "charge", mt_of(name.removesuffix(" again")), "billed again")
    message, _, what = name.partition(" ")
    if what in {"mo", "mt"}:
        return charge_id(BOOK, mo_id(BOOK, GATEWAY, message), "mo" if what == "mo" else "mt")
    return charge_id(BOOK, f"{subscription_id(message)}/{what}", "mt")


def mt_of(name: str) -> str:
    """Give the id of an answer, or of the message of a cycle's attempt."""
    charge, _, attempt = name.partition(" #")
    if attempt:
        return pushed_mt_id(BOOK, charge_of(charge), "renewal", int(attempt))
    return mt_id(BOOK, mo_id(BOOK, GATEWAY, name))


def finding_of(finding: tuple[str, str]) -> str:
    """Give the id of a finding by its kind, and the charge or message that it is about."""
    kind, about = finding
    if kind == "billed_twice":
        return finding_id(BOOK, kind, mt_of(about.removesuffix(" again")))
    return finding_id(BOOK, kind, charge_of(about))  # type: ignore[arg-type]


def renewing(one: Subscription) -> Step:
    """Make a step of a scheduler that asks for a renewal."""
    name = subscription_id(one.name)
    return lambda book: book.run(renew_subscription(book.desk, name, ORIGIN, book.clock.now))


def ending(one: Subscription) -> Step:
    """Make a step of a merchant that ends a subscription."""
    name = subscription_id(one.name)

    def step(book: Book) -> str:
        now = book.clock.now
        book.run(stop_subscription(book.desk, name, "merchant", "asked", ORIGIN, now))
        return "ended"

    return step


def closing(finding: tuple[str, str], how: str) -> Step:
    """Make a step of a person who closes a finding: `resolved` or `no_fault`."""

    def step(book: Book) -> str:
        said = how, "looked at"
        now = book.clock.now
        book.run(close_finding(book.desk, finding_of(finding), said, ORIGIN, now))  # type: ignore[arg-type]
        return "closed"

    return step


def findings(tables: Mapping[str, Mapping[Any, Any]]) -> dict[str, str | None]:
    """Show each finding: how it was closed, if it was."""
    return {
        name: one.closed and one.closed.how + " by a person" * (one.closed.note == "looked at")
        for name, one in tables["findings"].items()
    }


def subscribed(tables: Mapping[str, Mapping[Any, Any]]) -> dict[str, bool]:
    """Show each subscription that began, and whether it goes on."""
    return {
        name: one.stopped is None
        for name, one in tables["subscriptions"].items()
        if one.started_at is not None
    }


def unlike_subscribed(tables: Mapping[str, Mapping[Any, Any]], model: Subscribed) -> list[str]:
    """Give where findings and subscriptions differ from what a model tells."""
    told = {finding_of(one): how for one, how in model.findings.items()}
    live = {
        subscription_id(one.name): one.state == "live"
        for one in model.subscriptions
        if one.started is not None
    }
    pairs = {
        "findings": (findings(tables), told),
        "subscriptions": (subscribed(tables), live),
    }
    return [f"{what}: {one} for {other}" for what, (one, other) in pairs.items() if one != other]
