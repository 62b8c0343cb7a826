"""Whichever way a notebook's cells are executed (papermill with a kernel, or without either), the same comes out."""

import json
import os
import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import nbformat
import papermill  # noqa: F401 - loads the engine by its entry point, as ops run does
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from opslib.headless import engine, injected, runner, shell_engine, shell_outputs
from opslib.headless.kernel_warm import keep_warm
from opslib.runs.display import MIME
from tests.headless.paper import Paper
from tests.scale import count, nightly
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]

OWN = r"ipykernel/kernelbase\.py|headless/shell_(?:process|interactive)\.py"
ENDS = {
    "killed": ["print('so far')", "import os\nprint('last', flush=True)\nos.kill(os.getpid(), 9)"],
    "left": ["import os\nos._exit(7)"],
    "hangs": ["print('so far')", "import time\ntime.sleep(600)"],
    "hangs awaiting": ["import asyncio\nawait asyncio.sleep(600)"],
    "deaf to the interrupt": ["while True:\n    try:\n        while True: pass\n    except BaseException: pass"],
}


def corners():
    """Return the notebooks of ways_corners.txt: name, and text and tags of each cell."""
    parts = re.split(r"(?m)^## (.*)\n", Path(__file__).with_name("ways_corners.txt").read_text(encoding="utf-8"))[1:]
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        cells = re.split(r"(?m)^# %%(.*)\n", text)[1:]
        told = [(source.strip("\n"), tags.split()) for tags, source in zip(cells[::2], cells[1::2], strict=True)]
        yield pytest.param(told, id=name.replace(" ", "-"))


def executed(folder, way, sources, **limits):
    """Return what was recorded of a notebook of these cells, how it ended, and what the session was told."""
    folder.mkdir()
    cells = []
    for number, source in enumerate(sources, 1):
        text, tags = (source, []) if isinstance(source, str) else source
        cells.append(new_code_cell(text, id=f"act-{number}", metadata={"tags": tags}))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / "in.ipynb")
    paper, ended = Paper(folder), None
    try:
        way.execute(str(folder / "in.ipynb"), str(folder / "out.ipynb"), {}, paper, **limits)
    except way.CellFailed as error:
        ended = ("CellFailed", error.ename, re.sub(r"\(\d+\.py", "(CELL", str(error.evalue)))
    except Exception as error:
        ended = (type(error).__name__, str(error))
    finally:
        paper.close()
    if not (folder / "out.ipynb").exists():
        assert paper.shown.restore(folder / "out.ipynb")
    nbformat.validate(book := nbformat.read(folder / "out.ipynb", as_version=4))
    return {"cells": [told(cell) for cell in normal(book.cells)], "ended": ended, "session": paper.ended,
            "language": book.metadata.get("language_info")}  # fmt: skip


def normal(cells):
    return [cell for cell in cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])]


def told(cell):
    """Return what counts of a cell: what differs from one time to the next is taken out."""
    noted = cell.metadata.get("papermill", {})
    outputs = in_order(cell.get("outputs", []))
    text = json.dumps([cell.get("execution_count"), outputs, noted.get("status"), noted.get("exception")])
    text = re.sub(r"/tmp/ipykernel_\d+/\d+\.py|<ipython-input-\d+-[0-9a-f]+>|/tmp/ipython_[^\"]*?\.py", "CELL", text)
    text = re.sub(r"\(\d+\.py, line", "(CELL, line", text)
    text = re.sub(r"0x[0-9a-f]{6,}", "0x", text)
    text = re.sub(r"\(pid=\d+\)|Thread-\d+", "N", text)
    return json.loads(text)


def in_order(outputs):
    """Return them with neighbouring streams joined: which of two stands first is chance in a kernel."""
    made = []
    for streams, group in groupby(outputs, lambda output: output["output_type"] == "stream"):
        if not streams:
            # Where the refusal of an input stands in the code is each way's own.
            made += [
                {**output, "traceback": [line for line in output["traceback"] if not re.search(OWN, line)]}
                if output["output_type"] == "error"
                else output
                for output in group
            ]
            continue
        texts = {}
        for output in group:
            texts[output["name"]] = texts.get(output["name"], "") + output["text"]
        made.append(texts)
    return made


@pytest.fixture
def forks(zygote):
    """Both are forked: that this changes nothing of what is seen is a test of its own."""
    with keep_warm(zygote):
        yield


@pytest.mark.usefixtures("forks")
@pytest.mark.parametrize("sources", list(corners())[:: count(6, 1)])
def test_both_ways_show_the_same(tmp_path, sources):
    kernel = executed(tmp_path / "kernel", engine, sources)
    shell = executed(tmp_path / "shell", shell_engine, sources)
    assert shell == kernel


@pytest.mark.usefixtures("forks")
@pytest.mark.parametrize("name", list(ENDS)[: count(1, len(ENDS))])
def test_both_ways_end_alike(tmp_path, name):
    ways = {way: executed(tmp_path / way.__name__[16:21], way, ENDS[name], seconds=2) for way in (engine, shell_engine)}
    for told_of in ways.values():
        # How much of a dying cell's output still arrives is chance.
        *whole, dying = told_of["cells"]
        told_of["cells"] = [*whole, dying[2:]]
    assert ways[shell_engine] == ways[engine]


@pytest.mark.parametrize("sources", list(corners())[3 :: count(12, 1)])
def test_a_forked_process_shows_what_a_started_one_does(tmp_path, sources, zygote):
    started = executed(tmp_path / "started", shell_engine, sources)
    with keep_warm(zygote):
        forked = executed(tmp_path / "forked", shell_engine, sources)
    assert forked == started


VALUES = {"environment": "lab", "name": 'a "quoted" \\ ünï\n', "count": -3, "hours": 1.5, "on": True}


def test_parameters_are_put_in_as_papermill_puts_them_in(tmp_path):
    cells = [
        new_markdown_cell("# A"),
        new_code_cell("count = 1", metadata={"tags": ["parameters"]}),
        new_code_cell("1"),
    ]
    nbformat.write(
        new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}),
        tmp_path / "in.ipynb",
    )
    theirs = parameterize_notebook(load_notebook_node(str(tmp_path / "in.ipynb")), VALUES, language="python")
    ours = injected.prepared(tmp_path / "in.ipynb", VALUES)
    assert [cell["source"] for cell in ours["cells"]] == [cell.source for cell in theirs.cells]
    assert [cell["metadata"]["tags"] for cell in ours["cells"]] == [cell.metadata.tags for cell in theirs.cells]
    (tmp_path / "out.ipynb").write_bytes(injected.written(ours))
    nbformat.validate(nbformat.read(tmp_path / "out.ipynb", as_version=4))


DIAGNOSTICS = sorted(path.stem for path in (ROOT / "notebooks" / "diagnostics").glob("*.ipynb"))
ENDING = ("finished", "closed")


def by_stock_papermill(name, lab, folder):
    """Return the record of a run whose notebook stock papermill has executed: it starts its own executor."""
    own = {"OPS_LAB": lab.folder, "OPS_ARCHIVE": folder, "JPY_SESSION_NAME": f"notebooks/diagnostics/{name}.ipynb"}
    source, out = ROOT / "notebooks" / "diagnostics" / f"{name}.ipynb", folder.with_name("stock.ipynb")
    command = [Path(sys.executable).with_name("papermill"), "--no-progress-bar", "--log-level", "ERROR", source, out]
    environment = os.environ | {key: str(value) for key, value in own.items()}
    subprocess.run(list(map(str, command)), env=environment, check=True, timeout=600)
    (run,) = (folder / "runs").iterdir()
    until(lambda: (run / "MANIFEST.sha256").exists())
    return of(run, out)


def by_runner(name, folder, **way):
    result = runner.run(f"diagnostics/{name}", (), "lab", folder, **way)
    return of(Path(result["report"]).parent)


def of(run, book=None):
    """Return what counts of a run: how it ended, what its cells show, and what its journal says."""
    result = json.loads((run / "result.json").read_bytes())
    cells = normal(nbformat.read(book or run / "notebook.ipynb", as_version=4).cells)
    lines = [json.loads(line) for line in (run / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "end": (result["verdict"], result["exit_code"], result["state"]),
        "shown": {cell.id: [seen(output) for output in cell.get("outputs", [])] for cell in cells},
        "journal": [(line.get("cell"), *judged(line)) for line in lines],
    }


def judged(line):
    result = line.get("result", {})
    return line["event"], result.get("check"), result.get("verdict"), result.get("threshold")


def seen(output):
    """Return an output's form and what it is about; figures and times are not the same a minute later."""
    data = output.get("data", {})
    said = data.get(MIME, {})
    value = said.get("value", {})
    known = [value.get(key) for key in ("check", "probe", "title", "verdict", "columns", "units", "items")]
    text = re.sub(r"[\d.,]+", "N", output.get("text", ""))
    return output.output_type, output.get("name"), text, sorted(data), said.get("kind"), known


@nightly
@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_each_diagnostics_has_the_same_record_whichever_way(tmp_path, lab, zygote, monkeypatch, name):
    monkeypatch.setenv("OPS_LAB", str(lab.folder))
    for number in range(TRIES):
        stock, *ours = each_way(tmp_path / str(number), lab, zygote, name)
        # Without a runner beside it nobody tells which cell runs; papermill puts in no cell where nothing was given.
        alone = without_cells(ours[0])
        if all(one == ours[0] for one in ours) and without_cells(stock) == alone:
            return
    assert ours == [ours[0]] * len(ours)
    assert without_cells(stock) == alone


TRIES = 3
"""A verdict on how fast the lab answers is now and then another one on a busy machine; what is a way's own is so each
time."""


def each_way(folder, lab, zygote, name):
    folder.mkdir()
    stock, cold = by_stock_papermill(name, lab, folder / "stock"), by_runner(name, folder / "cold")
    with keep_warm(zygote):
        return stock, cold, by_runner(name, folder / "warm"), by_runner(name, folder / "kernel", kernel=True)


def without_cells(record):
    journal = [said for _, *said in record["journal"] if said[0] in ("result", "reading", "note", *ENDING)]
    shown = {cell: outputs for cell, outputs in record["shown"].items() if cell != "injected-parameters"}
    return {**record, "journal": journal, "shown": shown}


def test_what_is_no_output_is_refused():
    with pytest.raises(ValueError, match="no output"):
        shell_outputs.output_of("stream", {"name": "elsewhere", "text": "x"})
    with pytest.raises(ValueError, match="without data"):
        shell_outputs.output_of("display_data", {"data": "x", "metadata": {}})
    with pytest.raises(ValueError, match="number"):
        shell_outputs.output_of("execute_result", {"data": {}, "metadata": {}, "execution_count": "1"})
