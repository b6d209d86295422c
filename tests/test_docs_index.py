"""What the documents list is all that there is: routes, commands, variables, files, tests."""

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import typer.main
from fastapi.routing import APIRoute

from api import app, kannel
from api.access import Allow
from api.cli.main import app as program
from projections.known import PROJECTIONS
from tests.support import shown

ROLES = {"gateway", "merchant", "finance", "regulator", "admin"}
AUDITORS = {"finance", "regulator", "admin"}
KANNEL = {"kannel/{}/mo", "kannel/{}/dlr"}
ROW = re.compile(r"^\| (?P<routes>`[A-Z]+ [^|]+`) \| (?P<roles>[^|]+) \|", re.MULTILINE)
ROUTE = re.compile(r"`([A-Z]+) ([^`]+)`")
CITED = re.compile(r"\[[^]]+\]\((?P<file>\w+\.py)\)(?P<names>(?:,? `\w+`)*)")


def page(name: str) -> str:
    return (shown.ROOT / name).read_text()


def allowed(endpoint: Callable[..., Any]) -> Iterator[str]:
    for hint in get_type_hints(endpoint, include_extras=True).values():
        for marked in getattr(hint, "__metadata__", ()):
            if isinstance(guard := getattr(marked, "dependency", None), Allow):
                yield from guard.roles


def bare(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "{}", path.removeprefix("/v1/books/{book}")).removeprefix("/")


def served() -> dict[tuple[str, str], set[str]]:
    found = {}
    for face in app._FACES:  # noqa: SLF001 - the list that the application itself is made from
        for route in face.router.routes:
            assert isinstance(route, APIRoute)
            (method,) = route.methods
            found[method, bare(route.path)] = set(allowed(route.endpoint))
    return found | {("GET", bare(route.path)): {"gateway"} for route in kannel.ROUTES}


def listed() -> dict[tuple[str, str], set[str]]:
    found = {}
    for row in ROW.finditer(page("api/README.md")):
        words = set(re.findall(r"\w+", row["roles"]))
        roles = words - {"auditors"} | (AUDITORS if "auditors" in words else set())
        assert roles <= ROLES, row["roles"]
        for method, path in ROUTE.findall(row["routes"]):
            assert (method, bare(path)) not in found, f"{method} {path} stands there twice"
            found[method, bare(path)] = roles
    return found


def test_the_faces_page_lists_every_route_with_the_roles_that_it_is_for() -> None:
    assert listed() == served()


def test_the_commands_page_lists_every_command() -> None:
    documented = page("api/cli/README.md")
    for path in commands():
        assert re.search(rf"`{path}\b|, `{path.rpartition(' ')[2]}\b", documented), path


def commands() -> Iterator[str]:
    for name, command in typer.main.get_group(program).commands.items():
        below = getattr(command, "commands", None)
        yield from [f"{name} {one}" for one in below] if below else [name]


def test_the_projections_page_has_a_row_for_each() -> None:
    for projection in PROJECTIONS:
        assert f"| `{projection.name}` |" in page("projections/README.md"), projection.name


def test_the_readme_explains_every_variable_that_is_read() -> None:
    read: set[str] = set()
    for folder in ("api", "ledger", "migrations", "projections"):
        for path in (shown.ROOT / folder).rglob("*.py"):
            read |= set(re.findall(r'["\'](OBOLE_[A-Z_]+)["\']', path.read_text()))
    assert read
    assert read == set(re.findall(r"^\| `(OBOLE_[A-Z_]+)` \|", page("README.md"), re.MULTILINE))


def test_the_index_of_the_rule_book_names_what_is_there() -> None:
    cited = list(CITED.finditer(page("tests/README.md")))
    assert cited
    for one in cited:
        tree = ast.parse(page(f"tests/{one['file']}"))
        names = {node.name for node in ast.walk(tree) if hasattr(node, "name")}
        assert set(re.findall(r"\w+", one["names"])) <= names, one[0]
