"""A number without its country's code, which would make another person of the same one."""

from ledger.decisions.catalogue_request import Problem
from ledger.decisions.refusals import Refusal

NATIONAL = "begins with 0, as no country's code does: the number must be in international form"


class NationalNumber(Refusal):
    """A sender is a number without its country's code; the number itself is told to nobody.

    Source: ITU-T E.164, no country's code begins with 0.
    """

    def __init__(self) -> None:
        super().__init__(f"the sender {NATIONAL}")
        self.problems = (Problem("sender", NATIONAL),)
