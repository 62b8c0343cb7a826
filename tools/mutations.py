"""The small faults that :mod:`tools.mutants` puts into a module, one at a time."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

OTHER: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


@dataclass(frozen=True)
class Mutant:
    """A module with one place changed.

    ``lines`` are those that a test must reach to meet the fault, none for what runs when the module is loaded.
    ``said`` is the function, what was, and what is; it has no line number, so that it outlives other changes.
    """

    line: int
    lines: range
    said: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Yield the source with each fault, one at a time; strings, types and decorators stay as they are."""
    tree = ast.parse(source)
    yield from _below(tree, tree, "", False)


def _below(tree: ast.Module, parent: ast.AST, name: str, called: bool) -> Iterator[Mutant]:
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for index, node in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(node, ast.AST) or _types_only(node):
                continue
            # A function's defaults are made when the module is loaded, its body when it is called.
            inside = called or (isinstance(parent, (ast.FunctionDef, ast.Lambda)) and field == "body")
            for other in _changes(node):
                ast.copy_location(other, node)
                _put(parent, field, value, index, other)
                whole = ast.unparse(ast.fix_missing_locations(tree))
                _put(parent, field, value, index, node)
                said = f"{name or 'module'}: {_first(node)} -> {_first(other)}"
                yield Mutant(getattr(node, "lineno", 0), _lines(node) if inside else range(0), said, whole)
            own = getattr(node, "name", "") if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else ""
            yield from _below(tree, node, f"{name}.{own}" if name and own else name or own, inside)


def _types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _lines(node: ast.AST) -> range:
    seen = node.test if isinstance(node, ast.If) else node
    line = getattr(seen, "lineno", 0)
    return range(line, (getattr(seen, "end_lineno", None) or line) + 1)


def _first(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0]


def _put(parent: ast.AST, field: str, value: object, index: int, node: ast.AST) -> None:
    if isinstance(value, list):
        value[index] = node
    else:
        setattr(parent, field, node)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the node's faulty variants."""
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            other = copy.deepcopy(node)
            other.ops[number] = OTHER[type(operator)]()
            yield other
    elif isinstance(node, ast.BoolOp):
        other_bool = copy.deepcopy(node)
        other_bool.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield other_bool
        yield from (copy.deepcopy(value) for value in node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield copy.deepcopy(node.operand)
    else:
        yield from _statements(node)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, (ast.If, ast.IfExp)):
        other_if = copy.deepcopy(node)
        other_if.test = ast.UnaryOp(ast.Not(), other_if.test)
        yield other_if
    elif isinstance(node, ast.Constant) and not isinstance(node.value, str) and node.value is not ...:
        yield ast.Constant(node.value + 1 if type(node.value) in (int, float) else not node.value)
    elif isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
        other_bin = copy.deepcopy(node)
        other_bin.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield other_bin
    elif isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield ast.Pass()
