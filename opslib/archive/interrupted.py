"""The result of a run whose process went without closing it: what the journal holds, and nothing more."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from opslib import files
from opslib.errors import ExitCode
from opslib.model import Verdict
from opslib.redaction import Redactor
from opslib.runs.steps import State, fold

_LARGEST = 256 * 1024 * 1024


def has_result(folder: Path) -> bool:
    """Say whether the run itself wrote a whole result before its process went."""
    said = _object(folder / "result.json")
    return said.get("run") == folder.name and isinstance(said.get("state"), str)


def result(folder: Path, redactor: Redactor) -> bytes:
    """Return the content of the run's result.json: state interrupted, verdict UNKNOWN, and how far it came.

    The end is the time of the journal's last whole line: the last sign of life.
    """
    lines = _lines(folder / "journal.jsonl")
    started = _text(_object(folder / "run.json"), "started_at") or (_text(lines[0], "time") if lines else "")
    finished = (_text(lines[-1], "time") if lines else "") or started
    words = Counter(_text(line["result"], "verdict") for line in lines if isinstance(line.get("result"), dict))
    said = {
        "run": folder.name,
        "state": "interrupted",
        "verdict": Verdict.UNKNOWN.value,
        "exit_code": int(ExitCode.UNKNOWN),
        "started_at": started,
        "finished_at": finished,
        "seconds": _seconds(started, finished),
        "reason": _reason(lines),
        "counts": {word.value: words[word.value] for word in Verdict},
        "steps": len({line["step"] for line in lines if isinstance(line.get("step"), str)}),
    }
    return (json.dumps(redactor.tree(said), indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _reason(lines: list[Mapping[str, Any]]) -> str:
    if not lines:
        return "The process ended before its first journal line."
    last = lines[-1]
    if last.get("event") == "closed":
        return (
            f"The journal closed with state {_text(last, 'state')} and verdict {_text(last, 'verdict')}; "
            "the process ended before the result was written."
        )
    cell = f" in cell {last['cell']}" if _text(last, "cell") else ""
    reason = (
        f"The process ended without closing the run. Last journal line: {last.get('event')}{cell}, "
        f"{_text(last, 'time')}."
    )
    if doubt := _in_doubt(lines):
        reason += f" In doubt, look at the target: {', '.join(doubt)}."
    return reason


def _in_doubt(lines: list[Mapping[str, Any]]) -> list[str]:
    """Return the steps of which the journal does not tell whether they, or their undo, were done."""
    return [step.step for step in fold([("", lines)]).values() if step.state in (State.IN_DOUBT, State.UNDO_IN_DOUBT)]


def _lines(path: Path) -> list[Mapping[str, Any]]:
    """Return the journal's whole lines up to the first that cannot be read; a torn last one never happened."""
    try:
        raw = files.read_plain(path, _LARGEST).split(b"\n")[:-1]
    except OSError:
        return []
    lines: list[Mapping[str, Any]] = []
    for data in raw:
        said = _parsed(data)
        if not said:
            break
        lines.append(said)
    return lines


def _object(path: Path) -> Mapping[str, Any]:
    try:
        return _parsed(files.read_plain(path, _LARGEST))
    except OSError:
        return {}


def _parsed(data: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def _seconds(started: str, finished: str) -> float | None:
    try:
        return round(max(0.0, (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()), 3)
    except (TypeError, ValueError):
        return None
