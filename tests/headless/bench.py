"""Small notebooks, written and run for a test: cells in, the run's result and folder out."""

import json
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from opslib.headless import notebooks, runner
from opslib.headless.asked import Asked

PARAMETERS = 'environment: str = "lab"  # target: lab, staging or production'
BEGIN = "from opslib import begin\nrun = begin(environment)"


def notebook(folder, *sources, finish="run.finish()"):
    """Write ``runbooks/try-things`` into ``folder`` and return it; the cells are act-1, act-2 … and finish."""
    cells = [new_markdown_cell("# Try things\n\nWhen bored.", id="what-this-is")]
    cells.append(new_code_cell(PARAMETERS, id="parameters", metadata={"tags": ["parameters"]}))
    cells.append(new_code_cell(BEGIN, id="begin"))
    cells += [new_code_cell(source, id=f"act-{number}") for number, source in enumerate(sources, 1)]
    cells.append(new_code_cell(finish, id="finish"))
    path = folder / "runbooks" / "try-things.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), path)
    return notebooks.load(path, folder)


def run(folder, settings, *sources, mode="run", **more):
    """Run such a notebook on a target; returns its result and its folder."""
    asked = Asked(
        notebook(folder / "notebooks", *sources, **more), {"environment": settings.environment}, settings, mode
    )
    result = runner.execute(asked, folder / "archive")
    return result, Path(result["report"]).parent


def events(folder):
    """Return the lines of a run's journal."""
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
