"""Every projection there is; a new one is named here and nowhere else."""

from projections.balances.table import PROJECTION as BALANCES
from projections.charges.table import PROJECTION as CHARGES
from projections.expected.table import PROJECTION as EXPECTED
from projections.findings.table import PROJECTION as FINDINGS
from projections.merchant_accounts.table import PROJECTION as MERCHANT_ACCOUNTS
from projections.opt_outs.table import PROJECTION as OPT_OUTS
from projections.outbox.table import PROJECTION as OUTBOX
from projections.rates.table import PROJECTION as RATES
from projections.solicitation_counters.table import PROJECTION as SOLICITATION_COUNTERS
from projections.subscriptions.table import PROJECTION as SUBSCRIPTIONS
from projections.table import Projection

PROJECTIONS: tuple[Projection, ...] = (
    BALANCES,
    MERCHANT_ACCOUNTS,
    CHARGES,
    FINDINGS,
    OPT_OUTS,
    EXPECTED,
    RATES,
    SOLICITATION_COUNTERS,
    OUTBOX,
    SUBSCRIPTIONS,
)


def named(name: str) -> Projection:
    """Give a projection by its name.

    Raises:
        LookupError: there is none of that name.
    """
    for projection in PROJECTIONS:
        if projection.name == name:
            return projection
    raise LookupError(name)
