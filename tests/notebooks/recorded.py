"""What a run recorded, read back from its folder."""

from __future__ import annotations

import json
from pathlib import Path


def verdicts(folder: Path) -> dict[str, str]:
    """Return the last verdict of each check of a run, by the check's name."""
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return {line["result"]["check"]: line["result"]["verdict"] for line in lines if line["event"] == "result"}
