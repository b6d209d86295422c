"""The mutants of a module: mutmut's operators, one change at a time, inside functions.

A mutant is kept as a piece of text to put in another's place, so that ten thousand of them are
cheap. What stands outside functions is made once, at import, and is left alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import libcst as cst
from libcst import metadata
from mutmut.mutation.mutators import mutation_operators

LEFT_ALONE = {"len", "isinstance", "assert_never", "AssertionError"}
"""Calls that mutmut leaves alone, and those that are never reached unless there is a bug."""


@dataclass(frozen=True)
class Mutant:
    """One change to one function: `old` at `start` becomes `new`; offsets in characters.

    `function` is a qualified name, `line` where the change is, `lines` the statement around it.
    """

    path: str
    function: str
    number: int
    line: int
    lines: range
    start: int
    old: str
    new: str

    @property
    def name(self) -> str:
        """Tell it from all others of one source."""
        return f"{self.path}:{self.line} {self.function}#{self.number}"

    def applied(self, source: str) -> str:
        """Give the source with this change."""
        return source[: self.start] + self.new + source[self.start + len(self.old) :]


def mutants_of(path: str, root: Path) -> list[Mutant]:
    """Make every mutant of a file, in the order of the source."""
    source = (root / path).read_text()
    wrapper = metadata.MetadataWrapper(cst.parse_module(source))
    visitor = _Visitor(path, source)
    wrapper.visit(visitor)
    return visitor.found


class _Visitor(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (metadata.PositionProvider,)

    def __init__(self, path: str, source: str) -> None:
        super().__init__()
        self.found: list[Mutant] = []
        self._path, self._source = path, source
        self._offsets = [0]
        for line in source.splitlines(keepends=True):
            self._offsets.append(self._offsets[-1] + len(line))
        self._names: list[str] = []
        self._functions: list[str] = []
        self._statements: list[range] = []
        self._module = cst.parse_module("")

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _is_left_alone(node):
            return False
        match node:
            case cst.ClassDef() | cst.FunctionDef():
                self._enter(node)
            case cst.SimpleStatementLine() | cst.BaseCompoundStatement() | cst.MatchCase():
                self._statements.append(self._span(node))
            case _:
                pass
        if self._functions:
            self._mutate(node)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        match original_node:
            case cst.FunctionDef():
                self._names.pop()
                self._functions.pop()
            case cst.ClassDef():
                self._names.pop()
            case cst.SimpleStatementLine() | cst.BaseCompoundStatement() | cst.MatchCase():
                self._statements.pop()
            case _:
                pass

    def _enter(self, node: cst.ClassDef | cst.FunctionDef) -> None:
        """Step into a class or function; one inside a function belongs to the outermost."""
        self._names.append(node.name.value)
        if isinstance(node, cst.FunctionDef):
            outer = self._functions[0] if self._functions else ".".join(self._names)
            self._functions.append(outer)

    def _span(self, node: cst.CSTNode) -> range:
        """Give a statement's lines, of a compound one only its head."""
        where = self.get_metadata(metadata.PositionProvider, node)
        body = getattr(node, "body", None)
        if isinstance(node, cst.Match):
            return range(where.start.line, where.start.line + 1)
        if isinstance(body, cst.IndentedBlock):
            inner = self.get_metadata(metadata.PositionProvider, body.body[0])
            return range(where.start.line, max(where.start.line + 1, inner.start.line))
        return range(where.start.line, where.end.line + 1)

    def _mutate(self, node: cst.CSTNode) -> None:
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                for changed in operator(node):
                    if self._said(changed) != self._said(node):
                        self._keep(node, changed)

    def _said(self, node: cst.CSTNode) -> object:
        """Give what a call says but for `strict`, which only asserts; of another node, itself."""
        if not isinstance(node, cst.Call):
            return id(node)
        said = [one for one in node.args if not _is_strict(one)]
        return [
            self._module.code_for_node(one) for one in (node.func, *(one.value for one in said))
        ]

    def _keep(self, node: cst.CSTNode, changed: cst.CSTNode) -> None:
        if isinstance(node, cst.Match):
            place = self._case_left_out(node, changed)
            new = ""
        else:
            where = self.get_metadata(metadata.PositionProvider, node, None)
            place = where and (self._at(where.start), self._at(where.end))
            new = self._module.code_for_node(changed)
        if place is None or not self._statements:
            return
        start, end = place
        one = Mutant(
            path=self._path,
            function=self._functions[0],
            number=len(self.found),
            line=self._source.count("\n", 0, start) + 1,
            lines=self._statements[-1],
            start=start,
            old=self._source[start:end],
            new=new,
        )
        self.found.append(one)

    def _at(self, position: metadata.CodePosition) -> int:
        return self._offsets[position.line - 1] + position.column

    def _case_left_out(self, node: cst.Match, changed: cst.CSTNode) -> tuple[int, int] | None:
        """Find the lines of the case that is missing, but for those that cannot be reached."""
        assert isinstance(changed, cst.Match)
        (case,) = [one for one in node.cases if one not in changed.cases]
        where = self.get_metadata(metadata.PositionProvider, case)
        last = self.get_metadata(metadata.PositionProvider, case.body.body[-1])
        start, end = self._offsets[where.start.line - 1], self._offsets[last.end.line]
        return None if "assert_never(" in self._source[start:end] else (start, end)


def _is_strict(node: cst.Arg) -> bool:
    return node.keyword is not None and node.keyword.value == "strict"


def _is_left_alone(node: cst.CSTNode) -> bool:
    match node:
        case cst.Arg():
            return _is_strict(node)
        case cst.Annotation() | cst.Decorator() | cst.Param():
            return True
        case cst.Call(func=cst.Name(value=name)):
            return name in LEFT_ALONE
        case _:
            return False


def codes_of(source: str, path: str) -> Iterator[CodeType]:
    """Compile a source and give the code of every function in it, those in classes too.

    Raises:
        SyntaxError: the change made something that is no Python.
    """
    waiting = [compile(source, path, "exec", dont_inherit=True)]
    while waiting:
        for inner in waiting.pop().co_consts:
            if isinstance(inner, CodeType):
                yield inner
                waiting.append(inner)
