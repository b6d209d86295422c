"""A served Belgian book that sells subscriptions, and its consumers' messages."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from typing import Any

from anyio.from_thread import start_blocking_portal

from api.books import Books
from ledger.facts.subscriptions import SubscriptionStarted
from ledger.vault import FileMasterKey
from tests.support.api import BOOK, DEFAULTS, GATEWAY, ROLES, Api
from tests.support.belgium import BELGIAN, LINKS, SUBSCRIBED, catalogue_be
from tests.support.builders import gateway
from tests.support.database import TestDatabase
from tests.support.subscribers import sold_again_and_again

MERCHANT = "ludobel"


class SubscribedApi(Api):
    """An application whose consumers subscribe."""

    _ids = count(1)

    def write(self, text: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of every type
        """Send a consumer's message, and give what is answered."""
        body = {
            "gateway": GATEWAY,
            "smsc": "proximus",
            "id": f"m-{next(self._ids)}",
            "sender": "32470000001",
            "short_code": SUBSCRIBED,
            "text": text,
        }
        answer = self.post("/messages", body | fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def subscribe(self, text: str = "HORO", **fields: Any) -> str:  # noqa: ANN401 - as above
        """Let a consumer ask and confirm; gives the subscription's id."""
        self.write(text, **fields)
        self.write("OK", **fields)
        *_, started = self.facts(SubscriptionStarted)
        return started.fact.subject


@contextmanager
def serving_subscriptions(database: TestDatabase) -> Generator[SubscribedApi]:
    """Serve a Belgian book, with a key of each role."""
    with start_blocking_portal() as portal:
        api = SubscribedApi(database, portal)
        master = FileMasterKey(os.urandom(32))
        opening = Books.open(database.app_url, {BOOK: BELGIAN}, master, api.clock)
        with portal.wrap_async_context_manager(opening) as books:
            api.start(books, DEFAULTS)
            links = gateway(GATEWAY, operators=LINKS)
            api.record([links, *catalogue_be(), *sold_again_and_again()])
            for role in ROLES:
                api.keys[role] = api.issue(role, MERCHANT if role == "merchant" else None)
            yield api
