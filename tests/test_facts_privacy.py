"""Nothing that a person wrote, and no number, is in the clear: not in a row, a table or a WAL.

Each search has a control beside it: something that is written in the clear on purpose is found
by the same search, so that a search that finds nothing means something.
"""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ledger.commands.traffic import IncomingMo
from ledger.facts.traffic import ConflictingDuplicateReceived, KeywordMatched, MtEmitted
from ledger.log.rows import entry_bytes
from tests.support.book import Book, in_memory
from tests.support.builders import BOOK, UNKNOWN_CODE, dlr, mo
from tests.support.database import TestDatabase
from tests.support.served import on_postgres

NUMBER = "33698710243"
SECRETS = ("Quetzalcoatl", "Tezcatlipoca", "Huitzilopochtli", NUMBER)
"""Words of the consumer, one for each way in, and the number."""
CONTROL = "visible-gateway-id"
"""Written in the clear, as a gateway's message id is."""


def message(text: str, id_: str, **fields: str) -> IncomingMo:
    """Make a message of the consumer with the number."""
    return mo(text, sender=NUMBER, gateway_message_id=id_, **fields)


def play(book: Book) -> None:
    """Play an exchange of every kind in which the consumer writes something personal."""
    answer = book.receive(message(f"JEU {SECRETS[0]}", CONTROL))
    assert answer.mt is not None
    assert SECRETS[0] in answer.text
    book.report(dlr(answer.mt, "delivered", raw_status="1 stat:DELIVRD"))
    with pytest.raises(Exception, match="another message"):
        book.receive(message(f"JEU {SECRETS[1]}", CONTROL))
    for place, text in enumerate((SECRETS[2], f"VOTE {SECRETS[2]}", f"STOP {SECRETS[2]}")):
        book.receive(message(text, f"m-{place}"))
    book.receive(message(SECRETS[2], "m-9", short_code=UNKNOWN_CODE))


def forms(secret: str) -> Iterator[bytes]:
    """Give the forms in which a text would be found: plain, hexadecimal, UTF-16 and base64."""
    for text in {secret, secret.upper(), secret.lower()}:
        plain = text.encode()
        yield plain
        yield plain.hex().encode()
        yield text.encode("utf-16-be")
        # In base64 a text looks different at each of three places; its ends mix with others.
        for before in range(3):
            yield b64encode(bytes(before) + plain)[4:-4]


def found_in(data: bytes) -> set[str]:
    """Give the secrets that bytes hold."""
    return {secret for secret in SECRETS if any(form in data for form in forms(secret))}


class TestRows:
    """The rows of a book in which a consumer has written."""

    def test_hold_nothing_personal(self) -> None:
        book = in_memory()
        play(book)
        stored = b"\n".join(entry_bytes(row) for row in book.rows)
        assert CONTROL.encode() in stored
        assert found_in(stored) == set()

    def test_hold_it_sealed(self) -> None:
        book = in_memory()
        play(book)
        (conflict,) = book.facts(ConflictingDuplicateReceived)
        assert book.text_of(book.facts(KeywordMatched)[0]) == SECRETS[0]
        assert SECRETS[0] in book.text_of(book.facts(MtEmitted)[0])
        assert SECRETS[1] in book.text_of(conflict)

    @pytest.mark.parametrize("secret", SECRETS)
    def test_would_be_caught_by_the_same_search(self, secret: str) -> None:
        written = secret.upper().encode()
        for data in (written, written.hex().encode(), b64encode(b"text:" + written + b".")):
            assert found_in(b"..." + data + b"...") == {secret}


def tables(database: TestDatabase) -> bytes:
    """Give every row of every table as text."""
    with psycopg.connect(database.owner_url) as connection:
        names = connection.execute(
            """
            SELECT relname FROM pg_class
            WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
            """
        ).fetchall()
        dumped = []
        for (name,) in names:
            statement = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(name))
            dumped += [row[0].encode() for row in connection.execute(statement).fetchall()]
    return b"\n".join(dumped)


def files(database: TestDatabase) -> bytes:
    """Give the server's write-ahead log, and the files of this database, byte by byte."""
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        row = connection.execute(
            """
            SELECT current_setting('data_directory'), oid FROM pg_database
            WHERE datname = current_database()
            """
        ).fetchone()
    assert row is not None
    folder = Path(str(row[0]))
    parts = [*(folder / "pg_wal").glob("0*"), *(folder / "base" / str(row[1])).iterdir()]
    return b"".join(part.read_bytes() for part in parts if part.is_file())


class TestStored:
    """The database behind a book in which a consumer has written."""

    def test_holds_nothing_personal_in_any_table(self, database: TestDatabase) -> None:
        with on_postgres(database.app_url) as book:
            play(book)
        dumped = tables(database)
        assert CONTROL.encode().hex().encode() in dumped
        assert BOOK.encode() in dumped
        assert found_in(dumped) == set()

    def test_holds_nothing_personal_in_its_files_and_wal(self, database: TestDatabase) -> None:
        with on_postgres(database.app_url) as book:
            play(book)
        stored = files(database)
        assert stored.count(CONTROL.encode()) >= 2
        assert found_in(stored) == set()
