"""A notebook with its parameters put in, as papermill puts them in, without importing papermill.

papermill's own import costs as much as a small run. A test holds what is made here against what papermill makes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TAG = "injected-parameters"
"""Tag and id of the cell that is put in."""


def prepared(path: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notebook at ``path``, ready to be executed: sources in one piece, no outputs, with the values' cell.

    Raises OSError and ValueError where it cannot be read.
    """
    book: dict[str, Any] = json.loads(path.read_bytes())
    cells: list[dict[str, Any]] = []
    for cell in book["cells"]:
        cell["source"] = "".join(cell["source"])
        cell["metadata"].setdefault("tags", [])
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
        if TAG not in cell["metadata"]["tags"]:
            cells.append(cell)
        if values and "parameters" in cell["metadata"]["tags"]:
            cells.append(
                {
                    "cell_type": "code",
                    "execution_count": None,
                    "id": TAG,
                    "metadata": {"tags": [TAG]},
                    "outputs": [],
                    "source": source(values),
                }
            )
    return {**book, "cells": cells}


def source(values: Mapping[str, Any]) -> str:
    """Return the cell that gives these names their values: texts, numbers and truth values."""
    return "\n".join(["# Parameters", *(f"{name} = {_literal(value)}" for name, value in values.items()), ""])


def _literal(value: Any) -> str:
    if isinstance(value, str):
        # papermill's form: a backslash for what is not plain, and double quotes.
        return '"' + value.encode("unicode_escape").decode().replace('"', r"\"") + '"'
    if type(value) not in (bool, int, float):
        raise TypeError(f"{value!r} is no parameter's value")
    return str(value)


def written(book: Mapping[str, Any]) -> bytes:
    """Return the notebook's file: long texts in lines and names in order, as Jupyter writes it."""
    said = {**book, "cells": [_lines_of_cell(cell) for cell in book["cells"]]}
    text = json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True, separators=(",", ": ")) + "\n"
    return text.encode()


def _lines_of_cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    said = {**cell, "source": cell["source"].splitlines(keepends=True)}
    if "outputs" in cell:
        said["outputs"] = [_lines_of_output(output) for output in cell["outputs"]]
    return said


def _lines_of_output(output: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(output.get("text"), str):
        return {**output, "text": output["text"].splitlines(keepends=True)}
    if isinstance(output.get("data"), dict):
        data = {kind: _lines_of(kind, value) for kind, value in output["data"].items()}
        return {**output, "data": data}
    return dict(output)


def _lines_of(kind: str, value: Any) -> Any:
    text = isinstance(value, str) and (kind.startswith("text/") or kind in ("image/svg+xml", "application/javascript"))
    return value.splitlines(keepends=True) if text else value
