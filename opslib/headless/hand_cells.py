"""What a person ran, cell by cell: the notebook of the record, and where it differs from the notebook's source."""

from __future__ import annotations

import ast
import json
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from opslib.headless import injected, kernel_outputs
from opslib.headless.session import Session
from opslib.runs.channel import Tell
from opslib.runs.executor import Verb

EDITED, OUT_OF_ORDER = "edited", "out of order"
"""Marks of a cell: its source is not the notebook's; a cell before it did not run, or one after it did."""

LONGEST_SOURCE = 100_000
"""Characters of a cell's source that are kept."""

MOST_ADDED = 200
"""Cells that are not the notebook's and are kept as cells; what more of them do, the journal has."""

INJECTED = "injected-parameters"
"""The cell that papermill adds, and we with it: the values that the run was begun with."""

OUTPUTS = ("stream", "display_data", "execute_result", "error")
WIDGETS = "application/vnd.jupyter.widget"
"""Beginning of the media types of what can be pressed: in a record nothing can."""


class Cells:
    """The cells of one interactive run. ``showed`` is set when what its last cell showed has come."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.showed = threading.Event()
        book = json.loads(session.notebook.path.read_text(encoding="utf-8"))
        self._book = _with_values(book, session.asked.values)
        code = [cell for cell in self._book["cells"] if cell["cell_type"] == "code" and cell["id"] != INJECTED]
        self._sources = {cell["id"]: "".join(cell["source"]).strip() for cell in code}
        self._order = list(self._sources)
        self._ran: set[str] = set()
        self._first: list[str] = []
        self._seqs: dict[str, dict[str, Any]] = {}
        self._last = ""
        session.shown.begin(self._book)

    def verbs(self) -> dict[str, Verb]:
        """Return what a notebook's process can say of its cells, by name."""
        return {"cell": self._started, "cell ran": self._finished, "cell showed": self._showed}

    def begun(self, sources: Iterable[Any]) -> None:
        """Take note of what ran before ``begin()``; what is not of the notebook is told in the journal."""
        known = set(self._sources.values())
        self._ran.clear()
        if any(str(source).strip() not in known and not self._parameters(str(source)) for source in sources):
            said = "Before the run began, code ran in the notebook's process that is not of the notebook."
            self._session.executor.journal.append("note", text=said)

    def _started(self, request: Mapping[str, Any], progress: Tell) -> None:
        cell = str(request.get("cell") or "a cell without an id")[:200]
        source = str(request.get("source") or "")[:LONGEST_SOURCE]
        if not self._ran:
            # The cell that began the run; what comes before it in the notebook was run before, or belongs to nobody.
            self._first = self._order[: self._place(cell) + 1]
            self._ran.update(self._first)
        marks = [*self._edited(cell, source), *self._moved(cell)]
        self._ran.add(cell)
        self._last = cell
        self.showed.clear()
        self._session.cell_started(cell, marks)
        count = request.get("count")
        self._seqs[cell] = {
            "cell_type": "code",
            "id": cell,
            "source": self._session.redactor.text(source),
            "execution_count": count if isinstance(count, int) else None,
            "metadata": {"opslib": {"journal": [], "marks": marks}},
            "outputs": [],
        }

    def _finished(self, request: Mapping[str, Any], progress: Tell) -> None:
        cell = self._seqs.get(str(request.get("cell")))
        if cell is not None:
            numbers = self._session.cell_finished(cell["id"], "ok" if request.get("ok") is True else "error")
            cell["metadata"]["opslib"]["journal"] = numbers

    def _showed(self, request: Mapping[str, Any], progress: Tell) -> None:
        cell = self._seqs.get(str(request.get("cell")))
        if cell is None:
            return
        said = request.get("outputs")
        cell["outputs"] = self._kept(said if isinstance(said, list) else [])
        index = self._index(cell["id"])
        if index is not None:
            self._session.shown.append(index, cell)
        if cell["id"] == self._last:
            self.showed.set()

    def _kept(self, outputs: list[Any]) -> list[Any]:
        meter, redactor, kept = kernel_outputs.Meter(), self._session.redactor, []
        for output in outputs:
            if not isinstance(output, dict) or output.get("output_type") not in OUTPUTS or _pressed(output):
                continue
            message = {"header": {"msg_type": output["output_type"]}, "content": output}
            if meter.takes(message):
                stream = output["output_type"] == "stream" and isinstance(output.get("text"), str)
                kept.append(output if stream else redactor.tree(output))
        return [output for output in kernel_outputs.kept(kept, meter, redactor) if "output_type" in output]

    def _index(self, cell: str) -> int | None:
        cells = self._book["cells"]
        for index, known in enumerate(cells):
            if known["id"] == cell:
                return index
        if len(cells) > len(self._order) * 3 + MOST_ADDED:
            return None
        cells.append({"id": cell, "cell_type": "code"})
        return len(cells) - 1

    def _edited(self, cell: str, source: str) -> list[str]:
        same = self._sources.get(cell) == source.strip() or (cell in self._sources and self._parameters(source))
        return [] if same else [EDITED]

    def _moved(self, cell: str) -> list[str]:
        if cell in self._first:
            return []  # to begin once more is no order of its own
        place = self._place(cell)
        before, after = self._order[:place], self._order[place + 1 :]
        in_order = all(one in self._ran for one in before) and not any(one in self._ran for one in after)
        return [] if in_order or cell not in self._sources else [OUT_OF_ORDER]

    def _place(self, cell: str) -> int:
        return self._order.index(cell) if cell in self._order else len(self._order)

    def _parameters(self, source: str) -> bool:
        """Whether ``source`` only sets parameters to the values that the run was begun with: no edit, but their use."""
        values = self._session.asked.values
        try:
            nodes = ast.parse(source).body
            pairs = [(ast.unparse(_target(node)), ast.literal_eval(node.value)) for node in nodes]  # type: ignore[attr-defined]
        except (SyntaxError, ValueError, AttributeError, TypeError, RecursionError):
            return False
        return bool(pairs) and all(name in values and values[name] == value for name, value in pairs)


def _target(node: Any) -> Any:
    return node.target if isinstance(node, ast.AnnAssign) else node.targets[0]


def _pressed(output: Mapping[str, Any]) -> bool:
    data = output.get("data")
    return isinstance(data, dict) and any(str(name).startswith(WIDGETS) for name in data)


def _with_values(book: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notebook with the values that its parameters have, as papermill writes them."""
    at = next(i for i, cell in enumerate(book["cells"]) if "parameters" in cell.get("metadata", {}).get("tags", []))
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": INJECTED,
        "metadata": {"tags": [INJECTED]},
        "source": injected.source(values).strip(),
        "execution_count": None,
        "outputs": [],
    }
    book["cells"].insert(at + 1, cell)
    return book
