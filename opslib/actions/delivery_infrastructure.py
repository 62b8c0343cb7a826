"""Infrastructure code carried out: planned into a file, that file approved, and exactly that file applied."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

import opslib.probes.delivery_infrastructure as seen
from opslib import files
from opslib.actions.base import Action, Progress, Settled
from opslib.errors import OpsError, Refused
from opslib.guide.choices import NONE, SERVICES, chosen
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification
from opslib.systems import terraform
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from opslib.systems.terraform import State

SHOWN = 60
"""Changes that a plan lists, those that destroy first; the others are counted."""
LARGEST = 64 * 1024 * 1024


class ApplyInfrastructure(Action):
    """Applies the infrastructure code of ``commit`` (a branch, or a commit's id) by a saved Terraform plan.

    Refused where it would destroy or replace more than ``destroys_at_most`` resources, or any that keeps data; where
    there is no state yet unless ``new_state`` says that this is meant; and where the state moved since.
    """

    name: ClassVar[str] = "apply-infrastructure"
    title: ClassVar[str] = "Apply infrastructure code by a saved plan"
    effect: ClassVar[Effect] = Effect.DESTRUCTIVE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "delivery"
    most: ClassVar[int] = 200
    seconds: ClassVar[float] = 5 * 3600.0
    items: ClassVar[tuple[str, ...]] = ("DR-SYS-04", "DR-SYS-05")
    guide: ClassVar[str] = "cd infrastructure/terraform && terraform init && terraform apply -auto-approve"
    reason: ClassVar[str] = (
        "In an outage the guide applies whatever Terraform finds different, unseen, from whatever the operator's "
        "folder holds; where the state is lost that is everything once more (GH-20). Here one commit is planned "
        "without being able to write, its plan is a file, approved by its digest, and that file alone is applied."
    )

    services: str = Field(default=NONE, pattern=SERVICES)
    commit: str = Field(default="main", max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*$")
    destroys_at_most: int = Field(default=0, ge=0, le=100)
    new_state: bool = False

    def plan(self, target: PlanTarget) -> Plan:
        """Plan, keep the file, and say what it would do; raises Refused for what goes beyond the bounds."""
        if not chosen(self.services, "infrastructure"):
            return self._nothing(self.services)
        commit = target.checkout.commit(self.commit)
        with target.terraform.working(target.checkout, commit) as code, tempfile.TemporaryDirectory() as place:
            state, version, file = code.state(), code.version(), Path(place) / "plan"
            code.plan(file)
            document = code.show(file)
            if code.state() != state:
                raise Refused("The state moved while it was planned: somebody else applies.", "See who; plan again.")
            self._may(document, state)
            beside = {"commit": commit, "version": version, "serial": state.serial, "lineage": state.lineage}
            content = seen.content(document, **beside)
            path = terraform.keep(content, file.read_bytes())
        changes = seen.rows(document)
        return self.planned(
            before={"state": _said(state), "resources": state.resources},
            after={
                "commit": commit,
                "resources": seen.counts(changes) or "as they are",
                "changes": [_words(row) for row in changes[:SHOWN]],
                "not listed": max(0, len(changes) - SHOWN),
                "outputs that change": seen.outputs(document),
            },
            touches=len(changes) + len(seen.outputs(document)),
            touched="resources and outputs",
            verification="A new plan of the same commit would change nothing (its exit code is 0).",
            undo="Terraform has none: plan and apply the commit of before. What was destroyed is not brought back by "
            "that. The state of before is a version of its object in the backend, where that keeps versions.",
            fingerprint={**beside, "content": content, "plan": _sha256(path)},
            observed={
                "drift": seen.drift(document)[:SHOWN],
                "planned with": "credentials that read, without a lock",
                "Terraform's file": f"{path.stat().st_size} bytes, kept by the executor until it is applied",
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Apply the file that was planned; raises Refused, with nothing changed, where it or the state is another."""
        known, began = plan.fingerprint, time.monotonic()
        if not known:
            return {"seconds": 0.0}
        if not plan.touches:
            return {"seconds": 0.0, "serial": known["serial"]}
        path = terraform.kept(str(known["content"]))
        if not path.exists() or _sha256(path) != known["plan"]:
            raise Refused("Terraform's plan file is not the one that was approved, or is gone.", "Plan again.")
        with target.terraform_writer.working(target.checkout, str(known["commit"])) as code:
            state, version = code.state(), code.version()
            if (state.serial, state.lineage) != (known["serial"], known["lineage"]):
                raise Refused(f"The state moved since it was planned: it is {_said(state)}.", "See who; plan again.")
            if version != known["version"]:
                raise Refused(f"This is version {version}; it was planned with {known['version']}.", "Plan again.")
            progress("terraform apply", 0, plan.touches)
            code.apply(path)
            after = code.state()
        path.unlink(missing_ok=True)
        return {"seconds": round(time.monotonic() - began, 1), "serial": after.serial}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Plan the same commit anew."""
        known = plan.fingerprint
        if not known:
            return Verification(Verdict.OK, "Infrastructure was not asked for: nothing was looked at.")
        commit = str(known["commit"])
        with target.terraform.working(target.checkout, commit) as code, tempfile.TemporaryDirectory() as place:
            file = Path(place) / "plan"
            differs = code.plan(file)
            document, state = code.show(file), code.state()
        left: Rows = tuple({name: row[name] for name in ("address", "what")} for row in seen.rows(document))
        if differs or left:
            said = f"{len(left)} resources, {len(seen.outputs(document))} outputs would change once more"
            return Verification(Verdict.CRITICAL, f"A new plan of {commit[:12]} is not empty: {said}.", left[:SHOWN])
        said = f"{state.resources} resources, {_said(state)}"
        return Verification(Verdict.OK, f"A new plan of {commit[:12]} would change nothing: {said}.")

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look at the state, and whether anybody holds its lock; what was applied in part cannot be gone on with."""
        known = plan.fingerprint
        if not known or not plan.touches:
            return Settled(Outcome.DONE, "Nothing was to be done.", {"seconds": None, "serial": known.get("serial")})
        with target.terraform_writer.working(target.checkout, str(known["commit"])) as code:
            try:
                differs = code.plan()
            except OpsError as error:
                return Settled(Outcome.UNKNOWN, f"Nobody can plan: {error.message[-300:]}")
            state = code.state()
        if (state.serial, state.lineage) == (known["serial"], known["lineage"]):
            return Settled(Outcome.NOT_DONE, f"The state is as before: {_said(state)}, and nobody holds its lock.")
        if not differs:
            return Settled(Outcome.DONE, "The code is applied.", {"seconds": None, "serial": state.serial})
        return Settled(
            Outcome.UNKNOWN, f"The state moved to {_said(state)}, and a new plan would still change something."
        )

    def _may(self, document: Mapping[str, Any], state: State) -> None:
        if why := seen.whole(document):
            raise Refused(f"This plan is not whole: {why}.", "Read what terraform plan says; mend the code.")
        if not state.lineage and not self.new_state:
            raise Refused(
                "There is no state: Terraform knows nothing of what exists, and would make all of it once more.",
                "Bring the state back (an earlier version of its object); where nothing exists, set new_state.",
            )
        gone = [row for row in seen.rows(document) if row["what"] in seen.DESTROYS]
        if kept := [row["address"] for row in gone if row["stateful"]]:
            raise Refused(
                f"It would destroy what keeps data or runs all the rest: {', '.join(kept[:5])}.",
                "Never by this step: take it out of the code's way by hand, with a backup (moved, prevent_destroy).",
            )
        if len(gone) > self.destroys_at_most:
            said = ", ".join(f"{row['address']} ({row['what']})" for row in gone[:5])
            raise Refused(
                f"It would destroy or replace {len(gone)} resources, more than {self.destroys_at_most}: {said}.",
                "See why; where it is meant, set destroys_at_most.",
            )

    def _nothing(self, asked: str) -> Plan:
        return self.planned(
            before={"asked for": asked},
            after={"asked for": asked},
            touches=0,
            touched="resources",
            verification="None: it is not asked for.",
            undo="None is needed.",
        )


def _words(row: Mapping[str, Any]) -> str:
    why = f", because {row['why']}" if row["why"] else ""
    differs = f": {row['differs']}" if row["differs"] else ""
    return f"{row['what']} {row['address']}{differs}{why}"


def _said(state: State) -> str:
    return f"serial {state.serial} of {state.lineage}" if state.lineage else "none"


def _sha256(path: Path) -> str:
    return hashlib.sha256(files.read_plain(path, LARGEST)).hexdigest()
