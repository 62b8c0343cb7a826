"""Executing a notebook without a run: what a way of execution needs of one, and what it leaves."""

import json
import os

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from opslib.headless import kernel_warm
from opslib.headless.cell_log import CellLog
from opslib.headless.private import Private
from opslib.redaction import Redactor, Secret

SECRET = "k9-not-for-anybody-7Qx"


class Paper:
    """What the engine needs of a run, written down in a list."""

    def __init__(self, folder):
        self.redactor, self.account, self.ended = Redactor([Secret(SECRET)]), None, []
        # As a run's: sockets have room behind its name, however long those of the tests' folders are.
        self._own = Private()
        self.private = self._own.path
        self.shown, self.begun = CellLog(folder), None

    def environment(self):
        return {name: os.environ[name] for name in kernel_warm.PLAIN if name in os.environ}

    def close(self):
        self._own.remove()

    def cell_started(self, cell):
        self.ended.append((cell, "started"))

    def cell_finished(self, cell, status):
        self.ended[-1] = (cell, status)
        return []


def execute(folder, *sources, way, **limits):
    """Execute a notebook of these cells; returns the session and the cells as they were recorded."""
    cells = [new_code_cell(source, id=f"act-{number}") for number, source in enumerate(sources, 1)]
    nbformat.write(
        new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}),
        folder / "in.ipynb",
    )
    paper = Paper(folder)
    try:
        way.execute(str(folder / "in.ipynb"), str(folder / "out.ipynb"), {}, paper, **limits)
    finally:
        paper.close()
    return paper, recorded(folder)


def recorded(folder):
    if not (folder / "out.ipynb").exists():  # no cell failed, the run broke off
        assert CellLog(folder).restore(folder / "out.ipynb")
    return json.loads((folder / "out.ipynb").read_text())["cells"]
