"""What must stand nowhere in the code and in no notebook: shells, glued statements, code out of text, blind trust.

The linter's security rules look at both; what they do not see is looked for here. Planted samples show that
each rule finds what it is for.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted([*(ROOT / "opslib").rglob("*.py"), *(ROOT / "tools").rglob("*.py")])
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
RUNNING = {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}
RUNNING |= {"subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell"}
LOADING = {
    f"{module}.{name}" for module in ("pickle", "marshal", "shelve", "dill", "jsonpickle") for name in ("load", "loads")
}
LOADING |= {"yaml.load", "yaml.unsafe_load", "yaml.full_load", "shelve.open", "pickle.Unpickler"}
STATEMENTS = {"execute", "executemany", "copy", "stream", "query", "mogrify", "SQL"}
ENDLESS = {f"requests.{name}" for name in ("get", "post", "put", "patch", "delete", "head", "options", "request")}
ENDLESS |= {"urllib.request.urlopen", "urlopen", "http.client.HTTPConnection", "http.client.HTTPSConnection"}
"""What waits for ever unless it is told not to; httpx waits 5 s unless it is told to wait for ever."""


def found(source):
    """Return what must not be in ``source``, as ``line: what``."""
    nodes = list(ast.walk(ast.parse(source)))
    glued = _glued_names(nodes)
    said = []
    for node in nodes:
        if isinstance(node, ast.Call):
            said += [f"{node.lineno}: {what}" for what in _call(node, glued)]
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            said += [f"{node.lineno}: {name}" for name in names & {"pickle", "marshal", "shelve", "dill"}]
    return said


def _call(node, glued):
    name = _said(node.func)
    keywords = {keyword.arg: _said(keyword.value) for keyword in node.keywords}
    if name in RUNNING:
        yield name
    if name in LOADING and "Safe" not in keywords.get("Loader", ""):
        yield name
    if keywords.get("shell", "False") != "False":
        yield f"{name} with a shell"
    if keywords.get("verify") in ("False", "None", "0") or "CERT_NONE" in keywords.values():
        yield f"{name} that trusts any certificate"
    if keywords.get("timeout", "None" if name in ENDLESS else "") == "None" and (name in ENDLESS or "httpx" in name):
        yield f"{name} without a time-out"
    if name.rsplit(".", 1)[-1] in STATEMENTS and node.args and _is_glued(node.args[0], glued):
        yield f"{name} of a statement made of values"


def _said(node):
    """Return a name with its dots or a constant as it stands in the source; of all else its last name at most."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_said(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return f"{_said(node.func)}()"
    return repr(node.value) if isinstance(node, ast.Constant) else "?"


def _is_glued(node, names):
    """Whether a statement is put together: an f-string, +, %, .format, .join, .replace, or a name for one of them."""
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, (ast.Add, ast.Mod)) and any(_text(part) for part in (node.left, node.right))
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("format", "join", "replace", "format_map", "encode") and _text(node.func.value)
    return False


def _text(node):
    """Whether ``node`` is a text for sure: of psycopg's SQL values, + and .format are the safe way."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (str, bytes))
    if isinstance(node, ast.BinOp):
        return _text(node.left) or _text(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("format", "join", "replace", "format_map", "encode") and _text(node.func.value)
    return isinstance(node, ast.JoinedStr)


def _glued_names(nodes):
    pairs = [
        (target.id, node.value)
        for node in nodes
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    ]
    return {name for name, value in pairs if _is_glued(value, set())}


def cells(path):
    """Return a notebook's code as one text; magics and shell lines are not Python and do not parse."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")


def ruff(*paths, inside=ROOT):
    """Run the linter's security rules alone, on notebooks as well; returns its findings.

    assert is for what the type checker cannot see, S603 asks for what the allow-list of programs answers, and
    S311 is right in the lab only: chance there is data.
    """
    rules = ["--select", "S", "--ignore", "S101,S603", "--per-file-ignores", "**/opslib/lab/*.py:S311"]
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--output-format", "json", *rules]
    done = subprocess.run([*command, *map(str, paths)], cwd=inside, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [f"{finding['filename']}: {finding['code']}" for finding in json.loads(done.stdout)]


def test_the_linters_security_rules_find_nothing_in_code_and_notebooks():
    assert NOTEBOOKS
    assert ruff("opslib", "tools", "notebooks") == []


def test_nothing_that_is_forbidden_stands_in_code():
    assert {str(path): said for path in CODE if (said := found(path.read_text(encoding="utf-8")))} == {}


def test_nothing_that_is_forbidden_stands_in_a_notebook():
    assert {str(path): said for path in NOTEBOOKS if (said := found(cells(path)))} == {}


PLANTED = {
    "subprocess.run(f'ls {x}', shell=True)": "shell",
    "os.system('ls')": "os.system",
    "os.popen('ls')": "os.popen",
    "subprocess.getoutput('ls')": "getoutput",
    "eval(text)": "eval",
    "exec(text)": "exec",
    "import pickle": "pickle",
    "from pickle import loads": "pickle",
    "pickle.loads(data)": "pickle.loads",
    "yaml.load(text)": "yaml.load",
    "yaml.load(text, Loader=yaml.Loader)": "yaml.load",
    "httpx.get(url, verify=False, timeout=5)": "certificate",
    "httpx.get(url, timeout=None)": "time-out",
    "requests.get(url)": "time-out",
    "requests.post(url, timeout=None)": "time-out",
    "httpx.Client(timeout=None)": "time-out",
    "urllib.request.urlopen(url)": "time-out",
    "c.execute(f'SELECT {x}')": "made of values",
    "c.execute('SELECT %s' % x)": "made of values",
    "c.execute('SELECT ' + x + ' FROM t')": "made of values",
    "c.execute('SELECT {}'.format(x))": "made of values",
    "c.executemany(' '.join(parts), rows)": "made of values",
    "c.execute(('SELECT ' + x).encode())": "made of values",
    "q = f'SELECT {x}'\nc.execute(q)": "made of values",
    "q = 'SELECT ' + x\nq += ' LIMIT 1'\ncursor.copy(q)": "made of values",
    "sql.SQL(f'SELECT {x}')": "made of values",
    "sql.SQL('SELECT ' + x)": "made of values",
}
HARMLESS = [
    "c.execute('SELECT 1 WHERE a = %s', (x,))",
    "c.execute(sql.SQL('SELECT {}').format(sql.Identifier(x)))",
    "c.execute(sql.SQL(', ').join(parts))",
    "httpx.Client(timeout=5, verify=context)",
    "os.execv('/bin/true', ['true'])",
    "subprocess.run(['ls', x], shell=False)",
    "yaml.safe_load(text)",
    "', '.join(names)",
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda text: text.splitlines()[-1])
def test_a_planted_sample_is_found(planted):
    said = found(planted)
    assert any(PLANTED[planted] in what for what in said), said


@pytest.mark.parametrize("source", HARMLESS)
def test_what_is_as_it_should_be_is_not_found(source):
    assert found(source) == []


def test_the_linter_finds_what_is_planted_in_a_notebook(tmp_path):
    notebook = json.loads(NOTEBOOKS[0].read_text(encoding="utf-8"))
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    code["source"] = (
        "import subprocess, pickle, requests, yaml\nsubprocess.run('ls ' + x, shell=True)\neval(x)\npickle.loads(x)\n"
        "requests.get(x, verify=False)\nyaml.load(x)\ncursor.execute('SELECT * FROM t WHERE a = %s' % x)\n"
    )
    (tmp_path / "planted.ipynb").write_text(json.dumps(notebook))
    said = {line.rsplit(" ", 1)[1] for line in ruff(tmp_path, inside=tmp_path)}
    assert {"S602", "S307", "S301", "S113", "S501", "S506", "S608"} <= said
