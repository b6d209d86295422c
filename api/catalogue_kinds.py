"""Who sells what and where: the entries of a catalogue file, and the facts that each asks for."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field

from api.catalogue_entry import Entry
from api.catalogue_values import (
    Category,
    Choice,
    Line,
    Moment,
    Name,
    Operator,
    Sender,
    ShortCode,
    Words,
)
from ledger.commands.numbers import NumberWanted
from ledger.decisions.catalogue import CatalogueFact
from ledger.facts import catalogue
from ledger.facts.book import GatewayDeclared
from ledger.rules.toml_file import STRICT, ListOf, SomeOf
from ledger.spans import Period


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
    notice_text: Line | None = None

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
                notice_text=self.notice_text or "",
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


class Offer(BaseModel):
    """That a service is sold as a subscription: `every = 1, unit = "month"`, and its offer."""

    model_config = STRICT

    every: Annotated[int, Field(ge=1, le=366)]
    unit: Literal["day", "week", "month"]
    offer_text: Line

    @property
    def agreed(self) -> catalogue.SubscriptionOffer:
        """The offer, as facts hold it."""
        every = Period(self.every, self.unit)
        return catalogue.SubscriptionOffer(every=every, offer_text=self.offer_text)


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
    duplicate_window_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0
    subscription: Offer | None = None

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
            duplicate_window_seconds=self.duplicate_window_seconds,
            subscription=self.subscription.agreed if self.subscription else None,
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


class SuspendedService(Entry):
    """A service that sells nothing any more until it is resumed; the day is its own."""

    service: Name
    merchant: Name
    reason: Line
    effective_from: Moment  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues] - as for a closed code

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Suspend it."""
        fact = catalogue.ServiceSuspended(
            service=self.service, merchant=self.merchant, reason=self.reason, effective_from=since
        )
        return [fact]


class ResumedService(Entry):
    """A suspended service that sells again; the day is its own."""

    service: Name
    merchant: Name
    effective_from: Moment  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues] - as for a closed code

    def facts(self, since: datetime) -> Sequence[CatalogueFact]:
        """Resume it."""
        fact = catalogue.ServiceResumed(
            service=self.service, merchant=self.merchant, effective_from=since
        )
        return [fact]


class TestNumber(Entry):
    """A number whose messages earn nobody anything; it is recorded by its pseudonym alone."""

    operator: Operator
    code: ShortCode
    sender: Sender
    label: Line

    def wanted(self, since: datetime, place: str, fields: Mapping[str, str]) -> NumberWanted:
        """Ask for it from an instant on."""
        return NumberWanted(
            operator=self.operator,
            short_code=self.code,
            sender=self.sender,
            label=self.label,
            effective_from=since,
            place=place,
            fields=fields,
        )
