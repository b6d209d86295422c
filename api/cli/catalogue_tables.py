"""The catalogue as tables for people."""

from api.catalogue_shown import Shown

Rows = list[tuple[object, ...]]


def tables(found: Shown) -> list[tuple[str, tuple[str, ...], Rows]]:
    """Lay out what is in force: each table's title, its columns, and its rows."""
    return [
        (
            "Codes",
            ("=code", "=operator", "=dedicated to", "publisher"),
            [
                (one.short_code, one.operator, one.dedicated_to, one.publisher)
                for one in found.codes
            ],
        ),
        (
            "Services",
            ("=service", "=merchant", "=category", "every", "state"),
            [
                (
                    one.service,
                    one.merchant,
                    one.category,
                    one.subscription and f"{one.subscription.every} {one.subscription.unit}",
                    "suspended" if one.suspended else "sells",
                )
                for one in found.services
            ],
        ),
        (
            "Keywords",
            ("=code", "=keyword", "=service", "=merchant"),
            [(one.short_code, one.keyword, one.service, one.merchant) for one in found.keywords],
        ),
        (
            "Prices, tax included",
            ("=tariff", "=code", "=keyword", "#message", "#answer", "=currency"),
            [
                (
                    one.tariff,
                    one.short_code,
                    one.keyword,
                    one.mo_price.amount,
                    one.price.amount,
                    one.price.currency,
                )
                for one in found.tariffs
            ],
        ),
        ("Terms", ("=contract", "=with", "=only", "=share", "of"), _terms(found)),
        (
            "Numbers to test with",
            ("=consumer", "label"),
            [(one.consumer, one.label) for one in found.test_numbers],
        ),
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
