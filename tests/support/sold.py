"""How much the demonstration sells, counted in its file and not by what loads it."""

import tomllib

from tests.support.cli import CATALOGUE

SOLD = tomllib.loads(CATALOGUE.read_text())
CODES = sum(len(code["operators"]) for code in SOLD["codes"])
"""A code is opened at each operator by itself."""
CONTRACTS = len(SOLD["operator_contracts"]) + len(SOLD["merchant_contracts"])
RECORDED = {
    "gateway_declared.v1": len(SOLD["gateways"]),
    "merchant_registered.v1": len(SOLD["merchants"]),
    "short_code_opened.v1": CODES,
    "service_declared.v1": len(SOLD["services"]),
    "keyword_assigned.v1": len(SOLD["keywords"]),
    "tariff_set.v1": len(SOLD["tariffs"]),
    "contract_agreed.v1": CONTRACTS,
}
"""The facts that loading it records, by type."""
FACTS = sum(RECORDED.values())


def named(kind: str, field: str) -> list[str]:
    """Give what one list of the file names, in order."""
    return sorted(one[field] for one in SOLD[kind])
