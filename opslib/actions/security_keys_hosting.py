"""The new key at the front end's hoster, for functions of its own; and what is live built anew with it.

Only where the hoster has the variable already: what never had the key does not get it by a rotation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Progress, Settled
from opslib.actions.frontend_deploy import DeployFrontEnd
from opslib.actions.frontend_variables import SetHostingVariable
from opslib.actions.security_keys import KeyAction
from opslib.errors import Refused
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification
from opslib.probes.security_keys import hosted
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

NOTHING = "The hoster has no such variable."


class SetHostingKey(KeyAction):
    """Sets the variable of production's builds to the new key, kept as a secret, where there is that variable."""

    name: ClassVar[str] = "set-hosting-key"
    title: ClassVar[str] = "Give the front end's builds the new key"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    most: ClassVar[int] = 1
    items: ClassVar[tuple[str, ...]] = ("RUN-KEY-03",)
    guide: ClassVar[str] = "vercel env add TOGETHER_API_KEY production"
    reason: ClassVar[str] = (
        "The command asks at a prompt and fails where the name exists (GH-03). A key belongs there only where the "
        "hoster's own functions read it, and never under VITE_ (GH-04): where the variable is not, it is not made."
    )

    @property
    def setting(self) -> SetHostingVariable:
        """The action that sets any variable of the builds, for this one."""
        return SetHostingVariable(variable=self.of.variable, key=self.of.variable)

    def plan(self, target: PlanTarget) -> Plan:
        """Look whether the variable is there, and who set it; its value is never asked for."""
        now, known = self.standing(target), hosted(target, self.of.variable)
        if known is None:
            return self.planned(
                before={}, after={}, touches=0, touched="variables set", verification=NOTHING, undo="None is needed."
            )
        hosting = target.hosting
        if not known.secret and not hosting.marks:
            raise Refused(
                f"{hosting.hoster} keeps {known.name} readable, and would keep the new value so.",
                "Make it a secret there, or remove it; then plan again.",
            )
        mark, updated = known.mark, known.updated.isoformat() if known.updated else None
        told = mark is not None and mark.version in (now.old.id, now.version)
        before = mark.version if mark is not None and told else now.old.id
        return self.planned(
            before={"value": f"of version {before}" if told else "not told", "set at": updated},
            after={"value": f"of version {now.version}", "for": ", ".join(known.contexts)},
            touches=1,
            touched="variables set",
            verification=f"{hosting.hoster} lists it, hidden, as set anew by this work; the next build gets it.",
            undo=f"The vault's old key, of version {before}, is set"
            + (" again." if told else f": {hosting.hoster} does not tell whether that was what stood there."),
            fingerprint={
                "hoster": hosting.hoster,
                "project": hosting.project,
                "version": now.version,
                "before": before,
                "kind": known.kind,
                "contexts": list(known.contexts),
                "updated": updated,
                "mark": mark.text() if mark else None,
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Set it, once; raises Refused where the vault or the variable moved since the plan."""
        return self.setting.apply(target, plan, progress) if plan.touches else {}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at the listing."""
        return self.setting.verify(target, plan, values) if plan.touches else Verification(Verdict.OK, NOTHING)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for this work's mark, or whether the time moved."""
        return self.setting.settle(target, plan, progress) if plan.touches else Settled(Outcome.DONE, NOTHING)

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Set the old key again; raises Refused where somebody set another since."""
        return self.setting.undo(target, plan, values, progress)


class RebuildFrontEnd(KeyAction):
    """Builds the live commit of ``branch`` once more and puts it live, where the hoster's variable was set anew.

    Refused where the branch is ahead of what is live: a key's rotation releases no code.
    """

    name: ClassVar[str] = "rebuild-front-end"
    title: ClassVar[str] = "Build what is live once more, with the new key"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 3 * 3600.0
    items: ClassVar[tuple[str, ...]] = ("RUN-KEY-04",)
    guide: ClassVar[str] = "vercel --prod"
    reason: ClassVar[str] = (
        "A build keeps the variables that it was made with: the new key serves from the next one on, and a rollback "
        "brings the old key back (GH-05). The guide's command would release whatever lies in the operator's folder."
    )

    branch: str = Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*$")
    build_seconds: float = Field(default=1200.0, ge=1, le=7200)
    wait_seconds: float = Field(default=300.0, ge=0.1, le=3600)

    @property
    def deploying(self) -> DeployFrontEnd:
        """The action that builds any commit."""
        return DeployFrontEnd(branch=self.branch, build_seconds=self.build_seconds, wait_seconds=self.wait_seconds)

    def plan(self, target: PlanTarget) -> Plan:
        """Look what is live and where the branch is; raises Refused where they are not the same commit."""
        if hosted(target, self.of.variable) is None:
            return self._nothing(NOTHING)
        if not target.hosting.builds:
            return self._nothing(
                f"{target.hosting.hoster} builds elsewhere: let it build before the old key is revoked."
            )
        plan = self.deploying.plan(target)
        if plan.touches:
            raise Refused(
                f"{self.branch} is at {plan.after['commit']}, and {plan.before['commit']} is live.",
                "Deploy it first (runbooks/deploy-new-version): a key's rotation releases no code.",
            )
        return self.planned(
            before=plan.before,
            after={**plan.after, "production": f"a deployment built anew from {self.branch}"},
            touches=1,
            touched=plan.touched,
            verification=plan.verification,
            undo=plan.undo,
            fingerprint=plan.fingerprint,
            observed=plan.observed,
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Build once, follow, put live."""
        return self.deploying.apply(target, plan, progress) if plan.touches else {}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Ask the hoster and both addresses; the deployment must be younger than the variable."""
        if not plan.touches:
            return Verification(Verdict.OK, plan.verification)
        known, made = hosted(target, self.of.variable), target.hosting.deployment(str(values["deployment"]))
        if known is None or (known.updated is not None and made.created < known.updated):
            return Verification(Verdict.CRITICAL, f"{made.id} was built before the variable was set.")
        return self.deploying.verify(target, plan, values)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for the deployment of this work, and where production points."""
        return (
            self.deploying.settle(target, plan, progress) if plan.touches else Settled(Outcome.DONE, plan.verification)
        )

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Point production at what was live before, which was built with the old key."""
        return self.deploying.undo(target, plan, values, progress)

    def _nothing(self, why: str) -> Plan:
        return self.planned(
            before={}, after={}, touches=0, touched="deployments made", verification=why, undo="None is needed."
        )
