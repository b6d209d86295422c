"""The OpenAPI document: whole in itself, and true of what is answered."""

import json
import re
from collections.abc import Generator
from typing import Any

import pytest

from tests.support.api import Api, serving
from tests.support.database import TestDatabase


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


def document(api: Api) -> dict[str, Any]:
    answer = api.client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


class TestDocument:
    """What a client's author reads."""

    def test_is_of_openapi_3_1(self, api: Api) -> None:
        found = document(api)
        assert found["openapi"].startswith("3.1.")
        assert found["info"]["title"] == "Obole"

    def test_refers_to_nothing_that_is_not_in_it(self, api: Api) -> None:
        found = document(api)
        referred = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(found)))
        schemas = found["components"]["schemas"].keys()
        assert referred - schemas == set()
        assert schemas - referred == set()

    def test_lists_the_problems_of_every_operation(self, api: Api) -> None:
        for path, operations in document(api)["paths"].items():
            for operation in operations.values():
                told = operation["responses"]
                expected = {"500", "503"}
                if "{book}" in path:
                    expected |= {"401", "403", "404", "422"}
                assert expected <= told.keys(), path
                for status in expected:
                    content = told[status]["content"]["application/problem+json"]
                    assert content["schema"]["$ref"].endswith("/Problem"), path

    def test_tells_how_to_present_a_key(self, api: Api) -> None:
        found = document(api)
        schemes = found["components"]["securitySchemes"]
        assert [scheme["scheme"] for scheme in schemes.values()] == ["bearer"]
        for path, operations in found["paths"].items():
            for operation in operations.values():
                assert ("security" in operation) == ("{book}" in path), path

    def test_defines_every_part_of_a_path(self, api: Api) -> None:
        for path, operations in document(api)["paths"].items():
            for operation in operations.values():
                told = operation.get("parameters", [])
                defined = {one["name"] for one in told if one["in"] == "path"}
                assert defined == set(re.findall(r"{(\w+)}", path)), path

    def test_names_each_operation_once(self, api: Api) -> None:
        names = [
            operation["operationId"]
            for operations in document(api)["paths"].values()
            for operation in operations.values()
        ]
        assert len(names) == len(set(names))

    def test_loads_nothing_from_elsewhere(self, api: Api) -> None:
        assert "://" not in json.dumps(document(api)).replace("https://spec.openapis.org", "")
