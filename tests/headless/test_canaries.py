"""A secret planted in every channel of a notebook, in every encoding; searched in every byte that is left.

Each plant must also be seen as a redaction mark where it would have stood: a channel that nothing came through
proves nothing.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import boto3
import nbformat
import pytest
import redis
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from opslib.redaction import MARK
from tests import typed
from tests.headless.canaries import CORE, ENCODINGS, SECRET, plants, traces
from tests.scale import first

ROOT = Path(__file__).resolve().parents[2]

START = f"""
import sys, json, os, logging, warnings, linecache, subprocess, base64, zlib, struct
sys.path.insert(0, {str(ROOT)!r})
from IPython.display import display, clear_output, update_display
from tests.headless.canaries import SECRET, plants
shell = get_ipython()
def lines(channel, leave=()):
    return "\\n".join(plants(channel, leave))
def shown(kind, channel, text=None):
    display({{kind: text or lines(channel)}}, raw=True)
def raised(error):
    try:
        raise error
    except Exception:
        shell.showtraceback()
class Showing:
    def __init__(self, **said): self.said = said
    def __getattr__(self, name):
        if name in self.__dict__.get("said", {{}}): return lambda: self.said[name]
        raise AttributeError(name)
"""

CHANNELS = {
    "stdout": "print(lines('stdout'))",
    "stderr": "print(lines('stderr'), file=sys.stderr)",
    "split": """
for plant in plants("split"):
    half = len(plant) * 3 // 5
    sys.stdout.write(plant[:half]); sys.stdout.flush(); sys.stdout.write(plant[half:] + "\\n"); sys.stdout.flush()""",
    "around": """
for plant in plants("around"):
    half = len(plant) * 3 // 5
    print(plant[:half], end="", flush=True); display({"text/plain": "a picture"}, raw=True); print(plant[half:])""",
    "overwritten": "for plant in plants('overwritten'): print(plant, end='\\r')\nprint()",
    "plain": "shown('text/plain', 'plain')",
    "html": "shown('text/html', 'html', '<table><tr><td>' + lines('html') + '</td></tr></table>')",
    "attribute": "shown('text/html', 'attribute', '<b title=\"' + lines('attribute') + '\">x</b>')",
    "script": "shown('application/javascript', 'script')",
    "markdown": "shown('text/markdown', 'markdown')",
    "latex": "shown('text/latex', 'latex')",
    "svg": "shown('image/svg+xml', 'svg', '<svg><text>' + lines('svg') + '</text></svg>')",
    "json": "display({'application/json': {'a': [{'b': plants('json')}]}}, raw=True)",
    "json-keys": "display({'application/json': {plant: 1 for plant in plants('json-keys')}}, raw=True)",
    "nested": "print(json.dumps({'a': json.dumps({'b': lines('nested')})}))",
    "own-type": "display({'application/vnd.own+json': {'deep': [[plants('own-type')]]}}, raw=True)",
    "output-metadata": "display({'text/plain': 'x'}, raw=True, metadata={'own': plants('output-metadata')})",
    "repr": "Showing(__repr__=1)\nclass Told:\n    def __repr__(self): return lines('repr')\nTold()",
    "repr-html": "class Page:\n    def _repr_html_(self): return lines('repr-html')\nPage()",
    "update": "h = display({'text/plain': 'x'}, raw=True, display_id='u')\n"
    "update_display({'text/plain': lines('update')}, raw=True, display_id='u')",
    "cleared": "print(lines('gone'))\nclear_output(wait=True)\nprint(lines('cleared'))",
    "exception": "raised(ValueError(lines('exception')))",
    "exception-note": "e = ValueError('x')\ne.add_note(lines('exception-note'))\nraised(e)",
    "cause": """
try:
    try: raise KeyError(lines("cause"))
    except KeyError as error: raise ValueError("x") from error
except ValueError: shell.showtraceback()""",
    "source": """
for number, plant in enumerate(plants("source", ["utf-16", "base64-lines"])):
    source, name = f"1 / 0  # {plant}\\n", f"/planted/{number}.py"
    linecache.cache[name] = (len(source), None, [source], name)
    try: exec(compile(source, name, "exec"))
    except ZeroDivisionError: shell.showtraceback()""",
    "step-failed": "from opslib import errors\nraised(errors.StepFailed(lines('step-failed'), lines('step-failed')))",
    "refused": "from opslib import errors\nraised(errors.Refused(lines('refused'), 'x'))",
    "logging": "logging.getLogger('own').warning(lines('logging'))",
    "warning": "warnings.warn(lines('warning'))",
    "child": "out = subprocess.run([sys.executable, '-c', 'import sys; print(sys.stdin.read())'],"
    " input=lines('child', ['utf-16']), text=True, capture_output=True).stdout\nprint(out)",
    "shell": "(lambda p: (open(p, 'w').write(lines('shell')), shell.system('cat ' + p), os.unlink(p)))"
    "(os.environ['IPYTHONDIR'] + '/planted')",
    "connection": "from psycopg.conninfo import make_conninfo\n"
    "for plant in plants('connection', ['utf-16']): print(make_conninfo(host='127.0.0.1', password=plant))",
    "header": "import httpx\nfor plant in plants('header'):\n    print(httpx.Headers({'X-Own': plant.encode()}).raw)",
    "widget": """
import comm
state = {"_model_module": "own", "_model_name": "Own", "_model_module_version": "1", "value": plants("widget")}
c = comm.create_comm(target_name="jupyter.widget", data={"state": state}, metadata={"version": "2.1.0"})
c.send({"method": "update", "state": {"more": plants("widget-update")}})""",
    "buffer": """
data = {"method": "update", "state": {}, "buffer_paths": [["one"]]}
for plant in plants("buffer"):
    b = comm.create_comm(target_name="jupyter.widget", data={"state": {"_model_module": "o", "_model_name": "O",
      "_model_module_version": "1"}, "buffer_paths": [["one"]]}, buffers=[plant.encode()],
      metadata={"version": "2.1.0"})""",
    "picture": """
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for plant in plants("picture", ["base64-base64"]):
    png = b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    png += chunk(b"tEXt", b"own\\0" + plant.encode()) + chunk(b"IDAT", zlib.compress(b"\\0\\0")) + chunk(b"IEND", b"")
    display({"image/png": base64.b64encode(png).decode()}, raw=True)""",
    "history": "shell.run_cell('planted = ' + repr(lines('history')), store_history=True)",
    "next-input": "shell.set_next_input(lines('next-input'))",
    "pager": "from IPython.core import page\npage.page(lines('pager'))",
    "asked": "try: input(lines('asked'))\nexcept Exception as error: print(type(error).__name__)",
    "past-1": "os.write(1, lines('past').encode())\nos.write(2, lines('past').encode())",
    "past-2": "subprocess.run(['cat'], input=lines('past').encode())",
    "note": "run.note(lines('note'))",
    "reading": """
from opslib.model import Check, Judgement, Probe, Verdict
rows = [{"n": plant, plant: 1} for plant in plants("reading", ["utf-16"])]
reading = run.read(Probe("own.rows", "Own", lambda target: rows))
reading""",
    "result": """
probe = Probe("own.one", "Own", lambda target: [{"n": 1}])
run.check(Check("own.one", lines("title"), probe,
  lambda reading: Judgement(Verdict.WARNING, lines("summary")), lines("remedy")))""",
    "step": """
from opslib.actions.backups import ProveBackup
for plant in plants("step", ["utf-16"]):
    try: run.step(ProveBackup(backup=plant))
    except Exception as error: shell.showtraceback()""",
    "end": "raise ValueError(lines('end'))",
}

SEEN_AS = {"widget": ("widget", "widget-update"), "result": ("title", "summary", "remedy")}
"""Channels that have plants under other names."""

NOWHERE = {"past-1", "past-2", "next-input", "pager", "asked", "history", "buffer", "picture", "step"}
"""Nothing of these is kept, or not under the plant's label; what is kept of them is looked at below."""


def write(place, *, planted=""):
    cells = [new_markdown_cell("# Plant canaries\n\nIn a test.", id="what-this-is")]
    source = 'environment: str = "lab"  # target: lab, staging or production\n'
    source += f'word: str = "x"  # a word{planted} [kind: cache-key]'
    cells.append(new_code_cell(source, id="parameters", metadata={"tags": ["parameters"]}))
    cells.append(new_code_cell("from opslib import begin\nrun = begin(environment)", id="begin"))
    cells.append(new_code_cell(START, id="start"))
    cells += [new_code_cell(source, id=f"by-{channel}") for channel, source in CHANNELS.items()]
    book = new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    path = place / "notebooks" / "runbooks" / "plant-canaries.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(book, path)


@pytest.fixture(scope="module", params=first(1, False, True), ids=lambda kernel: "kernel" if kernel else "shell")
def planted(request, lab, tmp_path_factory):
    """One run of the notebook on the lab, whose description holds the canary as one more secret, by each way."""
    place = tmp_path_factory.mktemp("canaries")
    for name in ("home", "tmp", "lab"):
        (place / name).mkdir()
    described = (lab.folder / "target.env").read_text().splitlines()
    kept = [line for line in described if not line.startswith("OPS_ANCHOR_")]
    value = SECRET.replace("\\", "\\\\").replace("'", "\\'")
    (place / "lab" / "target.env").write_text("\n".join([*kept, f"OPS_ANCHOR_AWS_SECRET_ACCESS_KEY='{value}'", ""]))
    write(place)
    own = {"HOME": place / "home", "TMPDIR": place / "tmp", "OPS_LAB": place / "lab", "OPS_ARCHIVE": place / "archive"}
    environment = os.environ | {name: str(path) for name, path in own.items()}
    environment["OPS_NOTEBOOKS"] = str(place / "notebooks")

    command = [typed.OPS, "run", "runbooks/plant-canaries", "--json", *(["--kernel"] if request.param else [])]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert json.loads(done.stdout).get("state") == "failed", done.stdout + done.stderr
    (folder,) = (place / "archive" / "runs").glob("*-plant-canaries-*")
    return place, folder, done, environment, request.param


def texts(value):
    if isinstance(value, str):
        return value + "\n"
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return "".join(value) + "\n"
    if isinstance(value, dict):
        return "".join(f"{key}\n{texts(item)}" for key, item in value.items())
    return "".join(map(texts, value)) if isinstance(value, list) else ""


def test_the_run_came_to_its_end_and_was_sealed(planted):
    _, folder, done, *_ = planted
    cells = {c["id"]: c for c in json.loads((folder / "notebook.ipynb").read_text())["cells"]}
    assert json.loads(done.stdout)["reason"].startswith("ValueError in cell by-end"), done.stdout + done.stderr
    assert (folder / "MANIFEST.sha256").exists()
    assert set(cells) >= {f"by-{channel}" for channel in CHANNELS}


def test_every_plant_is_seen_as_a_mark_where_it_stood(planted):
    _, folder, _, _, kernel = planted
    nowhere = NOWHERE if kernel else NOWHERE | {"widget"}  # whose state no shell keeps
    notebook = json.loads((folder / "notebook.ipynb").read_text())
    said = texts(notebook) + "".join(texts(json.loads(line)) for line in (folder / "journal.jsonl").open())
    said = re.sub(r"\x1b\[[0-9;]*m", "", said)
    unseen, seen = [], 0
    for channel in CHANNELS:
        for name in SEEN_AS.get(channel, (channel,)) if channel not in nowhere else ():
            for label in re.findall(f"'<<{name}:([a-z0-9-]+):", repr(plants(name, left(channel)))):
                found = re.search(f"<<{name}:{label}:[^<]{{0,12}}{MARK}", said)
                seen += found is not None
                unseen += [] if found else [f"{name}:{label}"]
    assert unseen == []
    assert seen >= (360 if kernel else 330)


def left(channel):
    """Which encodings the channel itself cannot carry."""
    return [name for name in ENCODINGS if f"'{name}'" in CHANNELS[channel] or f'"{name}"' in CHANNELS[channel]]


def test_buffers_are_emptied_and_pictures_hidden(planted):
    _, folder, _, _, kernel = planted
    notebook = json.loads((folder / "notebook.ipynb").read_text())
    kept = notebook["metadata"].get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {"state": {}})
    buffers = [buffer["data"] for widget in kept["state"].values() for buffer in widget.get("buffers", [])]
    assert buffers == ([""] * len(ENCODINGS) if kernel else [])
    cells = {cell["id"]: cell for cell in notebook["cells"]}
    pictures = [output["data"]["image/png"] for output in cells["by-picture"]["outputs"]]
    assert len(pictures) == len(ENCODINGS) - 1
    assert [picture for picture in pictures if MARK not in picture] == []


def sinks(place, lab):
    yield from (path for path in place.rglob("*") if path.is_file() and path != place / "lab" / "target.env")
    yield from (path for path in lab.folder.rglob("*") if path.is_file() and path.stat().st_size < 50_000_000)


def test_no_byte_of_any_sink_holds_a_trace(planted, lab):
    place, folder, done, *_ = planted
    searched = set(sinks(place, lab))
    names = {path.relative_to(folder).parts[0] for path in searched if path.is_relative_to(folder)}
    assert names >= {"notebook.ipynb", "report.html", "journal.jsonl", "plan.json", "result.json", "run.json"}
    assert {path.name for path in searched} >= {"index.html", "MANIFEST.sha256", "000001.entry"}
    assert {str(path): found for path in searched if (found := traces(path.read_bytes()))} == {}
    assert [path for path in searched if CORE in str(path)] == []
    assert traces(done.stdout.encode()) | traces(done.stderr.encode()) == set()
    assert list((place / "tmp").iterdir()) == []


def test_the_servers_of_the_target_have_heard_nothing_of_it(planted, lab):
    with lab.admin() as database:
        said = database.execute("SELECT query FROM pg_stat_statements").fetchall()
    assert len(said) > 0
    assert traces(repr(said).encode()) == set()
    with redis.Redis.from_url(lab.settings.cache_url.reveal()) as cache:
        assert traces(repr(cache.slowlog_get(1000)).encode()) == set()
        assert traces(repr(list(cache.scan_iter(count=1000))).encode()) == set()
    assert traces(repr(list(objects(lab.settings))).encode()) == set()


def objects(settings):
    keys = {"aws_access_key_id": settings.aws_access_key_id, "aws_secret_access_key": settings.aws_secret_access_key}
    opened = {name: secret.reveal() for name, secret in keys.items()}
    client = boto3.client("s3", endpoint_url=settings.aws_endpoint_url, region_name=settings.aws_region, **opened)
    for bucket in client.list_buckets()["Buckets"]:
        for item in client.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            head = client.head_object(Bucket=bucket["Name"], Key=item["Key"])
            yield bucket["Name"], item["Key"], head["Metadata"]


def test_a_search_that_finds_nothing_would_find_each_plant():
    missed = [name for name, code in ENCODINGS.items() if not traces(f"text {code(SECRET)} text".encode())]
    assert missed == []


@pytest.mark.parametrize("name", ["raw", "url", "html", "base64-1", "hex"])
def test_a_parameter_that_holds_a_secret_starts_nothing_and_is_not_repeated(planted, name):
    place, _, _, environment, _ = planted
    before = sorted((place / "archive" / "log").iterdir())
    word = f"word={ENCODINGS[name](SECRET)}"
    done = typed.ops("run", "runbooks/plant-canaries", "-p", word, environment=environment)
    assert done.returncode == 64
    assert sorted((place / "archive" / "log").iterdir()) == before
    assert traces((done.stdout + done.stderr).encode()) == set()


def test_a_parameter_that_looks_like_a_credential_starts_nothing_either(planted):
    place, _, _, environment, _ = planted
    before = sorted((place / "archive" / "log").iterdir())
    token = "gh" + "p_" + "a7Z" * 13
    command = [typed.OPS, "run", "runbooks/plant-canaries", "-p", f"word={token}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, token in done.stdout + done.stderr) == (64, False)
    assert sorted((place / "archive" / "log").iterdir()) == before
