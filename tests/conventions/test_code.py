"""Promises about code that no linter rule says: where secrets are revealed, no dry runs inside actions.

Each is one test over all modules, and only those that have the word at all are parsed.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "opslib").rglob("*.py"))
REVEALING = ("systems/", "lab/", "redaction.py", "settings.py")


def nodes(path, *words):
    """Yield the module's nodes; none where none of ``words`` stands in it."""
    text = path.read_text(encoding="utf-8")
    if any(word in text for word in words):
        yield from ast.walk(ast.parse(text))


def reveals(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "reveal"


def test_a_secret_is_revealed_inside_the_systems_only():
    found = {
        path.relative_to(ROOT / "opslib").as_posix(): [node.lineno for node in nodes(path, "reveal") if reveals(node)]
        for path in MODULES
    }
    revealing = {own: lines for own, lines in found.items() if lines}
    assert revealing
    assert {own: lines for own, lines in revealing.items() if not own.startswith(REVEALING)} == {}


def test_no_action_asks_whether_it_is_a_dry_run():
    words = {"dry_run", "dryrun"}
    found = {
        path.relative_to(ROOT).as_posix(): {node.id for node in nodes(path, *words) if isinstance(node, ast.Name)}
        & words
        for path in MODULES
    }
    assert {own: said for own, said in found.items() if said} == {}
