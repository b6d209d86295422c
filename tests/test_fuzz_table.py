"""Every parser of what comes from outside has a test that feeds it noise, and none is forgotten.

A module is named here with the parsers that it calls, as they are found in its source: one that
is new, and one that parses in a new way, fails by its name until somebody says what feeds it. What
it cannot see is a parser written by hand, of regular expressions and slices.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("api", "ledger", "projections")
OWN_STAGES = ("api/bench/", "api/demo/", "api/market/")
"""They read what this project's own servers and files give them, on the machine they run on."""
PARSERS = {
    *("Decoder", "convert", "decode", "load", "loads"),
    *("model_validate", "model_validate_json", "model_validate_strings", "TypeAdapter"),
    *("ZipFile", "decompress", "decompressobj", "b64decode", "fromhex"),
    *("fromisoformat", "fromtimestamp", "strptime", "ZoneInfo"),
    *("parse_qs", "parse_qsl", "urlsplit", "urlparse", "unquote", "conninfo_to_dict"),
    *("Decimal", "float", "int", "literal_eval", "getresponse", "reader", "DictReader"),
}
"""Functions that make something of bytes or text, by their last name."""
FACTS = "registry.decode"
"""It reads stored facts; where it is asked is no parser of its own."""

ROUTES = "tests/test_fuzz_http.py::test_any_request_is_answered_or_refused"
"""Of whatever a route declares, and of every route: it is drawn for each line of the matrix."""
TOML = "tests/test_fuzz_files.py::TestToml"
LINES = "tests/test_fuzz_files.py::TestImports"

TESTED: Mapping[str, tuple[set[str], tuple[str, ...]]] = {
    # Requests.
    "api/access.py": ({"decode"}, (ROUTES, "tests/test_fuzz_http.py::TestKey")),
    "api/bodies.py": ({"loads"}, (ROUTES, "tests/test_api_bodies.py::TestDoubledNames")),
    "api/kannel.py": (
        {"fromtimestamp", "int", "model_validate"},
        (ROUTES, "tests/test_fuzz_http.py::TestKannel"),
    ),
    "api/shapes.py": ({"fromisoformat"}, (ROUTES,)),
    "projections/charges/read.py": ({"fromisoformat", "int"}, (ROUTES,)),
    "ledger/money.py": ({"int"}, (ROUTES, "tests/test_money.py::TestParseMicros")),
    # Lines and what they come in, in files and in requests.
    "api/importing/bytes.py": ({"decompress", "decompressobj"}, (LINES, ROUTES)),
    "api/importing/lines.py": ({"Decoder", "decode", "loads"}, (LINES, ROUTES)),
    "api/importing/sharing.py": (
        {"Decoder", "decode"},
        ("tests/test_import_lines.py::TestShare", LINES),
    ),
    # Files that people write, and a catalogue as it comes in a request.
    "api/catalogue_file.py": (
        {"ZoneInfo", "fromisoformat", "model_validate"},
        (TOML, "tests/test_fuzz_files.py::test_a_catalogue_as_values_is_read_or_refused", ROUTES),
    ),
    "api/catalogue_values.py": ({"convert"}, (TOML, ROUTES)),
    "api/gateways.py": ({"urlsplit"}, (TOML,)),
    "ledger/rules/pack.py": (
        {"ZoneInfo", "decode", "model_validate"},
        (TOML, "tests/test_fuzz_files.py::test_a_zone_that_is_none_is_a_mistake_of_its_pack"),
    ),
    "ledger/rules/toml_file.py": ({"decode", "loads", "model_validate"}, (TOML,)),
    "ledger/vault.py": (
        {"b64decode", "decode"},
        ("tests/test_fuzz_files.py::test_a_master_key_is_32_bytes_or_refused",),
    ),
    # What somebody says is an export.
    "api/documents/verify.py": (
        {"DictReader", "ZipFile", "decode"},
        ("tests/test_fuzz_files.py::TestExports",),
    ),
    "api/documents/columns.py": ({"decode"}, ("tests/test_fuzz_files.py::TestExports",)),
    # What a gateway answers.
    "api/push.py": ({"decode", "getresponse", "urlsplit"}, ("tests/test_push.py::TestPush",)),
    # What stands in the environment or on the command line.
    "api/cli/rules.py": (
        {"fromisoformat"},
        ("tests/test_fuzz_words.py::test_a_day_of_rules_is_read_or_refused",),
    ),
    "api/cli/work.py": (
        {"fromisoformat"},
        ("tests/test_fuzz_words.py::test_an_instant_of_work_is_refused_where_it_is_none",),
    ),
    "api/database.py": (
        {"conninfo_to_dict"},
        ("tests/test_database_address.py::test_what_is_no_address_is_refused_by_its_variable",),
    ),
    "api/telemetry/exposing.py": ({"int"}, ("tests/test_telemetry.py::TestAddress",)),
}
"""Modules that parse what comes from outside: their parsers, and the tests that feed them."""

_COLUMNS = "columns of our own tables, made to answer"
_FACT = "facts as we stored them"
_ZONE = "a zone that was read with its pack or catalogue"
_STATUS = "a status of our own"
OURS: Mapping[str, tuple[set[str], str]] = {
    "api/accounts.py": ({"model_validate"}, _COLUMNS),
    "api/answers.py": ({"int"}, _STATUS),
    "api/books.py": ({"load"}, "the master key, by ledger/vault.py"),
    "api/catalogue_shown.py": ({"model_validate"}, _FACT),
    "api/cli/catalogue.py": ({"ZoneInfo"}, _ZONE),
    "api/cli/logs.py": ({"fromtimestamp"}, "a time that the clock gave"),
    "api/cli/simulate.py": ({"loads"}, "the truth that the same command wrote beside its lines"),
    "api/cli/welcome.py": ({"parse_qs"}, "a message that we propose ourselves"),
    "api/documents/bundle.py": ({"ZipFile"}, "it writes one"),
    "api/documents/period.py": ({"ZoneInfo"}, _ZONE),
    "api/findings.py": ({"model_validate"}, _COLUMNS),
    "api/importing/words.py": ({"int"}, "a bound of ours, as msgspec tells it"),
    "api/importing/rejected.py": ({"int", "loads"}, "what an import wrote when it was killed"),
    "api/opt_outs.py": ({"model_validate"}, _COLUMNS),
    "api/outbox.py": ({"model_validate"}, _COLUMNS),
    "api/postgres.py": ({"decode", "int"}, "files and words of the embedded server"),
    "api/problems.py": ({"int"}, _STATUS),
    "api/subscriptions.py": ({"model_validate"}, _COLUMNS),
    "api/telemetry/traced.py": ({"int"}, _STATUS),
    "ledger/decisions/catalogue_request.py": ({"ZoneInfo"}, _ZONE),
    "ledger/decisions/recall.py": ({"ZoneInfo"}, _ZONE),
    "ledger/decisions/solicitation_rules.py": ({"ZoneInfo"}, _ZONE),
    "ledger/facts/registry.py": ({"Decoder", "decode"}, _FACT),
    "ledger/keyring.py": ({"decode", "int"}, "what it sealed, and its own months"),
    "ledger/log/scripts.py": ({"int"}, _COLUMNS),
    "ledger/log/session.py": ({"conninfo_to_dict"}, "an address that api/database.py checked"),
    "ledger/rules/resolve.py": ({"ZoneInfo"}, _ZONE),
    "ledger/spans.py": ({"ZoneInfo"}, _ZONE),
    "ledger/words.py": ({"ZoneInfo"}, _ZONE),
    "projections/balances/read.py": ({"int"}, _COLUMNS),
    "projections/findings/read.py": ({"int"}, _COLUMNS),
    "projections/quick.py": ({"Decoder"}, _FACT),
    "projections/solicitation_counters/read.py": ({"fromisoformat", "int"}, _COLUMNS),
    "projections/subscriptions/fold.py": ({"int"}, _FACT),
    "projections/table.py": ({"decode"}, "rows that it encoded itself"),
}
"""Modules that parse, and nothing from outside: what they read."""


class TestParsers:
    """Whatever reads bytes or text."""

    def test_are_all_named(self) -> None:
        named = {name: parsers for name, (parsers, _) in (TESTED | OURS).items()}
        assert found() == named
        assert not TESTED.keys() & OURS.keys()

    def test_have_tests_that_there_are(self) -> None:
        for name, (_, tests) in TESTED.items():
            assert tests, name
            for test in tests:
                file, _, wanted = test.partition("::")
                assert wanted in defined(file), f"{name}: {test}"


class TestControl:
    """What is looked for is found."""

    @pytest.mark.parametrize(
        ("source", "parsers"),
        [
            ("import json\njson.loads(body)", {"loads"}),
            ("msgspec.json.Decoder[Line](Line)", {"Decoder"}),
            ("when = datetime.fromisoformat(text)", {"fromisoformat"}),
            ("def f(x):\n    return [int(one) for one in x]", {"int"}),
            ("REGISTRY.decode(row); self._decoder.decode(row)", {"decode"}),
            ("int('5'); ZoneInfo('UTC'); print(text); text.encode()", set[str]()),
        ],
    )
    def test_in_any_source(self, source: str, parsers: set[str]) -> None:
        assert parsers_of(source) == parsers


def defined(file: str) -> set[str]:
    """Name the classes and functions of a file of tests."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}


def parsers_of(source: str) -> set[str]:
    """Find what is called to parse something that is no constant."""
    return set(_called(ast.parse(source)))


def _called(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and not _constant(node) and not _of_facts(node.func):
            name = _last_name(node.func)
            if name in PARSERS:
                yield name


def _of_facts(called: ast.expr) -> bool:
    return ast.unparse(called).lower() == FACTS


def _constant(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Constant)


def _last_name(called: ast.expr) -> str:
    if isinstance(called, ast.Subscript):
        return _last_name(called.value)
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def found() -> dict[str, set[str]]:
    """Walk the sources; gives the parsers of each module that has any."""
    modules = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    named = {path.relative_to(ROOT).as_posix(): path for path in modules}
    walked = {
        name: parsers_of(path.read_text(encoding="utf-8"))
        for name, path in named.items()
        if not name.startswith(OWN_STAGES)
    }
    return {name: parsers for name, parsers in walked.items() if parsers}
