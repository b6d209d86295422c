"""Personal content under lock: pseudonyms, data keys, sealing and fingerprints.

A consumer is only ever named by a pseudonym. What they wrote is sealed under a data key of
that consumer, one UTC month and one kind of retention; destroying the key forgets the
text, while the log's own bytes and hashes stay as they are.

Source: NIST SP 800-38D (GCM; a 96-bit nonce, random, few messages a key), RFC 2104 (HMAC).
"""

import hmac
import os
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.facts.base import ContentKind, Sealed
from ledger.words import framed, framed_often

KEY_BYTES = 32
NONCE_BYTES = 12
_DRAWN_AT_A_TIME = 1_024
_CIPHERS_KEPT = 8_192
"""Some batches' worth: a message's texts are sealed one after another under the same key."""


class DataKeyId(NamedTuple):
    """Which data key is meant, within a book; `month` is the UTC month, `2026-11`."""

    consumer: str
    month: str
    kind: ContentKind


class MasterKeyMissing(ValueError):
    """The master key file is not there, not readable, or not a key."""


class WrongKey(ValueError):
    """Something sealed does not open: another key sealed it, or its bytes were changed."""


class MasterKey(Protocol):
    """What wraps all other keys; a file by default, a key service behind the same two calls."""

    def wrap(self, secret: bytes, context: str) -> bytes:
        """Encrypt a key or an address; `context` must be given again to open it."""
        ...

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Decrypt what `wrap` gave.

        Raises:
            WrongKey: it was wrapped under another master key, or with another context.
        """
        ...


class FileMasterKey:
    """A master key of 256 bits in a file that only its owner can read."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def load(cls, path: Path) -> "FileMasterKey":
        """Read the key.

        Raises:
            MasterKeyMissing: there is no such file, or it does not hold 32 bytes in base64.
        """
        try:
            key = b64decode(path.read_text(encoding="ascii").strip(), validate=True)
        except (OSError, ValueError) as error:
            raise MasterKeyMissing(f"the master key {path} cannot be read: {error}") from error
        if len(key) != KEY_BYTES:
            raise MasterKeyMissing(f"the master key {path} must be {KEY_BYTES} bytes in base64")
        return cls(key)

    @classmethod
    def create(cls, path: Path) -> "FileMasterKey":
        """Draw a new key into a file of mode 0600 that must not be there yet."""
        path.parent.mkdir(parents=True, exist_ok=True)
        key = os.urandom(KEY_BYTES)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return cls(key)

    def wrap(self, secret: bytes, context: str) -> bytes:
        """Encrypt under the master key."""
        nonce = _draw(_NONCES, NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, context.encode())

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Decrypt what `wrap` gave."""
        return _open(self._cipher, wrapped, context)


def new_data_key() -> bytes:
    """Draw a data key."""
    return _draw(_KEYS, KEY_BYTES)


def utc_month(at: datetime) -> str:
    """Give the UTC month that names a data key: `2026-11`."""
    at = at if at.tzinfo is UTC else at.astimezone(UTC)
    return at.isoformat()[:7]


def sender_form(kind: str, sender: str) -> str:
    """Write a sender as it is named and compared by: the same person, the same letters.

    Spaces and a leading `+` are left out, of a number (`msisdn`) also a leading `00`. An alias is
    the operator's own and may tell capitals apart, so nothing else is touched. This is part of
    the scheme that `book_opened` names, and may never change for a book.
    """
    form = "".join(sender.split()).removeprefix("+")
    return form.removeprefix("00") if kind == "msisdn" else form


def is_national(kind: str, sender: str) -> bool:
    """Tell whether a sender is a number (`msisdn`) without its country's code.

    Source: ITU-T E.164, no country's code begins with 0.
    """
    return kind == "msisdn" and sender_form(kind, sender).startswith("0")


def pseudonym(key: bytes, version: int, *named: str) -> str:
    """Name a consumer by HMAC of the book, kind, scope and value in `named`."""
    *often, own = named
    return f"{version}_{_hmac(key, framed_often(*often) + framed(own))}"


def fingerprint(data_key: bytes, sender: str, short_code: str, text: str) -> str:
    """Fingerprint a message, so that two can be compared without either being readable.

    By the sender and not the pseudonym, whose scope may have changed when it comes again.
    """
    own = _hmac(data_key, _FOR_FINGERPRINTS).encode()
    return _hmac(own, framed(sender, short_code, text))


def seal(data_key: bytes, key_id: DataKeyId, fact: str, text: str) -> Sealed:
    """Seal a text for one fact; it opens only as that fact's.

    `fact` is the fact's id, which follows from its book too.
    """
    nonce = _draw(_NONCES, NONCE_BYTES)
    box = _cipher(data_key).encrypt(nonce, text.encode(), fact.encode())
    return Sealed(month=key_id.month, kind=key_id.kind, box=nonce + box)


def unseal(data_key: bytes, fact: str, sealed: Sealed) -> str:
    """Open a fact's text.

    Raises:
        WrongKey: the key is not the one that sealed it, or the fact is another.
    """
    return _open(_cipher(data_key), sealed.box, fact).decode()


def _open(cipher: AESGCM, box: bytes, context: str) -> bytes:
    try:
        return cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], context.encode())
    except (InvalidTag, ValueError):  # the latter where there are too few bytes for a nonce
        raise WrongKey(f"what was sealed for {context} does not open") from None


def _hmac(key: bytes, message: str) -> str:
    """Give 128 bits of HMAC-SHA-256 in hexadecimal; the message is made of framed parts."""
    return hmac.digest(key, message.encode(), "sha256").hex()[:32]


_FOR_FINGERPRINTS = framed("fingerprint")


@lru_cache(maxsize=_CIPHERS_KEPT)
def _cipher(data_key: bytes) -> AESGCM:
    return AESGCM(data_key)


_NONCES: list[bytes] = []
_KEYS: list[bytes] = []
"""Drawn beforehand, since asking the system each time takes longer than to seal."""


def _draw(drawn: list[bytes], size: int) -> bytes:
    """Give random bytes that nobody was given before, in this process or another."""
    try:
        return drawn.pop()  # one step, whichever thread takes it
    except IndexError:
        block = os.urandom(size * _DRAWN_AT_A_TIME)
    fresh = [block[at : at + size] for at in range(0, len(block), size)]
    own = fresh.pop()
    drawn += fresh
    return own


def _forget_drawn() -> None:
    _NONCES.clear()
    _KEYS.clear()


os.register_at_fork(after_in_child=_forget_drawn)
