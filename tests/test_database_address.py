"""Addresses of databases in the environment: refused by the variable's name, never repeated."""

import pytest

from api.database import AddressRefused, Database


@pytest.mark.parametrize("variable", ["OBOLE_DATABASE_URL", "OBOLE_OWNER_DATABASE_URL"])
def test_what_is_no_address_is_refused_by_its_variable(variable: str) -> None:
    environ = {"OBOLE_DATABASE_URL": "postgresql://a@b/c"} | {variable: "secret-nonsense"}
    with pytest.raises(AddressRefused, match=variable) as refused, Database.open(environ):
        pass
    assert "secret" not in str(refused.value)
