"""What a notebook shows so far, while it runs: one line appended per cell, so that it costs what the cell costs.

papermill would write the whole notebook before and after each cell. For ``ops run`` it does so once, at the end; what
a run that was cut off had shown by then is in this log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from opslib import files

NAME = "notebook.cells.jsonl"


class CellLog:
    """The log in one run's folder. Whatever is kept in it must be redacted before."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def begin(self, notebook: Mapping[str, Any]) -> None:
        """Keep the notebook with its parameters, before the first cell is executed. Raises OSError."""
        self._path.write_text(_line(notebook), encoding="utf-8")

    def append(self, index: int, cell: Mapping[str, Any]) -> None:
        """Keep the cell at ``index`` as it is now. Raises OSError."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(_line([index, cell]))

    def remove(self) -> None:
        """Remove it: the whole notebook is written."""
        self._path.unlink(missing_ok=True)

    def restore(self, notebook: Path) -> bool:
        """Write ``notebook`` as far as it is in the log, and remove the log; False where there is none."""
        if not self._path.exists():
            return False
        lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        with suppress(ValueError, IndexError):  # nothing of the notebook was kept yet
            book = json.loads(lines[0])
            for line in lines[1:]:
                with suppress(ValueError):  # the last line may be half of one
                    index, cell = json.loads(line)
                    book["cells"][index : index + 1] = [cell]  # one that a person added comes to the end
            files.write_json(notebook, book)
        self.remove()
        return True


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
