"""The kinds of entry of a catalogue file, and the facts that each asks for."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, Field, model_validator

from api.catalogue_values import (
    Category,
    Choice,
    Currency,
    Line,
    Moment,
    Name,
    Operator,
    Percent,
    ShortCode,
    Words,
)
from ledger.decisions.catalogue import CatalogueFact
from ledger.facts import catalogue
from ledger.facts.book import GatewayDeclared
from ledger.money import Base, FixedAmount, Percentage, Share
from ledger.rules.schema import Amount
from ledger.rules.toml_file import STRICT, ListOf, SomeOf


class Entry(BaseModel):
    """One table of the file, from which facts follow."""

    model_config = STRICT
    called: ClassVar[Mapping[str, str]] = {"code": "short_code", "operators": "operator"}
    """By key of the file, the field of the fact, where the two have different names."""

    effective_from: Moment | None = None

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Give the facts that this asks for from an instant on."""
        raise NotImplementedError

    def fields(self) -> Mapping[str, str]:
        """Give the key that each of the fact's fields is written at."""
        return {self.called.get(key, key): key for key in type(self).model_fields}


class Gateway(Entry):
    """A gateway, and which operator is behind each of its links."""

    called: ClassVar = {"smscs": "operators"}

    gateway: Name
    smscs: Annotated[dict[Annotated[str, Field(min_length=1)], Operator], Field(min_length=1)]
    recycles_ids: bool
    repeat_horizon_days: Annotated[int, Field(ge=1, le=3650)]
    clock_tolerance_seconds: Annotated[int, Field(ge=0, le=86_400)]

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Declare it."""
        fact = GatewayDeclared(
            gateway=self.gateway,
            operators=self.smscs,
            recycles_ids=self.recycles_ids,
            repeat_horizon_days=self.repeat_horizon_days,
            clock_tolerance_seconds=self.clock_tolerance_seconds,
            effective_from=since,
        )
        return [fact]


class Merchant(Entry):
    """A publisher whose content is sold."""

    merchant: Name
    name: Line

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Register it."""
        return [
            catalogue.MerchantRegistered(
                merchant=self.merchant, name=self.name, effective_from=since
            )
        ]


class Code(Entry):
    """A short code, with the operators that have opened it and its free texts."""

    code: ShortCode
    operators: SomeOf[Operator]
    alias_group: Name
    dedicated_to: Name | None = None
    publisher: Line
    desk: Line
    error_text: Line
    stop_text: Line
    contact_text: Line

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Open it with each operator."""
        return [
            catalogue.ShortCodeOpened(
                short_code=self.code,
                operator=operator,
                alias_group=self.alias_group,
                dedicated_to=self.dedicated_to,
                publisher=self.publisher,
                desk=self.desk,
                error_text=self.error_text,
                stop_text=self.stop_text,
                contact_text=self.contact_text,
                effective_from=since,
            )
            for operator in self.operators
        ]


class ClosedCode(Entry):
    """A short code that operators close; the day is its own."""

    code: ShortCode
    operators: SomeOf[Operator]
    effective_from: Moment  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues] - an end needs its own day, so it is narrower here

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Close it with each operator."""
        return [
            catalogue.ShortCodeClosed(short_code=self.code, operator=operator, effective_from=since)
            for operator in self.operators
        ]


class Service(Entry):
    """What a merchant sells, and the answer that is charged."""

    service: Name
    merchant: Name
    name: Line
    category: Category
    reply_text: Line
    publisher: Line
    desk: Line
    choices: ListOf[Choice] = ()

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Declare it."""
        fact = catalogue.ServiceDeclared(
            service=self.service,
            merchant=self.merchant,
            name=self.name,
            category=self.category,
            reply_text=self.reply_text,
            publisher=self.publisher,
            desk=self.desk,
            choices=self.choices,
            effective_from=since,
        )
        return [fact]


class Keyword(Entry):
    """A keyword on a code, and the service that it leads to."""

    code: ShortCode
    keyword: Words
    service: Name
    merchant: Name

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Assign it."""
        fact = catalogue.KeywordAssigned(
            short_code=self.code,
            keyword=self.keyword,
            service=self.service,
            merchant=self.merchant,
            effective_from=since,
        )
        return [fact]


class WithdrawnKeyword(Entry):
    """A keyword that leads nowhere any more; the day is its own."""

    code: ShortCode
    keyword: Words
    effective_from: Moment  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues] - as for a closed code

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Withdraw it."""
        fact = catalogue.KeywordWithdrawn(
            short_code=self.code, keyword=self.keyword, effective_from=since
        )
        return [fact]


class Tariff(Entry):
    """What a consumer pays, tax included, on a code or on one keyword of it."""

    tariff: Name
    code: ShortCode
    keyword: Words | None = None
    price: Amount
    currency: Currency
    billing_code: Name

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Set it."""
        fact = catalogue.TariffSet(
            tariff=self.tariff,
            short_code=self.code,
            keyword=self.keyword,
            price=self.price,
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

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Agree it."""
        fact = catalogue.ContractAgreed(
            contract=self.contract,
            party="merchant",
            merchant=self.merchant,
            operator=self.operator,
            tariff=self.tariff,
            share=self.agreed,
            effective_from=since,
        )
        return [fact]
