"""Tells a merchant of whom nothing is recorded yet from one that is not there."""

from datetime import datetime

from ledger.commands.desk import Desk
from ledger.decisions.refusals import MerchantNotRegistered


async def check_registered(desk: Desk, merchant: str, now: datetime) -> None:
    """See that a merchant is registered, as far as anybody knows by now.

    Raises: MerchantNotRegistered.
    """
    if desk.catalogue.merchant(merchant, now) is None:
        catalogue = await desk.refresh()
        if catalogue.merchant(merchant, now) is None:
            raise MerchantNotRegistered(merchant)
