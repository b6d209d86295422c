"""The first facts of a book: that it is open, and by which rules it decides."""

from datetime import datetime

from ledger.catalogue import Catalogue
from ledger.facts.base import Draft
from ledger.facts.book import BookOpened, RulesAdopted
from ledger.rules.pack import RulePack
from ledger.rules.settings import Settings

PSEUDONYM_SCHEME = "hmac-sha256-128/v1"
"""HMAC-SHA-256 of (book, kind, scope, value), its first 128 bits; see `pseudonym` and
`sender_form` in `ledger.vault`."""


def open_book(
    book: str, known: Catalogue, pack: RulePack, settings: Settings, now: datetime
) -> list[Draft]:
    """Decide to open a book and adopt its rules; what was done before is not done again.

    Rules that were adopted earlier and replaced since are adopted anew, under a count of
    their own.
    """
    drafts: list[Draft] = []
    if known.book is None:
        opened = BookOpened(
            book=book,
            jurisdiction=pack.country.upper(),
            legal_entity=settings.legal_entity,
            currency=pack.contents.currency,
            zone=pack.zone,
            log_origin=settings.log_origin,
            pseudonym_scheme=PSEUDONYM_SCHEME,
            occurred_at=now,
        )
        drafts.append(Draft(opened))
    adopted = RulesAdopted(
        pack=pack.country,
        pack_sha256=pack.sha256,
        settings_sha256=settings.sha256,
        settings=settings.values(),
        pack_toml=pack.toml,
        occurred_at=now,
    )
    earlier = [one.fact.subject for one in known.rules]
    if earlier[-1:] != [adopted.subject]:
        drafts.append(Draft(adopted, n=earlier.count(adopted.subject)))
    return drafts
