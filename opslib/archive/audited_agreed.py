"""Whether others had agreed to what changed something: each run judged again, by the lists of keys kept with it.

Where approvals are needed is said by the rule that the executor goes by (:mod:`opslib.runs.approval`). What the
target's owner let run unattended is as the run's own record has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from opslib import files
from opslib.archive import record
from opslib.archive.audited_look import Look
from opslib.archive.made import may_change
from opslib.archive.record import Said
from opslib.errors import OpsError
from opslib.model import Environment, Plan
from opslib.probes.observability_audit import MOST
from opslib.runs import approval, approvals, saved_plan, signed, signers
from opslib.runs.cards import sub, text_of
from opslib.runs.evidence import plan_of
from opslib.runs.saved_plan import SavedPlan
from opslib.runs.steps import work_of
from opslib.runs.undoing import UNDO
from opslib.runs.words import ENVIRONMENTS

Rows = list[dict[str, Any]]
TOUCHES = ("intent", "undoing")
BY_STEP = "-approvals"
"""How the folder in a run's evidence ends that lets one step happen (:mod:`opslib.runs.stepping`)."""


@dataclass(frozen=True)
class _Place:
    """A plan that lay in a run with the approvals kept beside it: what it let happen, or why it lets nothing happen."""

    plan: SavedPlan | None
    why: str
    break_glass: bool = False


def agreed(look: Look) -> Rows:
    """Return a row that counts what was judged, then one per step that nobody agreed to, or one person alone."""
    judged, needing = 0, 0
    rows: Rows = []
    used: dict[str, str] = {}
    for run, one in look.summaries.items():
        # On a target where nobody has to agree there is nothing to be judged.
        if run not in look.sound or not may_change(one) or not approval.NEEDS_APPROVAL[_target(one.environment)]:
            continue
        judged += 1
        found = [*_run(look, run, one.environment, used)]
        needing += len({row["step"] for row in found})
        rows += [row for row in found if row["kind"] != "agreed"]
    # Of which target such a run was, and what it did, nobody knows.
    doubted = sum(look.standing(run) == "not believed" for run in look.summaries)
    whole = {"kind": "judged", "runs": judged, "steps_that_needed_approval": needing, "not_believed": doubted}
    return [whole, *rows[-MOST:]]


def _run(look: Look, run: str, environment: str, used: dict[str, str]) -> Iterator[dict[str, Any]]:
    folder = look.folder / "runs" / run
    read = record.load(folder)
    touched = {step: one for step, one in _touched(read.journal).items() if _needs(read.run, one[0], environment)}
    if not touched:
        return
    places = [
        _place(look, read.run, folder / "approvals", folder / "plan.json", run, min(at for _, at in touched.values()))
    ]
    places += [
        _place(look, read.run, one, one / "plan.json", run, touched[step][1])
        for one in sorted((folder / "evidence").glob(f"*{BY_STEP}"))
        if (step := one.name.removesuffix(BY_STEP)) in touched
    ]
    places = [_once(place, run, used) for place in places]
    for step, (plan, at) in touched.items():
        fits = [place for place in places if place.plan is not None and not place.why and place.plan.step(step)]
        said = {"run": run, "target": environment, "step": step, "effect": str(plan.effect), "at": at}
        if not fits:
            why = "; ".join(dict.fromkeys(place.why for place in places if place.why))
            yield {"kind": "lacking", **said, "says": why or "no approval lies with the run"}
        else:
            alone = all(place.break_glass for place in fits)
            yield {"kind": "broken glass" if alone else "agreed", **said, "says": "one person let it happen" * alone}


def _touched(journal: tuple[Said, ...]) -> dict[str, tuple[Plan, datetime]]:
    """Return the plan of each step that was begun, or taken back, and when first."""
    plans: dict[str, Said] = {}
    found: dict[str, tuple[Plan, datetime]] = {}
    for line in journal:
        step, event = text_of(line, "step"), line.get("event")
        if sub(line, "plan"):
            plans[step] = sub(line, "plan")
        if event in TOUCHES and step in plans:
            found.setdefault(step, (plan_of(plans[step]), datetime.fromisoformat(text_of(line, "time"))))
    return found


def _needs(run: Mapping[str, Any], plan: Plan, environment: str) -> bool:
    alone = {name.strip() for name in text_of(sub(run, "target"), "unattended_actions").split(",")}
    return plan.effect.on_target and plan.action not in alone and approval.needed(plan, _target(environment)) > 0


def _target(environment: str) -> Environment:
    """Return by whose rule a run is judged: of a target that nobody knows, by the strictest."""
    return next((name for name in ENVIRONMENTS if name == environment), "production")


def _place(look: Look, asked: Mapping[str, Any], folder: Path, file: Path, run: str, moment: datetime) -> _Place:
    try:
        data = files.read_plain(file, saved_plan.LARGEST)
        saved = saved_plan.parse(data)
    except OSError:
        return _Place(None, "")
    except OpsError as error:
        return _Place(None, error.message)
    by_step = folder.name.endswith(BY_STEP)
    if not (saved.run == run if by_step else work_of(run) in (saved.run, saved.parameters.get(UNDO))):
        return _Place(saved, f"its approval is for {saved.run}")
    kept = {"allowed_signers": folder / signed.KEPT[0], "revoked_keys": folder / signed.KEPT[1]}
    lists = {name: path if path.is_file() else None for name, path in kept.items()}
    found = approvals.collect([folder], data, look.settings.model_copy(update=lists), moment)
    known = signers.parse(dict(found.copies).get(signed.KEPT[0], b""))
    asker = {text_of(asked, "requester"), text_of(asked, "requested_by").rpartition("@")[0]} - {""}
    try:
        decision = approval.decide(
            saved,
            saved_plan.sha256(data),
            found.approvals,
            environment=saved.environment,
            requesters=signers.same_person(known, asker),
            unattended=(),
            moment=moment,
            refusals=found.refusals,
        )
    except OpsError as error:
        return _Place(saved, error.message.rstrip("."))
    return _Place(saved, "", decision.break_glass)


def _once(place: _Place, run: str, used: dict[str, str]) -> _Place:
    """Return the place as it counts: the approved plan of an undo lets one run happen."""
    if place.plan is None or place.why or UNDO not in place.plan.parameters:
        return place
    first = used.setdefault(place.plan.run, run)
    return place if first == run else _Place(place.plan, f"its approval was used before, by {first}")
