"""A commit built for production and put live, and what users get afterwards compared with it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

import opslib.actions.frontend_built as kept
from opslib.actions.base import Action, Progress, Settled
from opslib.actions.frontend_build import NOTHING, Built
from opslib.actions.frontend_following import PAUSE_SECONDS, follow, looks, nobody_else
from opslib.actions.frontend_making import built, newest, of_this_commit, ours
from opslib.errors import Refused, StepFailed
from opslib.model import UNKNOWN_UNTIL, Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.probes.frontend import front_end
from opslib.probes.frontend_documents import look
from opslib.systems.hosting import Deployment, Hosting, ReadOnlyHosting, State
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

LATE_SECONDS = 5.0
"""How long a deployment whose call had no answer may be missing in the hoster's list."""


class DeployFrontEnd(Action):
    """Builds the newest commit of ``branch`` for production and follows it until users get it.

    ``files`` is the digest of what was built here, for a hoster that is sent files. Bound to that commit and to what
    was live when it was planned. The deployment is marked with the work's id where the hoster keeps a mark, so one
    whose call had no answer is found again, and nothing is built twice. Undone by going back to what was live.
    """

    name: ClassVar[str] = "deploy-front-end"
    title: ClassVar[str] = "Build a commit for production and put it live"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "delivery"
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 3 * 3600.0
    items: ClassVar[tuple[str, ...]] = ("DEP-VCL-06", "DEP-NTL-03", "DEP-CFP-00", "RUN-DEP-06")
    guide: ClassVar[str] = "vercel --env staging\nvercel --prod"
    reason: ClassVar[str] = (
        "The guide's commands deploy whatever lies in the operator's folder, committed or not, and return before "
        "anybody has looked; --env names no environment, it gives a build a variable (GH-02). Here a commit is built "
        "that was named in the approved plan, nobody may have deployed in between, and what users get is compared with "
        "the deployment itself. The way back is known before."
    )

    branch: str = Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*$")
    files: Built = NOTHING
    build_seconds: float = Field(default=1200.0, ge=1, le=7200)
    wait_seconds: float = Field(default=300.0, ge=0.1, le=3600)

    def plan(self, target: PlanTarget) -> Plan:
        """Find the commit and what is live; raises Refused where nothing can be built, or a move is under way."""
        hosting, address = target.hosting, front_end(target)
        files = self._files(hosting, target.run)
        self._buildable(hosting, target.settings.github_repository)
        commit, standing = target.workflows.head(self.branch), hosting.current()
        nobody_else(standing)
        here = hosting.deployment(standing.deployment) if standing.deployment else None
        same = here is not None and here.commit == commit
        production = look(target.web, address)
        return self.planned(
            before={"production": here.id if here else "nothing", "commit": here.commit if here else None},
            after={
                "production": here.id if same and here else f"a deployment built from {self.branch}",
                "commit": commit,
                "files": files,
                "environment variables": "as they are set now",
                "database": "as it is",
            },
            touches=0 if same else 1,
            touched="deployments made and put live",
            verification="The hoster says that production points at the deployment of that commit; the document at the "
            "front end's address is the one at that deployment's own address.",
            undo=f"Production goes back to {here.id}, and that is verified as well. The deployment stays, unused."
            if here
            else "None: nothing was live before.",
            fingerprint={
                "hoster": hosting.hoster,
                "project": hosting.project,
                "repository": target.settings.github_repository,
                "commit": commit,
                "current": standing.deployment,
                "held back": standing.pinned,
                "last request": standing.move.at.isoformat() if standing.move else None,
                "newest": None if hosting.signs else newest(hosting),
                "files": self.files,
            },
            unknown=("files",) if self.files.startswith(UNKNOWN_UNTIL) else (),
            observed={"production's document": production.sha256 or production.word},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Build once, follow, put live; raises Refused before that where the branch moved or somebody deployed."""
        if not plan.touches:
            return {"deployment": plan.fingerprint["current"]}
        hosting, commit = target.hosting_writer, str(plan.fingerprint["commit"])
        made = ours(hosting, plan, target.run)
        if made is None or made.state is State.FAILED:
            self._as_planned(target, hosting, plan)
            made = self._begun(target, hosting, plan, progress)
            of_this_commit(made, commit)
        if not hosting.builds and made.state is State.BUILDING:
            progress(f"sending files to {hosting.hoster}")
            hosting.send(made.id, kept.kept(target.run, self.files))
        made = built(hosting, made.id, self.build_seconds, progress)
        if made.state is not State.READY:
            raise StepFailed(
                f"{made.id} did not become ready: {made.word}. What was live still is.",
                f"Look at its build log at {hosting.hoster}, mend the commit, then plan again.",
            )
        of_this_commit(made, commit)
        _live(hosting, made.id, plan, self.wait_seconds, progress)
        return {"deployment": made.id}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Ask the hoster and both addresses; the edge may take a moment."""
        wanted = str(values["deployment"])
        made = target.hosting.deployment(wanted)
        if made.commit != plan.fingerprint["commit"]:
            return Verification(Verdict.CRITICAL, f"{wanted} was built from {made.commit}, which was not planned.")
        # What is put live by hand lets later pushes go live again; where they did before, they still do.
        before = plan.fingerprint["held back"]
        held = False if plan.touches and before is not None else before
        return looks(target, wanted, held, self.wait_seconds, plan)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for the deployment that carries the work's mark, and where production points."""
        hosting = target.hosting_writer
        until = time.monotonic() + LATE_SECONDS
        while (made := ours(hosting, plan, target.run)) is None and time.monotonic() < until:
            progress("looking for the deployment")
            time.sleep(PAUSE_SECONDS)
        standing = hosting.current()
        if made is None:
            if standing.deployment == plan.fingerprint["current"]:
                return Settled(Outcome.NOT_DONE, f"{hosting.hoster} lists no deployment of this work.")
            return Settled(Outcome.UNKNOWN, f"Production points at {standing.deployment}: somebody else deployed.")
        if made.state is State.FAILED:
            return Settled(Outcome.NOT_DONE, f"{made.id} failed to build ({made.word}); what was live still is.")
        if standing.deployment == made.id:
            return Settled(Outcome.DONE, f"Production points at {made.id}.", {"deployment": made.id})
        if standing.deployment != plan.fingerprint["current"]:
            return Settled(Outcome.UNKNOWN, f"Production points at {standing.deployment}: somebody else deployed.")
        return Settled(Outcome.PARTLY, f"{made.id} is {made.word} and not live; it may be followed and put live.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Point production at what was live before; raises Refused where somebody deployed since."""
        hosting, back = target.hosting_writer, plan.fingerprint["current"]
        if back is None:
            raise Refused("Nothing was live before.", plan.undo)
        standing = hosting.current()
        nobody_else(standing)
        if standing.deployment not in (back, values["deployment"]):
            raise Refused(
                f"Production points at {standing.deployment}: somebody deployed since.",
                "That undo would take it back too. Decide what shall be live, and promote that.",
            )
        if standing.deployment != back:
            hosting.roll_back(str(back))
            follow(hosting, str(back), standing.move.at if standing.move else None, self.wait_seconds, progress)
        held = True if hosting.pins else plan.fingerprint["held back"]
        return looks(target, str(back), held, self.wait_seconds, plan)

    def _buildable(self, hosting: ReadOnlyHosting, repository: str | None) -> None:
        """Raise Refused where the hoster, told a branch alone, would build something else for production."""
        if hosting.signs:
            return
        found = hosting.pipeline()
        if found.repository is None or found.repository.lower() != (repository or "").lower():
            raise Refused(
                f"{hosting.hoster} builds {found.repository or 'no repository'}, not {repository}.",
                "Connect the right one there, or correct GITHUB_REPOSITORY.",
            )
        if found.branch != self.branch:
            raise Refused(
                f"{self.branch} is not the branch that {hosting.hoster} builds for production ({found.branch}).",
                f"Name that one: -p branch={found.branch}",
            )

    def _files(self, hosting: ReadOnlyHosting, run: str) -> str:
        """Return in words where the files come from; raises Refused where there are none."""
        if hosting.builds:
            return f"built by {hosting.hoster}"
        if self.files.startswith(UNKNOWN_UNTIL):
            return self.files
        if self.files == NOTHING:
            raise Refused(f"{hosting.hoster} builds no commit, and nothing was built here.", "Hand on built['sha256'].")
        return f"{len(kept.kept(run, self.files))} that were built here"

    def _begun(self, target: WriteTarget, hosting: Hosting, plan: Plan, progress: Progress) -> Deployment:
        commit = str(plan.fingerprint["commit"])
        progress(f"asking {hosting.hoster} for a deployment of {commit[:12]}")
        if hosting.builds:
            return hosting.build(str(plan.fingerprint["repository"]), self.branch, commit, target.run)
        files = kept.kept(target.run, self.files)
        if kept.commit_of(target.run) != commit:
            raise Refused(f"What was built here is not of {commit[:12]}: the branch moved.", "Plan again.")
        return hosting.begin(files, self.branch, commit, target.run, draft=False)

    def _as_planned(self, target: WriteTarget, hosting: ReadOnlyHosting, plan: Plan) -> None:
        standing, head = hosting.current(), target.workflows.head(self.branch)
        nobody_else(standing)
        if standing.deployment != plan.fingerprint["current"]:
            raise Refused(f"Somebody deployed meanwhile: production points at {standing.deployment}.", "Plan again.")
        if head != plan.fingerprint["commit"]:
            raise Refused(f"{self.branch} is at {head}, not at {plan.fingerprint['commit']} any more.", "Plan again.")


def _live(hosting: Any, id: str, plan: Plan, seconds: float, progress: Progress) -> None:
    """Wait until production points at ``id``; where pushes are held back, ask for it."""
    standing = hosting.current()
    if standing.deployment not in (id, plan.fingerprint["current"]):
        raise StepFailed(f"Production points at {standing.deployment}: somebody else deployed.", "Ask who it was.")
    since = datetime.fromisoformat(plan.fingerprint["last request"]) if plan.fingerprint["last request"] else None
    if standing.deployment != id and plan.fingerprint["held back"]:
        hosting.promote(id)
    follow(hosting, id, since, seconds, progress)
