"""What the examples of facts are made of: one consumer, code, message and charge."""

from datetime import UTC, date, datetime

from ledger.facts.base import Sealed
from ledger.facts.charges import ChargeRef
from ledger.facts.traffic import MtRef
from ledger.money import Waterfall

AT = datetime(2026, 7, 31, 21, 59, 50, 123456, tzinfo=UTC)
DAY = date(2026, 7, 31)
MO, MT, CHARGE, FACT, PRINT = (digit * 32 for digit in "12345")
SHA = "ab" * 32
CONSUMER = "1_" + "c" * 32
SEALED = Sealed(month="2026-07", kind="text", box=bytes(range(40)))
AMOUNTS = Waterfall(
    price=3_000_000, tax=500_000, operator=1_250_000, aggregator=250_000, merchant=1_000_000
)
WHERE = {"consumer": CONSUMER, "short_code": "81014", "operator": "20801"}
SOLD = {"merchant": "ludotel", "service": "quiz"}
MT_REF = MtRef(mt=MT, mo=MO, gateway="kannel", charge=CHARGE, **WHERE, **SOLD)
FREE_REF = MtRef(mt=MT, mo=MO, gateway="kannel", **WHERE)
CHARGE_REF = ChargeRef(
    charge=CHARGE,
    leg="mt",
    mo=MO,
    category="content",
    keyword="JEU",
    tariff="t-81014",
    tariff_version=FACT,
    operator_contract=FACT,
    merchant_contract=FACT,
    rules=FACT,
    acting="agent",
    **WHERE,
    **SOLD,
)
MOVED = {"ref": CHARGE_REF, "amounts": AMOUNTS, "currency": "EUR"}
LEFT = {**MOVED, "authorized_day": DAY, "value_day": date(2026, 8, 1)}
STATED = "2026-07-31T20:00:00+00:00"
