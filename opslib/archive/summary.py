"""One line per run: what was asked and what came out, read tolerantly from its folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opslib import files
from opslib.archive.seal import MANIFEST
from opslib.errors import ExitCode
from opslib.model import Verdict

LARGEST = 4 * 1024 * 1024
"""No run.json or result.json has more bytes."""

BREAK_GLASS = "Break-glass: one person let this run, post-approval is due within 24 h"
"""What stands in red on a run that went past the approvals that its plan needs."""


@dataclass(frozen=True)
class Summary:
    """A run in one line. ``sealed`` is "sealed", "open" or "quarantined": it says where the run stands, not
    that it was verified. ``damage`` says what could not be read; the fields concerned are empty then.
    ``break_glass``: one person let it change something that needs two.
    """

    run: str
    sealed: str
    notebook: str = ""
    environment: str = ""
    mode: str = ""
    who: str = ""
    started_at: str = ""
    finished_at: str = ""
    seconds: float | None = None
    state: str = ""
    verdict: Verdict | None = None
    exit_code: int | None = None
    reason: str = ""
    report: str = ""
    damage: str = ""
    break_glass: bool = False


def read(archive: Path, run: str) -> Summary:
    """Return the summary of a run of the archive; never raises for what is in its files.

    Of a quarantined run only its id and start are told: a known secret stands somewhere in its files.
    """
    folder = f"{archive}/runs/{run}"
    if not os.path.isdir(folder):  # noqa: PTH112 - a page reads hundreds, and path objects cost more than the disk
        return Summary(run, "quarantined", started_at=started_by_id(run))
    asked, fault = _object(folder, "run.json")
    sealed = os.path.isfile(f"{folder}/{MANIFEST}")  # noqa: PTH113
    said, missing = _object(folder, "result.json")
    return Summary(
        run=run,
        sealed="sealed" if sealed else "open",
        notebook=_text(asked, "notebook"),
        environment=_text(asked, "environment"),
        mode=_text(asked, "mode"),
        who=_text(asked, "requested_by"),
        started_at=_text(asked, "started_at") or started_by_id(run),
        finished_at=_text(said, "finished_at"),
        seconds=_number(said, "seconds"),
        state=_text(said, "state") or ("" if sealed else "open"),
        verdict=_verdict(said) if said or sealed else None,
        exit_code=_code(said),
        reason=_text(said, "reason"),
        report=f"runs/{run}/report.html" if os.path.isfile(f"{folder}/report.html") else "",  # noqa: PTH113
        break_glass=said.get("break_glass") is True,
        damage=" ".join(part for part in (fault, missing if sealed or "missing" not in missing else "") if part),
    )


def started_by_id(run: str) -> str:
    """Return the start that a run's id tells, as an ISO time."""
    return f"{run[:4]}-{run[4:6]}-{run[6:8]}T{run[9:11]}:{run[11:13]}:{run[13:15]}Z"


def _object(folder: str, name: str) -> tuple[Mapping[str, Any], str]:
    try:
        value = json.loads(files.read_plain(f"{folder}/{name}", LARGEST))
    except FileNotFoundError:
        return {}, f"{name} is missing."
    except (OSError, ValueError, RecursionError):
        return {}, f"{name} cannot be read."
    return (value, "") if isinstance(value, dict) else ({}, f"{name} holds no object.")


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def _number(said: Mapping[str, Any], name: str) -> float | None:
    value = said.get(name)
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e9
    return float(value) if usable and value is not None else None


def _code(said: Mapping[str, Any]) -> int | None:
    value = said.get("exit_code")
    return value if isinstance(value, int) and value in list(ExitCode) else None


def _verdict(said: Mapping[str, Any]) -> Verdict:
    # What is missing or unreadable cannot be OK.
    word = _text(said, "verdict")
    return Verdict(word) if word in list(Verdict) else Verdict.UNKNOWN
