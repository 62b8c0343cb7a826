"""What a notebook's cells show, made of the messages of the process that executes them, as nbclient makes it.

Everything that comes is hostile: what is not of a message's form raises ValueError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Content = Mapping[str, Any]


class Shown:
    """The outputs of one notebook: a display may be updated by a later cell than the one that shows it."""

    def __init__(self) -> None:
        self._outputs: list[dict[str, Any]] = []
        self._displays: dict[str, list[dict[str, Any]]] = {}
        self._clearing = False

    def begin(self) -> list[dict[str, Any]]:
        """Begin a cell; returns the list of its outputs, which grows from now on."""
        self._outputs, self._clearing = [], False
        return self._outputs

    def take(self, kind: str, content: Content) -> None:
        """Take one message, without secrets already."""
        if kind == "clear_output":
            if content.get("wait"):
                self._clearing = True
            else:
                self._clear()
            return
        if name := _display(kind, content):
            for shown in self._displays.get(name, ()):
                shown |= {"data": content["data"], "metadata": content["metadata"]}
        if kind == "update_display_data":
            return
        output = output_of(kind, content)
        if self._clearing:
            self._clear()
            self._clearing = False
        if name:
            self._displays.setdefault(name, []).append(output)
        self._outputs.append(output)

    def _clear(self) -> None:
        here = {id(output) for output in self._outputs}
        for name, shown in self._displays.items():
            self._displays[name] = [output for output in shown if id(output) not in here]
        self._outputs.clear()


def _display(kind: str, content: Content) -> str:
    """Return the name by which what is displayed can be updated; empty where it has none."""
    if kind not in ("execute_result", "display_data", "update_display_data"):
        return ""
    if not isinstance(content.get("data"), dict) or not isinstance(content.get("metadata"), dict):
        raise ValueError(f"a message {kind} without data")
    transient = content.get("transient")
    return str(transient.get("display_id") or "") if isinstance(transient, dict) else ""


def output_of(kind: str, content: Content) -> dict[str, Any]:
    """Return the output that a message makes, in the notebook's form; raises ValueError for one that makes none."""
    if kind == "stream" and content.get("name") in ("stdout", "stderr") and isinstance(content.get("text"), str):
        return {"output_type": kind, "name": content["name"], "text": content["text"]}
    if kind == "error" and isinstance(content.get("traceback"), list):
        told = {name: str(content.get(name)) for name in ("ename", "evalue")}
        return {"output_type": kind, **told, "traceback": list(map(str, content["traceback"]))}
    if kind in ("display_data", "execute_result"):
        _display(kind, content)
        output = {"output_type": kind, "data": content["data"], "metadata": content["metadata"]}
        return output | ({"execution_count": _count(content)} if kind == "execute_result" else {})
    raise ValueError(f"a message {kind[:40]!r} that is no output")


def _count(content: Content) -> int:
    count = content.get("execution_count")
    if type(count) is not int:
        raise ValueError("a result without the number of its cell")
    return count


def error_of(cells: list[dict[str, Any]]) -> tuple[str, str] | None:
    """Return name and text of the error by which papermill would call the notebook failed; a plain exit is none.

    That is the last cell's of those with an error among their outputs, or of no name where a cell failed without any.
    """
    error = None
    for cell in cells:
        shown = [output for output in cell.get("outputs", ()) if output["output_type"] == "error"]
        told = [(output["ename"], output["evalue"]) for output in shown]
        if failing := [one for one in told if one not in (("SystemExit", ""), ("SystemExit", "0"))]:
            error = failing[0]
        elif error is None and not told and cell["metadata"]["papermill"]["exception"] is True:
            return "CellExecutionError", ""
    return error
