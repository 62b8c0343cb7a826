"""What a notebook shows so far is there after a run was cut off, wherever that was."""

import json

from opslib.headless.cell_log import NAME, CellLog

BOOK = {"cells": [{"id": "first", "outputs": []}, {"id": "second", "outputs": []}], "nbformat": 4}


def shown(folder):
    log = CellLog(folder)
    log.begin(BOOK)
    log.append(0, {"id": "first", "outputs": ["ünï"]})
    return log


def test_the_notebook_is_restored_with_what_its_cells_showed(tmp_path):
    log, notebook = shown(tmp_path), tmp_path / "notebook.ipynb"
    assert log.restore(notebook)
    assert [cell["outputs"] for cell in json.loads(notebook.read_text())["cells"]] == [["ünï"], []]
    assert [path.name for path in tmp_path.iterdir()] == [notebook.name]
    assert not log.restore(notebook)


def test_a_log_that_was_cut_off_at_any_byte_restores_every_whole_line(tmp_path):
    log, notebook = shown(tmp_path), tmp_path / "notebook.ipynb"
    log.append(1, {"id": "second", "outputs": ["x"]})
    whole = (tmp_path / NAME).read_bytes()
    ends = [number for number, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole)):
        (tmp_path / NAME).write_bytes(whole[:cut])
        assert log.restore(notebook)
        if cut < ends[0]:
            assert not notebook.exists()
            continue
        outputs = [bool(cell["outputs"]) for cell in json.loads(notebook.read_text())["cells"]]
        assert outputs == [cut >= ends[1], cut >= ends[2]]
        notebook.unlink()


def test_a_log_that_is_not_needed_any_more_is_removed(tmp_path):
    shown(tmp_path).remove()
    CellLog(tmp_path).remove()
    assert not list(tmp_path.iterdir())
