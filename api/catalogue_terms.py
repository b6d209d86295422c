"""For how much and on which terms: the entries of a catalogue file for prices and contracts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, Self

from pydantic import model_validator

from api.catalogue_entry import Entry
from api.catalogue_values import Currency, Name, Operator, Percent, ShortCode, Words
from ledger.decisions.catalogue import CatalogueFact
from ledger.facts import catalogue
from ledger.money import Base, FixedAmount, Percentage, Share
from ledger.rules.schema import Amount

Bearer = Literal["merchant", "aggregator"]


class Tariff(Entry):
    """What a consumer pays, tax included, on a code or on one keyword of it."""

    tariff: Name
    code: ShortCode
    keyword: Words | None = None
    price: Amount
    mo_price: Amount = 0
    currency: Currency
    billing_code: Name

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Set it."""
        fact = catalogue.TariffSet(
            tariff=self.tariff,
            short_code=self.code,
            keyword=self.keyword,
            price=self.price,
            mo_price=self.mo_price,
            currency=self.currency,
            billing_code=self.billing_code,
            effective_from=since,
        )
        return [fact]


class Contract(Entry):
    """A share: a percentage of a named base, or an amount net of tax for each message."""

    contract: Name
    tariff: Name | None = None
    share: Percent | None = None
    of: Base | None = None
    amount: Amount | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        percentage = (self.share is not None, self.of is not None)
        if percentage != (self.amount is None,) * 2:
            raise ValueError(
                'needs either share and of (share = "50 %", of = "price_net_of_tax") '
                'or amount (amount = "0.02")'
            )
        return self

    def fields(self) -> Mapping[str, str]:
        """Give the key that each of the fact's fields is written at."""
        return {**super().fields(), "share": "amount" if self.share is None else "share"}

    @property
    def agreed(self) -> Share:
        """The share, as facts hold it."""
        if self.share is not None and self.of is not None:
            return Percentage(self.share, self.of)
        assert self.amount is not None
        return FixedAmount(self.amount)


class OperatorContract(Contract):
    """What an operator owes us of each charge, net of tax: the reversement."""

    operator: Operator

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Agree it."""
        fact = catalogue.ContractAgreed(
            contract=self.contract,
            party="operator",
            operator=self.operator,
            tariff=self.tariff,
            share=self.agreed,
            effective_from=since,
        )
        return [fact]


class MerchantContract(Contract):
    """What we owe a merchant of each charge."""

    merchant: Name
    operator: Operator | None = None
    refunds_borne_by: Bearer = "aggregator"
    unpaid_borne_by: Bearer = "aggregator"

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Agree it."""
        fact = catalogue.ContractAgreed(
            contract=self.contract,
            party="merchant",
            merchant=self.merchant,
            operator=self.operator,
            tariff=self.tariff,
            share=self.agreed,
            refunds_borne_by=self.refunds_borne_by,
            unpaid_borne_by=self.unpaid_borne_by,
            effective_from=since,
        )
        return [fact]
