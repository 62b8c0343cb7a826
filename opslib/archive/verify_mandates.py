"""Verifying what let a run apply its plan without anybody there: the mandates kept with it, and that they cover it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from opslib import files
from opslib.archive import verify_run
from opslib.archive.log import Entry
from opslib.archive.verify_run import Finding, shown
from opslib.errors import OpsError
from opslib.runs import mandate, mandates, saved_plan, signed
from opslib.runs.approval import SKEW
from opslib.runs.mandate import Mandate
from opslib.runs.saved_plan import SavedPlan
from opslib.runs.signed import KEPT, LARGEST_LIST, Trust

FOLDER = "approvals"
BASE = "mandate-plan.json"
NAMED = "mandate"
"""Field of run.json: the SHA-256 of the plan whose mandates let it happen."""


def check(archive: Path, opened: Entry, closed: Entry | None) -> Iterator[Finding]:
    """Yield what is wrong with the mandates of a closed run; nothing for one that names none and holds none.

    Who may give mandates is said by the list that the run keeps, as with approvals. How often they were used before is
    not told by one run.
    """
    folder = archive / "runs" / opened.run
    where = f"runs/{opened.run}/{FOLDER}"
    said = _object(folder / "run.json") if opened.run.endswith("-apply") else {}
    named = str(said.get(NAMED) or "")
    given = verify_run.held(folder / FOLDER, ".mandate")
    if closed is None or not (named or given):
        return
    if closed.state == "interrupted" and not given:
        # Cut off after it was registered and before they were kept: no step can have begun.
        return
    if not named:
        yield Finding("error", where, "holds mandates, and run.json names none")
        return
    if not given:
        yield Finding("error", where, "holds no mandate")
    try:
        base = files.read_plain(folder / FOLDER / BASE, saved_plan.LARGEST)
        trust = Trust(files.read_plain(folder / FOLDER / KEPT[0], LARGEST_LIST))
        new = saved_plan.parse(files.read_plain(folder / "plan.json", saved_plan.LARGEST))
        read, begun = saved_plan.parse(base), datetime.fromisoformat(str(said.get("started_at")))
    except (OSError, ValueError, OpsError):
        yield Finding("error", where, "lacks the plan of its mandate, its own plan, or the list of signers")
        return
    if hashlib.sha256(base).hexdigest() != named:
        yield Finding("error", f"{where}/{BASE}", "is not the plan that run.json names")
    counted: list[Mandate] = []
    for path in given:
        try:
            counted.append(_mandate(path, trust, named, begun))
        except (OSError, ValueError, OpsError) as error:
            yield Finding("error", f"{where}/{shown(path.name)}", f"is no mandate of this run: {_plain(error)}")
    yield from _covered(where, read, new, counted)


def _covered(where: str, read: SavedPlan, new: SavedPlan, counted: list[Mandate]) -> Iterator[Finding]:
    try:
        mandate.covers(read, new, mandate.shared(counted))
    except OpsError as error:
        yield Finding("error", where, _plain(error))


def _mandate(path: Path, trust: Trust, named: str, begun: datetime) -> Mandate:
    one = mandates.verify(*signed.pair(path, mandate.LARGEST), trust, None)
    if one.kind != "give" or path.name != f"{one.principal}.mandate":
        raise ValueError("it is not what its name says")
    if one.sha256 != named:
        raise ValueError("it is for another plan")
    if not one.signed_at - SKEW <= begun < one.expires_at:
        raise ValueError("it did not hold when the run began")
    return one


def _plain(error: Exception) -> str:
    said = error.message if isinstance(error, OpsError) else str(error)
    return said.encode("ascii", "replace").decode()


def _object(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(files.read_plain(path, saved_plan.LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
