"""What was built here, sent to the hoster as a draft: an address of its own, which production does not point at."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

import opslib.actions.frontend_built as kept
from opslib.actions.base import Action, Progress, Settled
from opslib.actions.frontend_build import NOTHING, Built
from opslib.actions.frontend_following import EDGE_SECONDS, LATE_SECONDS, PAUSE_SECONDS
from opslib.actions.frontend_making import built
from opslib.errors import Refused, StepFailed, Unreachable
from opslib.model import UNKNOWN_UNTIL, Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.probes.frontend_documents import Document, look
from opslib.systems.hosting import Deployment, ReadOnlyHosting, State
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget


class DraftFrontEnd(Action):
    """Sends the files of ``files`` (their digest) as a draft, and compares what its address serves with them.

    With ``leave`` nothing is sent. Undone by deleting the draft.
    """

    name: ClassVar[str] = "draft-front-end"
    title: ClassVar[str] = "Serve the build as a draft, beside production"
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "delivery"
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 3 * 3600.0
    items: ClassVar[tuple[str, ...]] = ("DEP-STG-03",)
    guide: ClassVar[str] = "netlify deploy --dir=dist"
    reason: ClassVar[str] = (
        "The guide's command sends whatever lies in the operator's folder, and whether the draft is well is for "
        "somebody to click. Here the files are those of one commit, and what the draft serves is compared with them."
    )

    files: Built = NOTHING
    act: Literal["draft", "leave"] = "draft"
    wait_seconds: float = Field(default=300.0, ge=0.1, le=3600)

    @property
    def effect(self) -> Effect:  # type: ignore[override]
        """Of none only a look: nobody has to approve that nothing is sent."""
        return Effect.READ if self.act == "leave" else Effect.CHANGE

    def plan(self, target: PlanTarget) -> Plan:
        """Say what is sent; raises Refused where the hoster takes no files, or none were built."""
        if self.act == "leave":
            return self.planned(
                before={}, after={}, touches=0, touched="drafts made", verification="None.", undo="None is needed."
            )
        hosting, later = target.hosting, self.files.startswith(UNKNOWN_UNTIL)
        if hosting.builds:
            raise Refused(
                f"{hosting.hoster} builds commits itself: push a branch, and it serves a preview of it.",
                "Leave the draft out: -p build=if-needed",
            )
        if self.files == NOTHING:
            raise Refused("Nothing was built here.", "Hand on built['sha256'].")
        count = None if later else len(kept.kept(target.run, self.files))
        return self.planned(
            before={"draft": "none"},
            after={"draft": self.files if later else f"{count} files, as built", "production": "as it is"},
            touches=1,
            touched="drafts made",
            verification=f"The document at the draft's own address is {kept.INDEX} as it was built.",
            undo="The draft is deleted, and that is verified as well.",
            unknown=("files",) if later else (),
            fingerprint={"hoster": hosting.hoster, "project": hosting.project, "files": self.files},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Send it, and follow it until it is ready."""
        if not plan.touches:
            return {"draft": None}
        hosting, files = target.hosting_writer, kept.kept(target.run, self.files)
        made = _ours(hosting, target.run)
        if made is None or made.state is State.FAILED:
            progress(f"asking {hosting.hoster} for a draft")
            made = hosting.begin(files, "draft", self.files, _mark(target.run), draft=True)
        if made.state is State.BUILDING:
            hosting.send(made.id, files)
        made = built(hosting, made.id, self.wait_seconds, progress)
        if made.state is not State.READY:
            raise StepFailed(f"The draft {made.id} did not become ready: {made.word}.", "See its log at the hoster.")
        return {"draft": made.id, "address": made.address}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Compare what its address serves with what was built."""
        if not plan.touches:
            return Verification(Verdict.OK, "No draft was to be made.")
        wanted = hashlib.sha256(kept.kept(target.run, self.files)[kept.INDEX]).hexdigest()
        said = _document(target, str(values["address"]), wanted, min(self.wait_seconds, EDGE_SECONDS))
        same = said.sha256 == wanted
        rows = ({"draft": values["draft"], "address": said.address, "is": said.word, "as built": same},)
        if said.word in ("absent", "unhealthy"):
            return Verification(Verdict.CRITICAL, f"The draft's address {said.why}.", rows)
        if said.word != "served":
            return Verification(Verdict.UNKNOWN, f"The draft's address is {said.word} ({said.why}).", rows)
        if not same:
            return Verification(Verdict.CRITICAL, "The draft serves another document than was built.", rows)
        return Verification(Verdict.OK, f"{said.address} serves what was built.", rows)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for the draft that carries the work's mark."""
        if not plan.touches:
            return Settled(Outcome.DONE, "No draft was to be made.", {"draft": None})
        hosting, until = target.hosting_writer, time.monotonic() + LATE_SECONDS
        while (made := _ours(hosting, target.run)) is None and time.monotonic() < until:
            progress("looking for the draft")
            time.sleep(PAUSE_SECONDS)
        if made is None or made.state is State.FAILED:
            return Settled(Outcome.NOT_DONE, f"{hosting.hoster} has no draft of this work.")
        if made.state is State.READY:
            return Settled(Outcome.DONE, f"{made.id} is ready.", {"draft": made.id, "address": made.address})
        return Settled(Outcome.PARTLY, f"{made.id} is {made.word}; the rest of it may be sent.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Delete the draft."""
        if values["draft"] is None:
            return Verification(Verdict.OK, "No draft had been made.")
        hosting, id = target.hosting_writer, str(values["draft"])
        if hosting.current().deployment == id:
            raise Refused(f"Somebody put {id} live.", "Put another deployment live first.")
        if _gone(hosting, id):
            return Verification(Verdict.OK, f"{id} is gone already.")
        hosting.discard(id)
        gone = _gone(hosting, id)
        return Verification(Verdict.OK if gone else Verdict.CRITICAL, f"{id} is {'gone' if gone else 'still there'}.")


def _mark(run: str) -> str:
    return f"draft-{run}"


def _ours(hosting: ReadOnlyHosting, run: str) -> Deployment | None:
    return next((one for one in hosting.deployments(production=False) if one.mark == _mark(run)), None)


def _gone(hosting: ReadOnlyHosting, id: str) -> bool:
    try:
        return hosting.deployment(id).state is State.GONE
    except Unreachable as error:
        if error.kind != "missing":
            raise
        return True


def _document(target: VerifyTarget, address: str, wanted: str, seconds: float) -> Document:
    until = time.monotonic() + seconds
    while True:
        said = look(target.web, address)
        if said.sha256 == wanted or said.word in ("not allowed", "elsewhere") or time.monotonic() > until:
            return said
        time.sleep(PAUSE_SECONDS)
