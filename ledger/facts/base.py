"""What every fact is made of: its base, its envelope, and the words facts share."""

from abc import abstractmethod
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

# \Z and not $, which would let a line feed stand at the end.
ShortId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
"""A name that people give: a merchant, a service, a gateway, a tariff, a contract."""

HexId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
"""A derived id: 128 bits in hexadecimal."""

Consumer = Annotated[str, Meta(pattern=r"^[0-9]+_[0-9a-f]{32}\Z")]
"""A consumer's pseudonym, `<version of the key>_<hexadecimal>`."""

ShortCode = Annotated[str, Meta(pattern=r"^[0-9]{3,8}\Z")]

Operator = Annotated[str, Meta(pattern=r"^[0-9]{5,6}\Z")]
"""A mobile operator by its MCC and MNC, such as `20801`. Source: ITU-T E.212."""

Leg = Literal["mo", "mt"]
ContentKind = Literal["text", "consent"]
"""What a data key protects; each kind has its own retention. A consent's proof outlives texts."""


class Sealed(Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """Personal content under the data key of the fact's consumer, `month` and `kind`.

    `box` is the nonce (12 bytes), then AES-256-GCM's ciphertext and tag.
    """

    month: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}\Z")]
    kind: ContentKind
    box: bytes


class Fact(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
):
    """One immutable event. Each class has a stored name of its own, never its module's path."""

    @property
    @abstractmethod
    def subject(self) -> str:
        """The id of what this fact is about; with the type and `n` it makes the fact's id."""
        raise NotImplementedError


class Draft(NamedTuple):
    """A fact that a decision wants recorded, before it is sealed and given a position.

    `n` tells apart several facts of one type about one subject. `text` is personal
    content in the clear, which the shell seals into the fact's own `text`.
    """

    fact: Fact
    n: int = 0
    exchange: str | None = None
    caused_by: str | None = None
    text: str | None = None


class Recorded(NamedTuple):
    """A fact read back, with its envelope and its place in the book.

    `position` is 0 and `recorded_at` None for a fact decided but not yet written.
    """

    book: str
    position: int
    recorded_at: datetime | None
    id: str
    exchange: str | None
    caused_by: str | None
    actor: str
    request: str | None
    fact: Fact
