"""What the archive's journals say of earlier runs: when each check was last OK here, and what was changed since.

A look for a person in a hurry. It proves nothing (``ops archive verify`` does) and reads a bounded number of runs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

MOST_RUNS = 200
MOST_BYTES = 16 * 1024 * 1024
"""Of one journal: a larger one is left out."""

MOST_TIMED, ENOUGH = 60, 5
"""How many runs are looked at for how long a step takes, and how many times are enough."""


def look_back(runs: Path, own: str, environment: str, checks: Collection[str]) -> dict[str, Any]:
    """Return ``good`` (check -> run, taken_at, summary, value of its newest OK) and ``changes`` (newest first).

    ``runs`` is the archive's folder of runs and ``own`` the run that asks; other environments' runs do not count.
    A change is a step that a run announced since the oldest of those moments. What cannot be read is left out.
    """
    good: dict[str, dict[str, Any]] = {}
    changes: list[dict[str, Any]] = []
    wanted = set(checks)
    for folder in _newest(runs, own):
        if not wanted:
            break
        if _environment(folder) != environment:
            continue
        for line in _lines(folder):
            if line.get("event") == "intent":
                changes.append({"at": line.get("time"), "run": folder.name, "action": line.get("action")})
            elif line.get("event") == "result" and (said := _good(line, folder.name)) and said["check"] in wanted:
                good[said.pop("check")] = said
        wanted -= good.keys()
    since = min((str(said["taken_at"]) for said in good.values()), default="")
    later = [change for change in changes if str(change["at"]) > since]
    return {"good": good, "changes": sorted(later, key=lambda change: str(change["at"]), reverse=True)}


def durations(runs: Path, own: str, environment: str, action: str) -> list[float]:
    """Return how many seconds ``action`` took when it was last applied on that environment, newest first.

    A few are enough to say how long to expect; it bounds nothing.
    """
    found: list[float] = []
    for folder in _newest(runs, own)[:MOST_TIMED]:
        if len(found) < ENOUGH and _environment(folder) == environment:
            found += _timed(_lines(folder), action)
    return found[:ENOUGH]


def _timed(lines: list[dict[str, Any]], action: str) -> list[float]:
    own = {line.get("step") for line in lines if line.get("event") == "intent" and line.get("action") == action}
    said = [line.get("seconds") for line in lines if line.get("event") == "applied" and line.get("step") in own]
    return [float(seconds) for seconds in said if isinstance(seconds, (int, float))]


def _good(line: Mapping[str, Any], run: str) -> dict[str, Any] | None:
    result = line.get("result")
    if not isinstance(result, dict) or result.get("verdict") != "OK" or not isinstance(result.get("reading"), dict):
        return None
    taken_at = result["reading"].get("taken_at")
    said = {name: result.get(name) for name in ("check", "summary", "value")}
    return {**said, "run": run, "taken_at": taken_at} if isinstance(taken_at, str) else None


def _environment(folder: Path) -> str | None:
    try:
        said = json.loads((folder / "run.json").read_bytes())
    except (OSError, ValueError):
        return None
    return said.get("environment") if isinstance(said, dict) else None


def _newest(runs: Path, own: str) -> list[Path]:
    try:
        names = sorted((path.name for path in runs.iterdir() if path.name != own), reverse=True)
    except OSError:
        return []
    return [runs / name for name in names[:MOST_RUNS]]


def _lines(folder: Path) -> list[dict[str, Any]]:
    path = folder / "journal.jsonl"
    try:
        if path.stat().st_size > MOST_BYTES:
            return []
        said = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    except (OSError, ValueError):
        return []
    return [line for line in said if isinstance(line, dict)]
