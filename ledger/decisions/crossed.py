"""The notices that fall due with a charge, whatever brought the charge about."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ledger.decisions.spending import Crossing, changes, crossings, spent
from ledger.facts.base import Fact
from ledger.facts.charges import ChargeAuthorized
from ledger.facts.notices import NoticeDue, NoticeRef
from ledger.rules.inforce import Rules
from ledger.words import derived_id


class Way(NamedTuple):
    """By which gateway and link a consumer is reached."""

    gateway: str
    smsc: str


NO_SUMS: Mapping[str, int] = MappingProxyType({})
"""Where nothing is left out: every charge begins among the facts."""


def notices_due(
    book: str,
    rules: Rules,
    made: ChargeAuthorized,
    facts: Iterable[Fact],
    way: Way,
    sums: Mapping[str, int] = NO_SUMS,
) -> list[NoticeDue]:
    """Give what falls due with a charge that was just authorized.

    `facts` are the consumer's charges and notices, this charge among them; `sums` what is not
    among them came to, in micros, by service.
    """
    facts = tuple(facts)
    everything = spent(facts)
    this = next((one for one in everything if one.charge == made.ref.charge), None)
    if this is None:
        return []  # Its message was reported as failed before we knew of it.
    earlier = _left_out(facts, sums, this.service) if sums is not NO_SUMS else 0
    found = crossings(rules.notices, this, everything, facts, earlier)
    return [_due(book, made, crossing, way) for crossing in found]


def _left_out(facts: Iterable[Fact], sums: Mapping[str, int], service: str | None) -> int:
    """Give what charges of a service come to now that began before `facts`."""
    since = sum(by for whose, by in changes(facts) if whose == service)
    return sums.get(service or "", 0) + since


def _due(book: str, made: ChargeAuthorized, crossing: Crossing, way: Way) -> NoticeDue:
    ref, name = made.ref, crossing.notice.name
    assert ref.merchant is not None
    assert ref.service is not None
    told = (book, "notice", name, ref.consumer, ref.service, crossing.threshold)
    return NoticeDue(
        ref=NoticeRef(
            notice=derived_id(*told),
            name=name,
            consumer=ref.consumer,
            gateway=way.gateway,
            smsc=way.smsc,
            merchant=ref.merchant,
            service=ref.service,
            short_code=ref.short_code,
            operator=ref.operator,
            test=ref.test,
        ),
        mo=ref.mo,
        charge=ref.charge,
        every=crossing.notice.every,
        threshold=crossing.threshold,
        crossed=crossing.crossed,
        spent=crossing.spent,
        currency=made.currency,
        occurred_at=made.occurred_at,
    )
