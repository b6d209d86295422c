"""Writes what a shop sells as the catalogue file that `obole catalogue load` reads."""

from collections.abc import Iterable, Iterator

from api.market.goods import Code, Operator, Service, Share, Shop

Flat = str | int | tuple[str, ...]
Table = dict[str, Flat | dict[str, Flat]]

_BASES = {"net": "price_net_of_tax", "reversement": "reversement"}
SINCE = "2026-01-01"
TOLERANCE_SECONDS = 300
"""How far a message's own time may lie before its arrival."""


def written(shop: Shop) -> str:
    """Write the file; the same shop gives the same bytes."""
    lines = [f'book = "{shop.book}"', f"effective_from = {SINCE}", ""]
    for name, table in _tables(shop):
        lines.append(f"[[{name}]]")
        own = {key: value for key, value in table.items() if not isinstance(value, dict)}
        lines += [f"{key} = {_value(value)}" for key, value in own.items()]
        for key, value in table.items():
            if isinstance(value, dict):
                lines.append(f"[{name}.{key}]")
                lines += [f"{inner} = {_value(one)}" for inner, one in value.items()]
        lines.append("")
    return "\n".join(lines)


def _value(value: Flat) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    return f'"{value}"'


def _tables(shop: Shop) -> Iterator[tuple[str, Table]]:
    yield from _sellers(shop)
    yield from _sold(shop)
    yield from _contracts(shop)


def _sellers(shop: Shop) -> Iterator[tuple[str, Table]]:
    for gateway in (shop.gateway, shop.other_gateway):
        yield "gateways", _gateway(gateway, shop.operators)
    for merchant in shop.merchants:
        name = f"Merchant {merchant.merchant} (fictional)"
        yield "merchants", {"merchant": merchant.merchant, "name": name}
    for code in shop.codes:
        yield "codes", _code(code, shop.operators)


def _sold(shop: Shop) -> Iterator[tuple[str, Table]]:
    for service in shop.services:
        yield "services", _service(service)
    for service in shop.services:
        for keyword in service.keywords:
            yield "keywords", _keyword(service, keyword)
    for code in shop.codes:
        yield "tariffs", _tariff(code)


def _gateway(name: str, operators: Iterable[Operator]) -> Table:
    return {
        "gateway": name,
        "recycles_ids": False,
        "repeat_horizon_days": 7,
        "clock_tolerance_seconds": TOLERANCE_SECONDS,
        "smscs": {one.link: one.operator for one in operators},
    }


def _code(code: Code, operators: Iterable[Operator]) -> Table:
    table: Table = {
        "code": code.code,
        "operators": tuple(one.operator for one in operators),
        "alias_group": code.group,
        "publisher": "Market",
        "desk": "01 99 00 00 00",
        "error_text": "Unknown at {code}. Free. Help: CONTACT to {code}.",
        "stop_text": "STOP {code}: no more messages. Free.",
        "contact_text": "{code} is published by {publisher}, desk {desk}.",
        "notice_text": "{service}: {price} a message, so far {spent}. STOP to {code}.",
    }
    return table if code.dedicated_to is None else table | {"dedicated_to": code.dedicated_to}


def _service(service: Service) -> Table:
    table: Table = {
        "service": service.service,
        "merchant": service.merchant,
        "name": f"Service {service.service}",
        "category": service.category,
        "reply_text": "{service}: {price}, {code}",
        "publisher": f"Merchant {service.merchant}",
        "desk": "01 99 00 00 01",
    }
    if service.choices:
        table["choices"] = service.choices
    if service.window_seconds:
        table["duplicate_window_seconds"] = service.window_seconds
    if service.every is not None:
        table["subscription"] = {
            "every": service.every.n,
            "unit": service.every.unit,
            "offer_text": "{service}: {price} every {every}. Agree? Send {confirm} to {code}.",
        }
    return table


def _keyword(service: Service, keyword: str) -> Table:
    return {
        "code": service.code.code,
        "keyword": keyword,
        "service": service.service,
        "merchant": service.merchant,
    }


def _tariff(code: Code) -> Table:
    table: Table = {"tariff": code.tariff, "code": code.code, "price": _amount(code.price)}
    if code.bills_messages:
        table["mo_price"] = _amount(code.mo_price)
    billing = f"B{code.price // 10_000}" if code.price else "FREE"
    return table | {"currency": "EUR", "billing_code": billing}


def _contracts(shop: Shop) -> Iterator[tuple[str, Table]]:
    for one in shop.operators:
        yield (
            "operator_contracts",
            {"contract": f"o-{one.operator}", "operator": one.operator, **_share(one.share)},
        )
    for (operator, tariff), share in shop.particular.items():
        contract = f"o-{operator}-{tariff}"
        yield (
            "operator_contracts",
            {"contract": contract, "operator": operator, "tariff": tariff, **_share(share)},
        )
    for merchant in shop.merchants:
        contract = f"m-{merchant.merchant}"
        yield (
            "merchant_contracts",
            {"contract": contract, "merchant": merchant.merchant, **_share(merchant.share)},
        )


def _share(share: Share) -> dict[str, Flat]:
    if share.of == "fixed":
        return {"amount": _amount(share.amount)}
    percent, hundredths = divmod(share.amount, 100)
    return {"share": f"{percent}.{hundredths:02} %", "of": _BASES[share.of]}


def _amount(micros: int) -> str:
    euros, rest = divmod(micros, 1_000_000)
    return f"{euros}.{rest:06}"
