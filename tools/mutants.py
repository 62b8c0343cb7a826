"""How many small faults in a pure module its own tests find: ``python tools/mutants.py [MODULE…]``.

Each mutant is the module with one place changed (a comparison, a boolean, a constant, a condition, a returned
value), tested in a copy of the project. What survives is printed with its line.
"""

from __future__ import annotations

import ast
import copy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = {
    "opslib/runs/steps.py": ("tests/runs/test_steps.py",),
    "opslib/runs/gate.py": ("tests/runs/test_gate.py",),
    "opslib/runs/saved_plan.py": ("tests/runs/test_saved_plan.py",),
}
"""The modules, and the tests that must find a fault in them."""

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


def changes(node: ast.AST) -> Iterator[ast.AST]:
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
        yield from (value for value in node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    else:
        yield from _statements(node)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, (ast.If, ast.IfExp)):
        other_if = copy.deepcopy(node)
        other_if.test = ast.UnaryOp(ast.Not(), other_if.test)
        yield other_if
    elif isinstance(node, ast.Constant) and not isinstance(node.value, str) and node.value is not ...:
        yield ast.Constant(node.value + 1 if type(node.value) in (int, float) else not node.value)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
        other_bin = copy.deepcopy(node)
        other_bin.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield other_bin
    elif isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield ast.Pass()


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield (line, what was, what is, whole source) of each fault, one at a time."""
    tree = ast.parse(source)
    annotations = {id(part) for node in ast.walk(tree) for part in _notes(node)}
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            places = value if isinstance(value, list) else [value]
            for index, node in enumerate(places):
                if not isinstance(node, ast.AST) or id(node) in annotations:
                    continue
                for other in changes(node):
                    ast.copy_location(other, node)
                    _put(parent, field, value, index, other)
                    whole = ast.unparse(ast.fix_missing_locations(tree))
                    _put(parent, field, value, index, node)
                    said = f"{ast.unparse(node).splitlines()[0]}  ->  {ast.unparse(other).splitlines()[0]}"
                    yield getattr(node, "lineno", 0), said, whole


def _notes(node: ast.AST) -> Iterator[ast.AST]:
    for name in ("annotation", "returns", "decorator_list"):
        part = getattr(node, name, None)
        for one in part if isinstance(part, list) else [part]:
            if isinstance(one, ast.AST):
                yield from ast.walk(one)


def _put(parent: ast.AST, field: str, value: object, index: int, node: ast.AST) -> None:
    if isinstance(value, list):
        value[index] = node
    else:
        setattr(parent, field, node)


def main(names: list[str]) -> int:
    """Try all mutants of the named modules, or of all; returns 1 when fewer than 95 % are found."""
    worst = 1.0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "project")
        for part in ("opslib", "tests", "notebooks"):
            shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", place)
        for module in names or list(MODULES):
            source = (ROOT / module).read_text()
            tried, left = 0, []
            for line, said, whole in mutants(source):
                (place / module).write_text(whole)
                command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *MODULES[module]]
                found = subprocess.run(command, cwd=place, capture_output=True, timeout=300).returncode
                tried += 1
                left += [] if found else [f"  line {line}: {said}"]
            (place / module).write_text(source)
            rate = 1 - len(left) / tried
            worst = min(worst, rate)
            print(f"{module}: {tried - len(left)} of {tried} found ({rate:.1%})", *left, sep="\n", flush=True)
    return int(worst < 0.95)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
