"""Checks of the tree that no linter knows: sizes, money without floats, SQL in one piece, places.

Forbidden words are put together from parts, so that this file does not find itself.
"""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("ledger", "projections", "api", "migrations")
FILE_LINES = 300
FUNCTION_LINES = 40

Trees = dict[str, ast.Module]
Check = Callable[[Trees], Iterator[str]]


def tracked() -> list[Path]:
    """List what is or would be committed; a copy without git is taken as it stands."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - found on PATH
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    if listed.returncode == 0:
        return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file()]
    hidden = re.compile(r"/(\.|__pycache__|[^/]*\.egg-info)")
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not hidden.search(f"/{path.relative_to(ROOT)}")
    ]


def trees_below(*folders: str) -> Trees:
    """Parse every Python file below the given folders, by its path from the root."""
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text())
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def floats_and_decimals(trees: Trees) -> Iterator[str]:
    """Find money's enemies: a float's literal or name, and `Decimal`.

    Durations may be floats, under a name that ends in `_seconds`.
    """
    for name, tree in trees.items():
        allowed = {inner for node in _durations(tree) for inner in ast.walk(node)}
        for node in ast.walk(tree):
            literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
            called = isinstance(node, ast.Name) and node.id in {"float", "Decimal"}
            imported = isinstance(node, ast.alias) and node.name in {"decimal", "Decimal"}
            if node not in allowed and (literal or called or imported):
                yield f"{name}:{getattr(node, 'lineno', '?')}"


def _durations(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        match node:
            case ast.arguments():
                yield from _lasting(node)
            case (
                ast.AnnAssign(target=ast.Name(id=name))
                | ast.Assign(targets=[ast.Name(id=name)])
                | ast.keyword(arg=str(name))
            ) if name.lower().endswith("_seconds"):
                yield node
            case _:
                pass


def _lasting(arguments: ast.arguments) -> Iterator[ast.AST]:
    named = [*arguments.posonlyargs, *arguments.args]
    defaults = [*[None] * (len(named) - len(arguments.defaults)), *arguments.defaults]
    pairs = [*zip(named, defaults, strict=True)]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    for argument, default in pairs:
        if argument.arg.endswith("_seconds"):
            yield argument
            yield from [default] if default else []


_SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|DROP|COPY|TRUNCATE)\s")


def sql_with_holes(trees: Trees) -> Iterator[str]:
    """Find SQL that is put together from text: an f-string, `%` or `.format` on a statement."""
    for name, tree in trees.items():
        for node in ast.walk(tree):
            match node:
                case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]) if _SQL.match(text):
                    yield f"{name}:{node.lineno}"
                case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()) if _SQL.match(
                    text
                ):
                    yield f"{name}:{node.lineno}"
                case ast.Call(
                    func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")
                ) if _SQL.match(text):
                    yield f"{name}:{node.lineno}"
                case _:
                    pass


def bare_snapshots(trees: Trees) -> Iterator[str]:
    """Find transactions that see one moment without the lock that `session.SNAPSHOT` begins by."""
    for name, tree in trees.items():
        for node in ast.walk(tree):
            match node:
                case ast.Constant(value=str(text)) if _BARE.search(text):
                    yield f"{name}:{node.lineno}"
                case ast.Attribute(attr="REPEATABLE_READ" | "SERIALIZABLE"):
                    yield f"{name}:{node.lineno}"
                case _:
                    pass


_BARE = re.compile(
    r"\bISOLATION\s+LEVEL\s+(REPEATABLE|SERIALIZABLE)|^\s*REPEATABLE\s+READ", re.IGNORECASE
)


def long_functions(trees: Trees) -> Iterator[str]:
    """Find functions over the limit, decorators left aside."""
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    yield f"{name}:{node.lineno} {node.name}: {lines} lines"


def sleeps(trees: Trees) -> Iterator[str]:
    """Find waiting for a time instead of for an event; `sleep(0)` only lets others go first."""
    for name, tree in trees.items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="sleep") | ast.Name(id="sleep"), args=[length]
                ) if not (isinstance(length, ast.Constant) and length.value == 0):
                    yield f"{name}:{node.lineno}"
                case _:
                    pass


MACHINE = re.compile(r"(?<![\w./-])/(work|root|farm)" + "/")
REGISTRY = re.compile(
    "|".join(
        (
            r"pypi" + r"\.org",
            r"pythonhosted" + r"\.org",
            r"registry *= *" + r"\"http",
            r"index" + r"-url",
            r"://[^ \"]*/simple" + r"(/|\"|$| )",
        )
    )
)


def places(text: str) -> list[str]:
    """Find paths of one machine and addresses of package registries in a file's text."""
    return [
        f"{number}: {line.strip()[:80]}"
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE.search(line) or REGISTRY.search(line)
    ]
