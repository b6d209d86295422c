"""A number without its country's code: no door takes it, for it would make another person."""

from collections.abc import Generator
from pathlib import Path

import pytest

from ledger.commands.catalogue import declare_test_number
from ledger.commands.numbers import NumberWanted
from ledger.decisions.catalogue_request import CatalogueRefused
from ledger.decisions.national import NATIONAL, NationalNumber
from ledger.facts.consent import OptedOut
from ledger.facts.traffic import MoReceived
from tests.support.api import GATEWAY
from tests.support.belgium import BOTH, PROXIMUS, be_mo, belgian
from tests.support.book import ORIGIN
from tests.support.builders import NOON, mo
from tests.support.cli import CATALOGUE
from tests.support.database import TestDatabase
from tests.support.given import given
from tests.support.importing import Importing, message, ndjson
from tests.support.subscribed_api import SubscribedApi, serving_subscriptions

WRITTEN = ["0470000001", "+0470000001", "0470 00 00 01", "000470000001"]
ERRORS = [{"field": "sender", "message": NATIONAL}]


@pytest.fixture
def api(database: TestDatabase) -> Generator[SubscribedApi]:
    with serving_subscriptions(database) as served:
        yield served


class TestNationalNumber:
    """Where consumers are named by their numbers."""

    @pytest.mark.parametrize("sender", WRITTEN)
    def test_is_refused_and_leaves_nothing(self, sender: str) -> None:
        story = given(be_mo(), book=belgian())
        refused = story.when(be_mo("STOP", sender=sender, gateway_message_id="m-2"))
        refused.refused(NationalNumber, "in international form").left()
        assert "470" not in str(refused)

    @pytest.mark.parametrize("sender", ["32470000001", "+32 470 00 00 01", "0032470000001"])
    def test_is_none_with_its_countrys_code_however_written(self, sender: str) -> None:
        book = belgian()
        story = given(be_mo(), book=book)
        story.when(be_mo("STOP", sender=sender, gateway_message_id="m-2")).fact(OptedOut)
        assert len({one.consumer for one in book.facts(MoReceived)}) == 1

    def test_is_no_alias_that_begins_with_0(self) -> None:
        given().when(mo(sender="0470000001")).fact(MoReceived)

    def test_is_no_number_to_test_with(self) -> None:
        book = belgian()
        wanted = NumberWanted(
            PROXIMUS, BOTH, "0470000001", "ours", NOON, "here", {"sender": "--sender"}
        )
        with pytest.raises(CatalogueRefused, match=f"--sender: {NATIONAL}"):
            book.run(declare_test_number(book.desk, wanted, ORIGIN, NOON))


class TestDoors:
    """What each door tells."""

    def test_of_messages_and_solicitations_name_the_field(self, api: SubscribedApi) -> None:
        before = len(api.facts())
        asked = {
            "gateway": GATEWAY, "smsc": "proximus", "id": "n-1",
            "sender": "0470000001", "short_code": BOTH,
        }  # fmt: skip
        for path, more in (("/messages", {"text": "STOP"}), ("/solicitations", {"service": "jeu"})):
            told = api.post(path, asked | more)
            assert told.status_code == 422
            assert told.json()["type"] == "/problems/national-number"
            assert told.json()["errors"] == ERRORS
            assert "470" not in told.text
        assert len(api.facts()) == before

    @pytest.mark.parametrize("processes", ["1", "2"])
    def test_of_imports_reject_the_line(
        self, database: TestDatabase, tmp_path: Path, processes: str
    ) -> None:
        importing = Importing(database, tmp_path)
        file = str(CATALOGUE.with_name("catalogue_be.toml"))
        assert importing.obole("catalogue", "load", file, "--book", "be").status == 0
        to = {"gateway": "kannel-be", "smsc": "proximus-be", "short_code": "3030", "text": "KWIS"}
        national = {**to, "sender": "0400100001"}
        exchange = {"kind": "exchange", "unmatched": "unknown_keyword", "mt": {"text": "Merci"}}
        lines = [
            message(1, **to, sender="32400100001"),
            message(2, **national),
            message(3, **to, sender="+32400100001"),
            {**message(4, **national), **exchange},
        ]
        path = importing.file(ndjson(lines))
        done = importing.obole("import", str(path), "--book", "be", "--processes", processes)
        assert done.status == 1, done
        rejected = importing.rejected(path)
        assert list(rejected) == [2, 4]
        told = f"The number lacks its country's code: the sender {NATIONAL}"
        assert set(rejected.values()) == {told}
