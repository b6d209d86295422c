"""Says of an export what it holds, under which rules, and how its bytes are read and checked."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from ledger.decisions.exported import Scope
from ledger.facts.base import Recorded
from ledger.facts.book import BookOpened, RulesAdopted
from ledger.words import instant_text

FORMAT = "obole-audit-export/v1"

_FACTS = (
    "One fact a line, in order of position. The value of `data` is the last of its line, and its "
    "bytes are those that are stored and hashed: they begin after the first occurrence of "
    '`,"data":` and end before the final `}`. The entry of a fact is these, a line feed between: '
    "obole/v1, book, position, recorded_at, type, tags with one space between, data. SHA-256 of a "
    "zero byte and the entry is `leaf_sha256` in facts.csv. Amounts within data are whole "
    "millionths of the currency."
)
_TABLE = (
    "The same facts as a table, without any text. A cell that a spreadsheet could take for a "
    "formula has an apostrophe before the sign; facts.jsonl alone is verbatim. The amount is the "
    "price, tax included."
)
_SEALED = (
    "What people wrote, and their numbers, are personal. Such texts stand in data as `text` = "
    "[month, kind, box]; the box is AES-256-GCM ciphertext under a key that is kept apart from "
    "the log, so that a person can be forgotten without a fact being changed. No key is part of "
    "an export. Who may read a text asks the ledger for the exchange, and that is recorded."
)
_CONSUMERS = (
    "Consumers stand under pseudonyms. Where the operator gives an alias in the place of a "
    "number, the alias is what is known: a ported number comes as a new consumer."
)
_BY_TAG = (
    "Chosen by the tag {tag}: facts that name another consumer or no code are not here. That "
    "nothing of the scope was left out cannot be proved from these files alone; proofs of "
    "completeness come with the seal."
)


class Contents(NamedTuple):
    """What an export is made of, as far as its manifest tells it."""

    opened: BookOpened
    scope: Scope
    after_position: int
    through_position: int
    through_recorded_at: datetime
    types: Mapping[str, int]
    adopted: Sequence[Recorded]


class File(NamedTuple):
    """One file's bytes, as they are checked."""

    sha256: str
    bytes: int


def rule_files(adopted: Iterable[Recorded]) -> dict[str, bytes]:
    """Give the packs and settings that were adopted as files, by their path in the export."""
    files: dict[str, bytes] = {}
    for one in adopted:
        fact = one.fact
        assert isinstance(fact, RulesAdopted)
        pack, settings = _paths(fact)
        files[settings] = _json(fact.settings)
        if pack is not None and fact.pack_toml is not None:
            files[pack] = fact.pack_toml.encode()
    return files


def manifest(contents: Contents, files: Mapping[str, File]) -> bytes:
    """Write the manifest; of the same facts it is the same, byte for byte."""
    opened, scope = contents.opened, contents.scope
    return _json(
        {
            "format": FORMAT,
            "book": {
                "name": opened.book,
                "jurisdiction": opened.jurisdiction,
                "legal_entity": opened.legal_entity,
                "currency": opened.currency,
                "zone": opened.zone,
                "log_origin": opened.log_origin,
            },
            "scope": {
                "first_day": scope.first_day.isoformat(),
                "last_day": scope.last_day.isoformat(),
                "days": "local days of the book's zone by recorded_at, both included",
                "short_code": scope.short_code,
                "consumer": scope.consumer,
            },
            "complete": {
                "after_position": contents.after_position,
                "through_position": contents.through_position,
                "recorded_at": instant_text(contents.through_recorded_at),
            },
            "facts": {
                "count": sum(contents.types.values()),
                "by_type": dict(sorted(contents.types.items())),
            },
            "rules": [_rules(one) for one in contents.adopted],
            "files": {name: file._asdict() for name, file in sorted(files.items())},
            "notes": _notes(scope),
        }
    )


def _rules(adopted: Recorded) -> dict[str, Any]:
    fact = adopted.fact
    assert isinstance(fact, RulesAdopted)
    pack, settings = _paths(fact)
    missing = "the book's fact does not hold this pack's text, which is known by its hash alone"
    return {
        "adopted_at_position": adopted.position,
        "pack": fact.pack,
        "pack_sha256": fact.pack_sha256,
        "pack_file": pack,
        "pack_missing": missing if pack is None else None,
        "settings_sha256": fact.settings_sha256,
        "settings_file": settings,
    }


def _paths(fact: RulesAdopted) -> tuple[str | None, str]:
    """Give where an adoption's pack and settings stand; none for a pack that is not the one hashed.

    The log itself may be wrong: a text that is not the one of its hash must not pass for it.
    """
    text = fact.pack_toml
    whole = text is not None and sha256(text.encode()).hexdigest() == fact.pack_sha256
    pack = f"rules/{fact.pack_sha256}.toml" if whole else None
    return pack, f"settings/{fact.settings_sha256}.json"


def _notes(scope: Scope) -> dict[str, str]:
    notes = {
        "facts.jsonl": _FACTS,
        "facts.csv": _TABLE,
        "settings": "The values as adopted; the name is the hash that the fact gives them.",
        "sealed": _SEALED,
        "consumers": _CONSUMERS,
    }
    wanted = [
        f"{kind}:{value}"
        for kind, value in (("consumer", scope.consumer), ("code", scope.short_code))
        if value
    ]
    return notes | ({"scope": _BY_TAG.format(tag=" and ".join(wanted))} if wanted else {})


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
