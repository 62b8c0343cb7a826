"""The packages that the checkout's lock file names, installed without running anything of them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.environment_clone import not_production
from opslib.errors import Refused, Unreachable
from opslib.model import UNKNOWN_UNTIL, Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.systems import npm, toolchain
from opslib.systems.program_inputs import Program
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from opslib.systems.workspace import LARGEST_LOCK, Workspace

COMMIT = rf"^([0-9a-f]{{40}}|{UNKNOWN_UNTIL}[a-z-]+)$"
"""A commit's id; in a planning run the marker of the step that will know it."""
MODULES = "node_modules"


class InstallPackages(Action):
    """Installs what package-lock.json of ``commit`` names, with ``npm ci``; no script of a package is run."""

    name: ClassVar[str] = "install-packages"
    title: ClassVar[str] = "Install the packages of the lock file"
    effect: ClassVar[Effect] = Effect.LOCAL
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "environment"
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 3600.0
    items: ClassVar[tuple[str, ...]] = ("ENV-QS-03",)
    guide: ClassVar[str] = "npm install"
    reason: ClassVar[str] = (
        "npm install may change the lock file, and runs scripts of every package as whoever types it. npm ci installs "
        "exactly what the approved commit's lock file names; scripts are listed and not run, and a package without a "
        "checksum, or from elsewhere than a registry over https, is refused."
    )

    commit: str = Field(pattern=COMMIT)

    def plan(self, target: PlanTarget) -> Plan:
        """Read the lock file and look at node and npm; raises Refused where either does not do."""
        not_production(target)
        found = _tools()
        seen = self._looked(target.workspace, found)
        return self.planned(
            before={"packages": seen["before"]},
            after={"packages": seen["after"], "from": seen["sources"], "scripts not run": seen["scripts"]},
            touches=1,
            touched=f"folders ({MODULES}) made",
            verification="Each package of the lock file is there in its version; the lock file is still the commit's.",
            undo=f"{MODULES} is removed; one that was there before is put back.",
            fingerprint={"lock": seen["lock"]},
            observed={"node": _dotted(found["node"]), "npm": _dotted(found["npm"])},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Put aside what stood there, then install."""
        writer = target.workspace_writer
        with writer.alone():
            writer.at(self.commit)
            modules, before = writer.folder / MODULES, writer.kept / "modules-before"
            if before.exists() or before.is_symlink():
                raise Refused(f"{before} is there: another run put it aside.", "Undo that run first.")
            there = modules.exists() or modules.is_symlink()
            writer.put_mark("packages", {"work": target.run, "done": False, "replaced": there})
            if there:
                modules.rename(before)
            progress("npm ci")
            npm.install(writer.folder, writer.kept / "npm-cache")
            shutil.rmtree(writer.kept / "npm-cache", ignore_errors=True)
            writer.put_mark("packages", {"work": target.run, "done": True, "replaced": there})
        return {"packages": len(_lock(target.workspace, self.commit).packages) - 1}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Hold what is installed against the lock file, and the lock file against the commit."""
        workspace = target.workspace
        lock = _lock(workspace, self.commit)
        if npm.LOCK in workspace.modified(self.commit):
            return Verification(Verdict.CRITICAL, f"{npm.LOCK} is not the commit's any more.")
        if odd := lock.installed(workspace.folder):
            return Verification(Verdict.CRITICAL, f"{len(odd)} packages are not as locked, first {odd[0][:80]}.")
        scripts = [{"install script not run": name} for name in lock.scripts[:15]]
        return Verification(Verdict.OK, f"{values['packages']} packages are as the lock file has them.", tuple(scripts))

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """What was installed to its end says so; anything less is taken away, and what stood there put back."""
        writer = target.workspace_writer
        mark = writer.mark("packages")
        if mark.get("work") != target.run:
            return Settled(Outcome.NOT_DONE, "No package was installed.")
        if mark.get("done"):
            count = len(_lock(target.workspace, self.commit).packages) - 1
            return Settled(Outcome.DONE, "npm came to its end.", {"packages": count})
        _back(target)
        return Settled(Outcome.NOT_DONE, "npm did not come to its end; what it had made was removed.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Remove what was installed and put back what was there."""
        writer = target.workspace_writer
        if writer.standing().state != "checkout":
            raise Refused(f"There is no checkout at {writer.folder} any more.", "There is nothing to undo.")
        mark = writer.mark("packages")
        if mark and mark.get("work") != target.run:
            raise Refused("Another run installed packages since.", "Undo that one first.")
        with writer.alone():
            if mark:
                _back(target)
        there = (writer.folder / MODULES).exists()
        well = there == bool(mark.get("replaced")) if mark else True
        said = f"{MODULES} is {'what it was before' if there else 'gone'}."
        return Verification(Verdict.OK if well else Verdict.CRITICAL, said)

    def _looked(self, workspace: Workspace, tools: Mapping[Program, tuple[int, ...]]) -> dict[str, Any]:
        if self.commit.startswith(UNKNOWN_UNTIL):
            return dict.fromkeys(("before", "after", "sources", "scripts", "lock"), self.commit)
        workspace.at(self.commit)
        data = _locked(workspace, self.commit)
        lock = npm.parse(data)
        if fault := npm.fault(lock):
            raise Refused(f"{npm.LOCK} of {self.commit[:12]}: {fault}.", "Nothing was installed.")
        if odd := npm.odd_settings(workspace.file(self.commit, npm.RC) or b""):
            raise Refused(f"{npm.RC} of {self.commit[:12]} sets {odd[0]}.", "What that does to npm is not known here.")
        _enough(lock, tools)
        modules = workspace.folder / MODULES
        if modules.is_symlink():
            raise Refused(f"{modules} is a link.", "It was not touched.")
        return {
            "before": "there" if modules.exists() else "none",
            "after": len(lock.packages) - 1,
            "sources": lock.sources,
            "scripts": lock.scripts[:50],
            "lock": hashlib.sha256(data).hexdigest(),
        }


_NEEDED: tuple[Program, ...] = ("node", "npm")


def _tools() -> dict[Program, tuple[int, ...]]:
    try:
        return {program: toolchain.version(program) for program in _NEEDED}
    except Unreachable as error:
        raise Refused(error.message, error.next_step) from None


def _enough(lock: npm.Lock, tools: Mapping[Program, tuple[int, ...]]) -> None:
    engines = lock.packages.get("", {}).get("engines")
    for program in _NEEDED:
        if fault := toolchain.too_old(program, tools[program], engines):
            raise Refused(f"{fault}.", "Install the version that it asks for.")


def _locked(workspace: Workspace, commit: str) -> bytes:
    data = workspace.file(commit, npm.LOCK, LARGEST_LOCK)
    if data is None:
        raise Refused(f"{commit[:12]} has no {npm.LOCK}.", "Without one nobody approved what would be installed.")
    return data


def _lock(workspace: Workspace, commit: str) -> npm.Lock:
    return npm.parse(_locked(workspace, commit))


def _back(target: WriteTarget) -> None:
    writer = target.workspace_writer
    modules, before = writer.folder / MODULES, writer.kept / "modules-before"
    replaced = writer.mark("packages").get("replaced")
    if not replaced or before.exists():
        shutil.rmtree(modules, ignore_errors=True)
    if before.exists():
        before.rename(modules)
    shutil.rmtree(writer.kept / "npm-cache", ignore_errors=True)
    writer.drop_mark("packages")


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
