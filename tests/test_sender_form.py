"""One form of a sender: the same person under the same name, however the gateway writes it."""

import pytest

from ledger.vault import is_national, sender_form


class TestSenderForm:
    """How a sender is written before it is named by a pseudonym."""

    @pytest.mark.parametrize(
        "written", ["33612345678", "+33612345678", " +33 6 12 34 56 78", "0033612345678"]
    )
    def test_of_a_number_is_its_digits(self, written: str) -> None:
        assert sender_form("msisdn", written) == "33612345678"

    @pytest.mark.parametrize("written", ["3300A", "+3300A", " 3300A "])
    def test_of_an_alias_leaves_out_what_gateways_add(self, written: str) -> None:
        assert sender_form("alias", written) == "3300A"

    @pytest.mark.parametrize("other", ["3300a", "003300A"])
    def test_of_an_alias_keeps_what_may_tell_people_apart(self, other: str) -> None:
        assert sender_form("alias", other) != sender_form("alias", "3300A")


class TestIsNational:
    """What is no number of any country: E.164 gives no country a code that begins with 0."""

    @pytest.mark.parametrize("written", ["0612345678", " 06 12 34 56 78", "+0612345678", "000612"])
    def test_is_a_number_that_begins_with_0(self, written: str) -> None:
        assert is_national("msisdn", written)

    @pytest.mark.parametrize("written", ["33612345678", "+33 6 12 34 56 78", "0033612345678"])
    def test_is_none_that_has_its_countrys_code(self, written: str) -> None:
        assert not is_national("msisdn", written)

    def test_is_no_alias(self) -> None:
        assert not is_national("alias", "0612345678")
