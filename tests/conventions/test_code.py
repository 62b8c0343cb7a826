"""Promises about code that no linter rule says: where secrets are revealed, no dry runs inside actions."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "opslib").rglob("*.py"))
REVEALING = ("systems/", "lab/", "redaction.py", "settings.py")


def calls(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_secret_is_revealed_inside_the_systems_only(path):
    own = path.relative_to(ROOT / "opslib").as_posix()
    found = [node.lineno for node, name in calls(path) if name.endswith(".reveal")]
    assert own.startswith(REVEALING) or found == []


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_action_asks_whether_it_is_a_dry_run(path):
    names = {node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)}
    assert not names & {"dry_run", "dryrun"}
