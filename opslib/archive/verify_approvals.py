"""Verifying what let a run apply its plan: the plan's sum, one run per plan, and the approvals kept with it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from opslib import files
from opslib.archive import verify_run
from opslib.archive.log import Entry
from opslib.archive.verify_run import Finding, shown
from opslib.errors import OpsError
from opslib.runs import approval, saved_plan
from opslib.runs import signers as listed
from opslib.runs.steps import work_of
from opslib.systems import ssh_keygen

FOLDER = "approvals"
NAMESPACE = "opslib-approve"
SIGNERS = "allowed_signers"
APPLIES = "-apply"
"""How the id of a run ends that applies an approved plan."""

UNDOES = re.compile(r"-undo-[1-9][0-9]*$", re.ASCII)
"""How the id of a run ends that undoes a work."""

_RUN = re.compile(rb'"requester":"[^"]*","run":"([0-9A-Za-z-]{1,150})","steps":\[')
"""Where a plan's file, whose keys are sorted, has its id."""

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def check(archive: Path, opened: Entry, closed: Entry | None, applied: dict[str, str]) -> Iterator[Finding]:
    """Yield what is wrong with a run's plan and approvals; ``applied`` gathers which run applied which plan.

    A plan is named by the SHA-256 of its plan.json. Whether the approvals were enough is not judged here.
    """
    folder, where = archive / "runs" / opened.run, f"runs/{opened.run}"
    plan, work = _plan(folder, opened.run)
    if opened.run.endswith(APPLIES):
        named = _applies(folder / "run.json")
        if named in applied:
            yield Finding("error", f"{where}/run.json", f"applies the plan that {applied[named]} applied")
        elif named:
            applied[named] = opened.run
        cut_off = closed is None or closed.state == "interrupted"
        if not named:
            yield Finding("error", f"{where}/run.json", "does not name the plan that it applies")
        elif named != plan and not (cut_off and not plan):
            yield Finding("error", f"{where}/plan.json", "is not the plan that run.json names")
    if closed is not None:
        for path in verify_run.held(folder / FOLDER, ".approval"):
            for fault in _approval(path, work, plan):
                yield Finding("error", f"{where}/{FOLDER}/{shown(path.name)}", fault)


def _plan(folder: Path, run: str) -> tuple[str, str]:
    """Return the SHA-256 of the run's plan, empty when there is none, and the id of the plan that lets it act."""
    try:
        data = files.read_plain(folder / "plan.json", saved_plan.LARGEST)
    except OSError:
        return "", work_of(run)
    # What let an undo happen is the plan of the work, or one of the undo alone, which has an id of its own.
    found = _RUN.search(data) if UNDOES.search(run) else None
    return hashlib.sha256(data).hexdigest(), found[1].decode() if found else work_of(run)


def _applies(path: Path) -> str:
    try:
        said = json.loads(files.read_plain(path, 1_000_000))
    except (OSError, ValueError, RecursionError):
        return ""
    named = said.get("applies") if isinstance(said, dict) else None
    return named if isinstance(named, str) and _SHA256.fullmatch(named) else ""


def _approval(path: Path, work: str, plan: str) -> Iterator[str]:
    """Yield why an approval is none of this plan: its form, its plan, or its signature."""
    try:
        data = files.read_plain(path, approval.LARGEST)
        armour = files.read_plain(path.with_name(f"{path.name}.sig"), 16 * 1024)
        signers = files.read_plain(path.with_name(SIGNERS), 1_000_000)
        said = approval.parse(data)
    except OSError:
        yield "cannot be read, or lacks its signature or the list of signers"
        return
    except ValueError:
        yield "does not have the form of an approval"
        return
    if said.work != work or said.sha256 != plan:
        yield "is for another plan"
    if path.name != f"{said.principal}.approval":
        yield "is not by whom its name says"
    if fault := _signature(data, armour, said.principal, signers, said.signed_at):
        yield fault


@lru_cache(maxsize=256)
def _signature(data: bytes, armour: bytes, principal: str, signers: bytes, at: datetime) -> str:
    """Return what is wrong with a signature; kept, since all runs of a work hold the same approvals."""
    try:
        # Only lines that spell the approvers' role out: an open line would make every key an approver's.
        approvers = listed.with_role(listed.parse(signers), listed.APPROVER)
        ssh_keygen.verify(
            data, armour, principal=principal, namespace=NAMESPACE, signers=approvers, revoked=None, at=at
        )
    except OpsError as error:
        return f"is not signed: {error.message}".encode("ascii", "replace").decode()
    return ""
