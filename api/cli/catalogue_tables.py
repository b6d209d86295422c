"""The catalogue as tables for people."""

from api.catalogue_shown import Shown

Rows = list[tuple[object, ...]]


def tables(found: Shown) -> list[tuple[str, tuple[str, ...], Rows]]:
    """Lay out what is in force: each table's title, its columns, and its rows."""
    keywords = [(one.short_code, one.keyword, one.service, one.merchant) for one in found.keywords]
    codes = [(one.short_code, one.operator, one.dedicated_to, one.publisher) for one in found.codes]
    numbers = [(one.consumer, one.label) for one in found.test_numbers]
    of_prices = ("=tariff", "=code", "=keyword", "#message", "#answer", "=currency")
    return [
        ("Codes", ("=code", "=operator", "=dedicated to", "publisher"), [*codes]),
        ("Services", ("=service", "=merchant", "=category", "every", "state"), _services(found)),
        ("Keywords", ("=code", "=keyword", "=service", "=merchant"), [*keywords]),
        ("Prices, tax included", of_prices, _prices(found)),
        ("Terms", ("=contract", "=with", "=only", "=share", "of"), _terms(found)),
        ("Numbers to test with", ("=consumer", "label"), [*numbers]),
    ]


def _services(found: Shown) -> Rows:
    return [
        (
            one.service,
            one.merchant,
            one.category,
            one.subscription and f"{one.subscription.every} {one.subscription.unit}",
            "suspended" if one.suspended else "sells",
        )
        for one in found.services
    ]


def _prices(found: Shown) -> Rows:
    return [
        (
            one.tariff,
            one.short_code,
            one.keyword,
            one.mo_price.amount,
            one.price.amount,
            one.price.currency,
        )
        for one in found.tariffs
    ]


def _terms(found: Shown) -> Rows:
    return [
        (
            one.contract,
            one.merchant or one.operator,
            " ".join(filter(None, (one.operator if one.merchant else None, one.tariff))),
            one.amount.amount if one.amount else one.share,
            "each message" if one.amount else one.of,
        )
        for one in found.contracts or ()
    ]
