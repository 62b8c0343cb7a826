"""The product's checkout, made where the description says, at one commit; removed again while it holds nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.errors import Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.places import ROOT
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget


class CloneRepository(Action):
    """Makes the checkout of ``branch`` in OPS_WORKSPACE, bound to the branch's newest commit when it was planned.

    A folder that is there already is used only as it is: of the same repository, at that commit, nothing changed.
    """

    name: ClassVar[str] = "clone-repository"
    title: ClassVar[str] = "Clone the product's repository at one commit"
    effect: ClassVar[Effect] = Effect.LOCAL
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "environment"
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 3600.0
    items: ClassVar[tuple[str, ...]] = ("ENV-QS-01", "ENV-QS-02")
    guide: ClassVar[str] = "git clone https://github.com/your-org/valuecanvas.git\ncd valuecanvas"
    reason: ClassVar[str] = (
        "The command takes whatever the branch holds at that moment, obeys hooks, filters and helpers of whoever types "
        "it, and puts links anywhere. Here the commit is approved, no hook, filter, submodule or credential is used, "
        "links that lead out are refused, and every file is compared with the commit before the folder appears."
    )

    branch: str = Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*$")

    def plan(self, target: PlanTarget) -> Plan:
        """Look what the branch points at and what stands in the folder's place; raises Refused for anything else."""
        not_production(target)
        workspace = target.workspace
        commit = workspace.newest(self.branch)
        found = workspace.standing()
        if found.state == "other":
            raise Refused(f"{workspace.folder} {found.why}.", "It was not touched. Name another folder.")
        if found.state == "checkout":
            if found.commit != commit:
                raise Refused(
                    f"{workspace.folder} is at {found.commit[:12]}, and {self.branch} at {commit[:12]}.",
                    "It was not touched. Bring it there by hand, or name another folder.",
                )
            if changed := workspace.modified(commit):
                raise Refused(
                    f"{workspace.folder} has {len(changed)} changed files, first {changed[0]!a}.",
                    "It was not touched. Commit or put away what is changed, or name another folder.",
                )
        there = found.state == "checkout"
        return self.planned(
            before={"checkout": f"at {commit[:12]}" if there else "absent"},
            after={"checkout": f"at {commit[:12]}", "folder": str(workspace.folder)},
            touches=0 if there else 1,
            touched="checkouts made",
            verification="Its HEAD is that commit, and every file is the commit's, byte by byte.",
            undo="The folder is removed, unless anything in it is not of that commit: then it stays, whole.",
            fingerprint={"repository": workspace.repository, "commit": commit},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Clone beside the folder's place, compare, and give it its name."""
        commit = str(plan.fingerprint["commit"])
        if plan.touches:
            progress("cloning")
            with target.workspace_writer.alone():
                if target.workspace.standing().state != "absent":
                    raise Refused(f"{target.workspace.folder} is there by now.", "Plan again.")
                target.workspace_writer.clone(self.branch, commit, target.run)
        return {"commit": commit}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Hash every file again."""
        workspace, commit = target.workspace, str(values["commit"])
        found = workspace.standing()
        if found.state != "checkout" or found.commit != commit:
            return Verification(Verdict.CRITICAL, f"{workspace.folder} is not at {commit[:12]}.")
        entries = workspace.entries(commit)
        if changed := workspace.modified(commit):
            return Verification(Verdict.CRITICAL, f"{len(changed)} files are not the commit's, first {changed[0]!a}.")
        links = sum(entry.mode == "120000" for entry in entries)
        modules = [entry.path for entry in entries if entry.mode == "160000"]
        row = {"commit": commit, "files": len(entries), "links": links, "submodules left out": len(modules)}
        return Verification(Verdict.OK, f"{len(entries)} files are as {commit[:12]} has them.", (row,))

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """The folder has its name when it is whole; what is half made has another one and goes."""
        commit = str(plan.fingerprint["commit"])
        target.workspace_writer.clear(target.run)
        found = target.workspace.standing()
        if found.state == "absent":
            return Settled(Outcome.NOT_DONE, "There is no checkout.")
        if (
            found.state == "checkout"
            and found.commit == commit
            and (not plan.touches or self._mine(target, found.mark))
        ):
            return Settled(Outcome.DONE, f"The checkout is at {commit[:12]}.", {"commit": commit})
        return Settled(Outcome.UNKNOWN, "What stands there was not made by this run.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Remove the folder; raises Refused, and touches nothing, when it is not exactly what this work made."""
        writer = target.workspace_writer
        with writer.alone():
            writer.clear(target.run)
            found = writer.standing()
            if found.state != "absent":
                commit = str(values["commit"])
                if found.state != "checkout" or not self._mine(target, found.mark):
                    raise Refused(f"{writer.folder} was not made by this work.", "It was not touched.")
                if found.commit != commit:
                    raise Refused(f"{writer.folder} is at {found.commit[:12]} by now.", "It was not touched.")
                if writer.mark("packages"):
                    raise Refused("Packages are installed in it.", "Undo that step first.")
                if odd := writer.changes(commit):
                    raise Refused(
                        f"{writer.folder} holds what is not of {commit[:12]}: {len(odd)} things, first {odd[0]!a}.",
                        "It was not touched. Put away what is yours, then undo again.",
                    )
                writer.remove(target.run)
        gone = writer.standing().state == "absent"
        return Verification(Verdict.OK if gone else Verdict.CRITICAL, f"The checkout is {'' if gone else 'NOT '}gone.")

    @staticmethod
    def _mine(target: WriteTarget, mark: Mapping[str, Any]) -> bool:
        return mark.get("work") == target.run


def not_production(target: PlanTarget, root: Path = ROOT) -> None:
    """Raise Refused where code of a checkout would run beside production's credentials.

    That is so on production, where ``root`` holds its description, and where executor and notebooks are told apart:
    whoever may commit could otherwise act as the executor.
    """
    if target.environment == "production":
        raise Refused("No development environment is made with production's description.", "Use a developer's own.")
    if (root / ".env.production").exists() or target.separated:
        raise Refused(
            "This machine works on production: no development environment is made here.",
            "Use a developer's own machine.",
        )
