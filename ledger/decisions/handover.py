"""A pushed message on its way to its gateway, which takes it, refuses it, or keeps silent.

No gateway notices that a message comes a second time. So each attempt is recorded before it is
made, and until the gateway answers nobody knows whether it came. A message is offered again only
where the last attempt was certainly refused.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from ledger.decisions.finding import about_message, finding_id, opened
from ledger.decisions.outbound import ATTEMPTS, IN_DOUBT, all_pushed, due_at
from ledger.decisions.recall import cancel, charge_on, forbidden
from ledger.decisions.story import Known
from ledger.facts.base import Draft, Recorded
from ledger.facts.findings import FindingOpened
from ledger.facts.handover import MtHandedOver, MtHandoverRefused, MtHandoverUnknown
from ledger.facts.registry import fact_id
from ledger.facts.traffic import MtEmitted


def offer(history: Sequence[Recorded], mt: str, known: Known, now: datetime) -> list[Draft]:
    """Decide whether a message is offered to its gateway now, by claiming the attempt.

    `history` has all facts of the message and its charge, what the consumer stopped since, its
    subscription's life, and its allowance. What must not go out any more is cancelled.
    """
    facts = [one.fact for one in history]
    pushed = all_pushed(facts).get(mt)
    if pushed is None:
        return []
    reason = forbidden(pushed, facts, known, now) if pushed.can_be_kept else None
    if reason is not None:
        return of_its_chain(cancel(pushed, facts, reason, now, known.rules.zone), history, mt)
    due = due_at(pushed.state, pushed.attempts, pushed.since)
    if due is None or due > now:
        return []
    attempt = pushed.attempts + 1
    claim = MtHandoverUnknown(ref=pushed.emitted.ref, attempt=attempt, occurred_at=now)
    return of_its_chain([Draft(claim, n=attempt)], history, mt)


def taken(
    history: Sequence[Recorded], mt: str, attempt: int, raw_status: str, now: datetime
) -> list[Draft]:
    """Record that the gateway took a message at this attempt; once."""
    pushed = all_pushed(one.fact for one in history).get(mt)
    if pushed is None or attempt > pushed.attempts or _is_told(history, mt, attempt):
        return []
    fact = MtHandedOver(
        ref=pushed.emitted.ref,
        attempt=attempt,
        raw_status=raw_status,
        occurred_at=max(now, pushed.emitted.occurred_at),
    )
    return of_its_chain([Draft(fact, n=attempt)], history, mt)


def not_taken(
    history: Sequence[Recorded], mt: str, attempt: int, raw_status: str, at: tuple[datetime, str]
) -> list[Draft]:
    """Record that the gateway certainly refused this attempt; after the last one, give up.

    `at` is the instant and the book's zone. Nothing follows where the message is no longer in
    doubt: a receipt has proved that it came.
    """
    now, zone = at
    facts = [one.fact for one in history]
    pushed = all_pushed(facts).get(mt)
    if pushed is None or (pushed.state, pushed.attempts) != ("unknown", attempt):
        return []
    refused = MtHandoverRefused(
        ref=pushed.emitted.ref,
        attempt=attempt,
        raw_status=raw_status,
        occurred_at=max(now, pushed.since),
    )
    drafts = [Draft(refused, n=attempt)]
    pushed = pushed.after(refused)
    if pushed.attempts >= ATTEMPTS:
        drafts += cancel(pushed, facts, "never_taken", now, zone)
    return of_its_chain(drafts, history, mt)


def doubt(history: Sequence[Recorded], mt: str, book: str, now: datetime) -> list[Draft]:
    """Open a finding for a charged message whose handover has been unknown for too long; once."""
    facts = [one.fact for one in history]
    pushed = all_pushed(facts).get(mt)
    if pushed is None or not pushed.charged or pushed.state != "unknown":
        return []
    since, finding = pushed.since + IN_DOUBT, finding_id(book, "handover_unknown", mt)
    known = any(isinstance(fact, FindingOpened) and fact.finding == finding for fact in facts)
    if known or since > now:
        return []
    charge = charge_on(pushed, facts)
    amount = charge.authorized.amounts.price if charge else None
    currency = charge.authorized.currency if charge else None
    about = about_message(pushed.emitted.ref, amount, currency)
    fact = opened(book, "handover_unknown", mt, about, since)
    return of_its_chain([Draft(fact)], history, mt)


def _is_told(history: Iterable[Recorded], mt: str, attempt: int) -> bool:
    """Tell whether the outcome of an attempt is recorded."""
    return any(
        isinstance(one.fact, MtHandedOver | MtHandoverRefused)
        and (one.fact.ref.mt, one.fact.attempt) == (mt, attempt)
        for one in history
    )


def of_its_chain(drafts: Iterable[Draft], history: Iterable[Recorded], mt: str) -> list[Draft]:
    """Put facts into the chain of their message, each caused by the one before it."""
    emitted = next(
        one for one in history if isinstance(one.fact, MtEmitted) and one.fact.ref.mt == mt
    )
    cause, chained = emitted.id, list[Draft]()
    for draft in drafts:
        chained.append(draft._replace(exchange=emitted.exchange, caused_by=cause))
        cause = fact_id(emitted.book, type(draft.fact), draft.fact.subject, draft.n)
    return chained
