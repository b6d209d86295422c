"""How messages are pushed to each gateway: a file of its own, for it holds their passwords.

`gateways.toml` stands beside the folder of settings, or where OBOLE_GATEWAYS says. A table for
each gateway, `[<book>.<gateway>]`. Without the file nothing is pushed, and the outbox waits.
"""

import logging
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, RootModel, SecretStr

from ledger.catalogue import Catalogue
from ledger.rules.toml_file import STRICT, Document, FileInvalid, Problem

_log = logging.getLogger(__name__)
_OTHERS = 0o077
"""What a file's group and everybody else may do."""
_SECRETS = frozenset({"password", "receipt_key"})


NOT_PUSHED = "no gateways.toml says how gateways are reached, so nothing is pushed to them"
"""What people are told where the file is missing."""


class GatewaysInvalid(FileInvalid):
    """The file of gateways is refused; the text names every key that is missing or wrong."""


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise ValueError("must be an http or https address, without a name or password in it")
    return value.rstrip("/")


def _secret(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise ValueError("must not be empty")
    return value


Web = Annotated[str, AfterValidator(_web_address)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]


class Sendsms(BaseModel):
    """How one Kannel takes messages: its smsbox's `sendsms`, and where receipts come back to."""

    model_config = STRICT

    url: Web
    """Such as http://127.0.0.1:13013/cgi-bin/sendsms."""
    username: Annotated[str, Field(min_length=1)]
    password: Secret
    receipt_key: Secret
    """A key of ours with the role of this gateway, for the receipts."""
    public_url: Web
    """How the gateway reaches our API."""


Gateways = Mapping[str, Mapping[str, Sendsms]]
"""By book, then by gateway."""


class _File(RootModel[dict[str, dict[str, Sendsms]]]):
    """The whole file."""


def load_gateways(books: Collection[str], environ: Mapping[str, str] = os.environ) -> Gateways:
    """Read how messages are pushed, for `books`; nothing where there is no such file.

    Raises:
        GatewaysInvalid: a value is missing or wrong, or a book is unknown; each is named.
    """
    path = gateways_file(environ)
    if path is None:
        return {}
    if path.stat().st_mode & _OTHERS:
        _log.warning("OTHERS CAN READ THE GATEWAYS' PASSWORDS: chmod 600 %s", path)
    return read_gateways(path.read_bytes(), str(path), books)


def read_gateways(raw: bytes, name: str, books: Collection[str]) -> Gateways:
    """Read the file's contents; `name` is what a mistake is told of.

    Raises:
        GatewaysInvalid: as `load_gateways`.
    """
    try:
        document = Document(raw)
    except ValueError as error:
        raise GatewaysInvalid(name, [Problem(0, "", str(error))]) from error
    found = document.validated(_File)
    problems = [_without_secrets(one) for one in document.problems]
    if found is not None:
        strangers = {book: found.root[book] for book in found.root if book not in books}
        problems += [_unknown(document, *stranger, books) for stranger in strangers.items()]
    if problems or found is None:
        raise GatewaysInvalid(name, problems)
    return found.root


def gateways_file(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Give where the file is; none where there is none, so that nothing is pushed.

    Raises:
        GatewaysInvalid: OBOLE_GATEWAYS names a file that is not there.
    """
    named = environ.get("OBOLE_GATEWAYS")
    if named:
        path = Path(named)
        if not path.exists():
            problem = Problem(0, "", "is not there, and OBOLE_GATEWAYS names it")
            raise GatewaysInvalid(named, [problem])
        return path
    path = Path(environ.get("OBOLE_SETTINGS") or "settings").absolute().parent / "gateways.toml"
    return path if path.exists() else None


def refuse_undeclared(
    gateways: Gateways,
    catalogues: Mapping[str, Catalogue],
    environ: Mapping[str, str] = os.environ,
) -> None:
    """See that every gateway of the file is one that its book has declared, whenever.

    A book that has declared none yet is asked later: the file may be there before the catalogue.

    Raises:
        GatewaysInvalid: some are not; each is named, beside those that are declared.
    """
    path = gateways_file(environ)
    if path is None:
        return
    document = Document(path.read_bytes())
    problems = [
        document.problem((book, name), f"the book {book} has declared {', '.join(declared)} alone")
        for book, catalogue in catalogues.items()
        if (declared := sorted(key[1] for key in catalogue.versions if key[0] == "gateway"))
        for name in gateways.get(book, {})
        if name not in declared
    ]
    if problems:
        raise GatewaysInvalid(str(path), problems)


def _unknown(
    document: Document, book: str, gateways: Collection[str], books: Collection[str]
) -> Problem:
    # Only the header of a table has a line, and it names the gateway too.
    text = f"belongs to no book that has settings: {', '.join(sorted(books))}"
    return document.problem((book, *list(gateways)[:1]), text)


def _without_secrets(problem: Problem) -> Problem:
    """Leave out of a mistake what the wrong value was, where it is secret."""
    if problem.place.rpartition(".")[2] in _SECRETS and problem.text != "is missing":
        return problem._replace(text="must be text in quotes, and not empty")
    return problem
