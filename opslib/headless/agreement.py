"""``ops run --apply``: a saved plan, held against what there is now and who approved it, before anything starts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from opslib import files, settings
from opslib.actions import ACTIONS
from opslib.archive import seal
from opslib.archive.store import Archive
from opslib.archive.vouched import unvouched
from opslib.canonical import to_json
from opslib.errors import Refused, UsageError
from opslib.headless import notebooks, origin, runner
from opslib.headless.asked import WHEN_APPLIED, Agreed, Asked, target_digest
from opslib.headless.earlier import Earlier
from opslib.headless.notebooks_live import check_live
from opslib.headless.stop import Stop
from opslib.model import now
from opslib.runs import approval, approvals, gate, saved_plan, signed
from opslib.runs.claims import claim_plan
from opslib.runs.locks import Locks
from opslib.runs.saved_plan import SavedPlan
from opslib.runs.steps import work_of
from opslib.runs.undoing import UNDO, to_apply
from opslib.settings import Settings


class Under(Protocol):
    """What lets a plan be applied in place of approvals by people who read it."""

    def agreed(self, saved: SavedPlan, data: bytes, target: Settings, moment: datetime) -> Agreed:
        """Return what the plan is applied under; raises Refused."""

    def spend(self, run: str) -> None:
        """Use it for ``run``, for good; raises Refused."""


def apply(
    plan: str,
    environment: str,
    archive: Path,
    *,
    under: Under | None = None,
    links: Mapping[str, Any] = MappingProxyType({}),
    stop: Stop | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Apply the saved plan ``plan`` (a planning run's id, or a file), ``stop`` and answer as of :func:`runner.run`.

    ``under`` is what else than approvals lets that happen; ``links`` says in run.json what for. ``environment`` is what
    the caller typed: a plan for another one is refused. So is one that this archive did not seal, that expired, was
    applied before (also elsewhere: see :mod:`opslib.runs.claims`), lacks approvals, or was made with another notebook,
    code or target description. Nothing is registered then, so that the plan can still be applied once what is missing
    is there.
    """
    store = Archive(archive)
    data, folders = _read(plan, store)
    saved = saved_plan.parse(data)
    _meant(saved, environment)
    target = settings.load(environment)
    notebook = notebooks.find(saved.notebook)
    _same(saved, notebook, target, store)
    run = f"{saved.run}-apply"
    if store.log.state(run):
        raise Refused(f"The plan was applied already, by {run}.", "A plan is applied once: plan again.")
    made_here(saved, data, store)
    found = [*folders, store.folder / "approvals" / saved.run]
    moment = moment_of(store)
    agreed = under.agreed(saved, data, target, moment) if under else _agreed(saved, data, found, target, moment)
    values = notebook.again(saved.parameters)
    check_live(notebook, values, target, progress)
    areas = sorted({ACTIONS[s.plan.action].area for s in saved.steps if s.plan.effect.on_target})
    # Before anything is registered: the plan can still be applied when the freeze is over. Looking is never frozen.
    gate.unfrozen(target, moment_of(store), agreed.break_glass or not areas)
    locks = Locks(target, run)
    try:
        for area in areas:
            locks.take(area)
        applies = {"applies": saved_plan.sha256(data), **links}
        doing = Asked(notebook, values, target, run=run, links=applies, agreed=agreed)
        claim_plan(target, saved.run, run)
        if under is not None:
            under.spend(run)
        return runner.execute(doing, archive, locks=locks, stop=stop, progress=progress)
    finally:
        locks.close()


def _meant(saved: SavedPlan, environment: str) -> None:
    if UNDO in saved.parameters:
        raise Refused(f"{saved.run} is a plan to undo.", f"Apply it with: {to_apply(saved)}")
    if saved.environment != environment:
        raise Refused(
            f"The plan is for {saved.environment}, not for {environment}.",
            f"If that is meant, type it: --environment {saved.environment}",
        )


def again(store: Archive, before: Earlier, target: Settings) -> Agreed:
    """Return what the work's first run was applied under, if that still holds; raises Refused otherwise."""
    folder = store.folder / "runs" / str(before.asked["run"])
    try:
        data = files.read_plain(folder / "plan.json", saved_plan.LARGEST)
    except OSError as error:
        raise Refused(f"The plan of {before.work} cannot be read.", "Undo the run, then plan again.") from error
    saved = saved_plan.parse(data)
    if saved_plan.sha256(data) != before.asked["applies"]:
        raise Refused(f"The plan of {before.work} is not the one that was applied.", "See: ops archive verify")
    _same(saved, notebooks.find(saved.notebook), target, store)
    return _agreed(
        saved, data, [folder / "approvals", store.folder / "approvals" / saved.run], target, moment_of(store)
    )


def to_undo(plan: str, store: Archive, before: Earlier, target: Settings) -> Agreed:
    """Return the approved plan of undoing the work ``before``; raises Refused unless it is that, and unused."""
    data, folders = _read(plan, store)
    saved = saved_plan.parse(data)
    if dict(saved.parameters) != {UNDO: before.work} or saved.environment != target.environment:
        raise Refused(f"{saved.run} is not a plan to undo {before.work}.", f"Make one: ops undo {before.work} --plan")
    if used := [run.name for run in before.runs if run.run.get("applies") == saved_plan.sha256(data)]:
        raise Refused(f"The plan was applied already, by {used[-1]}.", "A plan is applied once: plan again.")
    _same(saved, notebooks.find(saved.notebook), target, store)
    made_here(saved, data, store)
    return _agreed(saved, data, [*folders, store.folder / "approvals" / saved.run], target, moment_of(store))


def _agreed(saved: SavedPlan, data: bytes, folders: list[Path], target: Settings, moment: datetime) -> Agreed:
    found = approvals.collect(folders, data, target, moment)
    # The very list that they were verified with.
    signers = dict(found.copies).get(signed.KEPT[0])
    asked = (saved.requested_by.rpartition("@")[0], *origin.names())
    decision = approval.decide(
        saved,
        saved_plan.sha256(data),
        found.approvals,
        environment=target.environment,
        requesters=frozenset().union(*(approvals.requesters(target, who, signers) for who in asked)),
        unattended=target.unattended_actions,
        moment=moment,
        refusals=found.refusals,
    )
    return Agreed(
        plan=saved,
        data=data,
        break_glass=decision.break_glass,
        until=decision.until,
        approvals=tuple(to_json(counted) for counted in decision.counted),
        copies=found.copies,
    )


def made_here(saved: SavedPlan, data: bytes, store: Archive) -> None:
    """Raise Refused unless the file is what a planning run of this archive left when it was sealed.

    What approvals rest on and no look at the target can tell again is in no other place: who asked, when, and
    the words that approvers read.
    """
    folder = store.folder / "runs" / saved.run
    entries = (entry for entry in store.log.newest_first() if (entry.run, entry.event) == (saved.run, "close"))
    closed = next(entries, None)
    try:
        manifest = files.read_plain(folder / seal.MANIFEST, seal.LARGEST)
        sums = seal.parse(manifest)
        said = {name: files.read_plain(folder / name, saved_plan.LARGEST) for name in ("run.json", "result.json")}
        whole = (
            closed is not None
            and closed.sha256 == saved_plan.sha256(manifest)
            and all(sums.get(name) == saved_plan.sha256(read) for name, read in {**said, "plan.json": data}.items())
            and json.loads(said["run.json"]).get("mode") == "plan"
        )
        state = json.loads(said["result.json"]).get("state")
    except (OSError, ValueError, AttributeError, RecursionError):
        whole, state = False, None
    if whole and state != "finished":
        raise Refused(
            f"{saved.run} did not come to its end ({state}), so it is no plan of the whole run.",
            f"See: ops archive show {saved.run}",
        )
    if not whole or unvouched(store.log, [saved.run]):
        raise Refused(
            f"{saved.run} is not a plan that was made and sealed in this archive.",
            f"Plan here: ops run {saved.notebook} --environment {saved.environment} --plan",
        )


def _same(saved: SavedPlan, notebook: notebooks.Notebook, target: Settings, store: Archive) -> None:
    pairs = {
        "notebook": (saved.notebook_sha256, notebook.sha256),
        "program": (saved.code_sha256, origin.code_sha256()),
        "target's description": (saved.target, target_digest(target)),
    }
    if other := [name for name, (then, today) in pairs.items() if then != today]:
        moved = _moved(saved, target, store) if "target's description" in other else []
        which = f" ({', '.join(moved)})" if moved else ""
        raise Refused(
            f"The {' and the '.join(other)} changed since the plan was made{which}.",
            f"Plan again: ops run {saved.notebook} --environment {saved.environment} --plan",
        )


def _moved(saved: SavedPlan, target: Settings, store: Archive) -> list[str]:
    """Return the names of the settings that differ from the planning run's record, if it can be read."""
    try:
        said = json.loads(files.read_plain(store.folder / "runs" / saved.run / "run.json", saved_plan.LARGEST))
        then, today = dict(said["target"]), target.public()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    names = sorted({*then, *today} - {*WHEN_APPLIED})
    return [name for name in names if then.get(name) != today.get(name)]


def _read(plan: str, store: Archive) -> tuple[bytes, list[Path]]:
    path, there = Path(plan), False
    with suppress(OSError):  # a name that is too long is none
        there = path.is_file()
    if not there:
        path = store.folder / "runs" / work_of(store.find(plan).run) / "plan.json"
    try:
        return files.read_plain(path, saved_plan.LARGEST), [path.parent]
    except OSError as error:
        raise UsageError(f"The plan {path} cannot be read.", "Give a planning run's id, or its plan.json.") from error


def moment_of(store: Archive) -> datetime:
    """Return this moment, and never one before the log's newest entry."""
    # A clock that was set back must not bring an expired approval back: the log's newest entry is a floor.
    newest = next(store.log.newest_first(), None)
    return max(now(), datetime.fromisoformat(newest.time)) if newest else now()
