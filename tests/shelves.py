"""A shelf of notebooks for people: the map of the guide, and one small runbook that takes a backup."""

import json
import shutil
from pathlib import Path

from tools.tidy import KERNEL

ROOT = Path(__file__).resolve().parents[1]
BOOK = {
    "what-this-is": "# Take a backup\n\nFor tests.",
    "parameters": 'environment: str = "lab"  # target: lab, staging or production\n'
    "hours: int = 5  # how much [hours, 1 to 9]",
    "begin": "from opslib import actions, begin, checks\n\nrun = begin(environment)",
    "protections": "run.check(checks.backups.protections)",
    "take-backup": "run.step(actions.backups.TakeBackup())",
    "source": "run.check(checks.backups.source)",
    "finish": "run.finish()",
}


def shelf(folder):
    """Make the folder of notebooks below ``folder`` and return it."""
    made = folder / "notebooks"
    (made / "runbooks").mkdir(parents=True)
    cells = []
    for name, source in BOOK.items():
        kind = "markdown" if source.startswith("#") else "code"
        more = {"execution_count": None, "outputs": []} if kind == "code" else {}
        tags = {"tags": ["parameters"]} if name == "parameters" else {}
        cells.append({"cell_type": kind, "id": name, "metadata": tags, "source": source, **more})
    book = {"cells": cells, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5}
    (made / "runbooks" / "take-backup.ipynb").write_text(json.dumps(book))
    (made / "diagnostics").mkdir()
    for name in ("start-here", "diagnostics/agents"):
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", made / f"{name}.ipynb")
    return made
