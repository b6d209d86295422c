"""What a correct ledger must end with: sums as they come about, and each thing's last state.

Sums are kept; the state of single things, of which there are millions, goes to a file at once.
The last line about a thing counts.
"""

from collections import Counter
from typing import IO, Any

from api.market.goods import Service
from api.market.parts import Parts

STATES = (
    *("pending", "pending_micros", "unresolved", "unresolved_micros", "released"),
    *("released_micros", "earned", "earned_micros", "price_micros", "tax_micros"),
)
"""What is counted of a merchant's month, as the ledger's own account of it calls that."""
_PLACE = {name: place for place, name in enumerate(STATES)}


class Truth:
    """Everything that is compared in the end."""

    def __init__(self, things: IO[str]) -> None:
        self.facts: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        """What has a name of its own: findings by kind, receipts without a message."""
        self.months: dict[tuple[str, str, str, str, str], list[int]] = {}
        """By merchant, month, code, operator and service."""
        self.balances: dict[tuple[str, str, str], list[int]] = {}
        """Debit and credit by account, party and value day."""
        self._things = things

    def thing(self, kind: str, name: str, state: str) -> None:
        """Say how one thing stands now."""
        self._things.write(f"{kind}\t{name}\t{state}\n")

    def count(self, service: Service, operator: str, month: str, moved: dict[str, int]) -> None:
        """Add to a merchant's month."""
        key = (service.merchant, month, service.code.code, operator, service.service)
        row = self.months.get(key)
        if row is None:
            row = self.months[key] = [0] * len(STATES)
        for name, number in moved.items():
            row[_PLACE[name]] += number

    def post(self, parts: Parts, operator: str, merchant: str | None, day: str) -> None:
        """Post what an operator owes us of a charge, and to whom we owe that."""
        self._side("operator_receivable_accrued", operator, day, parts.owed, 0)
        if merchant is None:
            self._side("unattributed", operator, day, 0, parts.owed)
            return
        self._side("aggregator_revenue", "", day, 0, parts.ours)
        self._side("merchant_accrued", merchant, day, 0, parts.theirs)

    def _side(self, account: str, party: str, day: str, debit: int, credit: int) -> None:
        if not debit and not credit:
            return
        row = self.balances.setdefault((account, party, day), [0, 0])
        row[0] += debit
        row[1] += credit

    def written(self) -> dict[str, Any]:
        """Give all sums as plain values, in a fixed order."""
        return {
            "facts": dict(sorted(self.facts.items())),
            "counts": dict(sorted(self.counts.items())),
            "months": [
                {
                    **dict(zip(_MONTH, key, strict=True)),
                    **dict(zip(STATES, row, strict=True)),
                }
                for key, row in sorted(self.months.items())
                if any(row)
            ],
            "balances": [
                {**dict(zip(_BALANCE, key, strict=True)), "debit": row[0], "credit": row[1]}
                for key, row in sorted(self.balances.items())
            ],
        }


_MONTH = ("merchant", "month", "short_code", "operator", "service")
_BALANCE = ("account", "party", "value_day")
