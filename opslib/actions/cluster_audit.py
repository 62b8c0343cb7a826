"""How much the API writes to its logs: one variable of one container, set by name, with the rollout that it takes."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from opslib.actions.backups_folder import Digest
from opslib.actions.base import Action, Progress, Settled
from opslib.actions.cluster_bounds import TRIES, wait
from opslib.actions.security_custody import held
from opslib.actions.security_logs_files import LogCustody, parse_logs
from opslib.actions.security_logs_found import NO_LOG, never_ran, wanted
from opslib.errors import Refused, Unreachable
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification
from opslib.probes.cluster import state_of
from opslib.systems.kubernetes import ReadOnlyCluster
from opslib.systems.kubernetes_shapes import Container, Pod
from opslib.systems.kubernetes_workloads import Deployment
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

AS_IT_IS = "as-it-is"
ABSENT = "not set"
LEVEL = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
"""What a value of before may look like: it stands in the plan, and a mistaken name must not bring a secret there."""


class SetAuditLevel(Action):
    """Sets the variable that says how much the API logs (OPS_AUDIT_VARIABLE) to ``level``, and follows the rollout.

    Its pods are replaced, and their logs with them: refused unless the evidence ``manifest`` holds each of these logs.
    """

    name: ClassVar[str] = "set-audit-level"
    title: ClassVar[str] = "Set how much the API logs"
    effect: ClassVar[Effect] = Effect.CHANGE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "cluster"
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 4000.0
    items: ClassVar[tuple[str, ...]] = ("RUN-SEC-04",)
    guide: ClassVar[str] = (
        'kubectl patch deployment api-server --type=\'json\' -p=\'[{"op": "add", "path": '
        '"/spec/template/spec/containers/0/env/-", "value": {"name": "AUDIT_LOG_LEVEL", "value": "debug"}}]\''
    )
    reason: ClassVar[str] = (
        "The guide's patch adds the variable once more each time, to whichever container comes first, fails where "
        "there is no list, and replaces the pods before their logs are kept (GH-30). Here it is set by name in a named "
        "container, only once the logs are kept, and followed until every pod has it exactly once."
    )

    level: Literal["as-it-is", "debug", "info", "warn"]
    manifest: Digest
    wait_seconds: float = Field(default=600.0, ge=1, le=3600)

    def plan(self, target: PlanTarget) -> Plan:
        """Look at the variable; raises Refused where it is anything but one plain value, or a rollout is under way."""
        if self.level == AS_IT_IS:
            return self._nothing()
        settings, name = target.settings, target.settings.audit_variable
        found = target.cluster.deployment(settings.api_deployment)
        container = _container(found, settings.api_container)
        before = _value(found, container, name)
        if found.spec.paused or not found.done:
            raise Refused(
                f"{found.name} is {'paused' if found.spec.paused else 'being rolled out'}: nobody could tell what this "
                "would bring about.",
                "Wait for its end (runbooks/roll-back-deployment takes back one that is stuck); then plan again.",
            )
        whole = {"deployment": found.name, "container": container, "variable": name}
        return self.planned(
            before={**whole, "value": before or ABSENT},
            after={**whole, "value": self.level},
            touches=0 if before == self.level else 1,
            touched="variables, which replaces the deployment's pods",
            verification="The rollout is over, and every pod has the variable exactly once, with this value.",
            undo=f"The variable is {'set to ' + before if before else 'removed'} again, by name, and pods are replaced "
            "once more: preserve their logs before, by this runbook as it is.",
            fingerprint={"deployment": found.meta.uid},
            observed={
                "pods to be replaced": found.spec.replicas,
                "strategy": found.spec.strategy.type,
                "lost": "what is logged between the evidence and a pod's end",
                "whether the program reads it": "not known here; the product's newest source reads LOG_LEVEL",
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Set it by the version that was read, follow the rollout; raises Refused before where logs are not kept."""
        if self.level == AS_IT_IS or not plan.touches:
            return {"in_time": True, "seconds": 0.0}
        _, custody = held(target.files, self.manifest, parse_logs)
        name, started = str(plan.after["deployment"]), time.monotonic()
        _preserved(target, custody, target.cluster.deployment(name))
        _put(target, plan, _said(plan.before), self.level)
        _, in_time = wait(target.cluster, name, self.wait_seconds, progress)
        return {"in_time": in_time, "seconds": round(time.monotonic() - started, 1)}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at every pod: the variable is there exactly once, with its value, and the rollout is over."""
        if self.level == AS_IT_IS:
            return Verification(Verdict.OK, "It was to stay as it is.")
        if values["in_time"] is None:
            wait(target.cluster, str(plan.after["deployment"]), self.wait_seconds)
        return _looked(target.cluster, plan, self.level)

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look at the variable in the deployment: as planned, as before, or somebody else's."""
        if self.level == AS_IT_IS or not plan.touches:
            return Settled(Outcome.NOT_DONE, "Nothing was to be set.")
        found = target.cluster.deployment(str(plan.after["deployment"]))
        if found.meta.uid != plan.fingerprint["deployment"]:
            return Settled(Outcome.UNKNOWN, f"{found.name} was made anew since.")
        there = _entries(found, str(plan.after["container"]), str(plan.after["variable"]))
        if there == [self.level]:
            return Settled(Outcome.DONE, "The variable is as planned.", {"in_time": None, "seconds": None})
        if there == _before(plan):
            return Settled(Outcome.NOT_DONE, "The variable is as before.")
        return Settled(Outcome.UNKNOWN, f"The variable stands {len(there)} times, or otherwise: somebody else set it.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Set the value of before, or remove the variable, by name; raises Refused where somebody set another since."""
        back = _said(plan.before)
        _put(target, plan, self.level, back)
        wait(target.cluster, str(plan.after["deployment"]), self.wait_seconds, progress)
        return _looked(target.cluster, plan, back)

    def _nothing(self) -> Plan:
        return self.planned(
            before={"level": AS_IT_IS},
            after={"level": AS_IT_IS},
            touches=0,
            touched="variables",
            verification="Nothing is looked at: it stays as it is.",
            undo="None is needed.",
        )


def _container(found: Deployment, named: str | None) -> str:
    names = [one.name for one in found.spec.template.spec.containers]
    if named is None and len(names) != 1:
        raise Refused(f"{found.name} has {len(names)} containers: {', '.join(names)}.", "Set OPS_API_CONTAINER.")
    if named is not None and named not in names:
        raise Refused(f"{found.name} has no container {named}, only {', '.join(names)}.", "Correct OPS_API_CONTAINER.")
    return named or names[0]


def _value(found: Deployment, container: str, name: str) -> str | None:
    """Return the variable's value, None where it is not set; raises Refused where it is no level that is said once."""
    there = _part(found.spec.template.spec.containers, container).variables(name)
    if len(there) > 1:
        raise Refused(
            f"{name} stands {len(there)} times in {found.name}: a patch that adds was applied more than once.",
            "Remove all but one (kubectl edit deployment); which one counts is the last.",
        )
    if there and there[0].source is not None:
        kinds = ", ".join(sorted(there[0].source))
        raise Refused(f"{name} comes from elsewhere ({kinds}).", "Change it there, and restart by a rollout.")
    if there and not LEVEL.fullmatch(there[0].value):
        raise Refused(f"{name} has a value that is no level.", "See what it is for; correct OPS_AUDIT_VARIABLE.")
    return there[0].value if there else None


def _part(containers: tuple[Container, ...], name: str) -> Container:
    return next((one for one in containers if one.name == name), Container(name=name, image=""))


def _entries(found: Deployment, container: str, name: str) -> list[str | None]:
    """Return each entry of the variable: its value, None where that comes from elsewhere."""
    there = _part(found.spec.template.spec.containers, container).variables(name)
    return [None if one.source is not None else one.value for one in there]


def _said(side: Mapping[str, Any]) -> str | None:
    value = str(side["value"])
    return None if value == ABSENT else value


def _before(plan: Plan) -> list[str | None]:
    value = _said(plan.before)
    return [] if value is None else [value]


def _preserved(target: WriteTarget, custody: LogCustody, found: Deployment) -> None:
    """Return if the evidence holds every log of the pods that would be replaced; raises Refused with those missing."""
    kept = {
        (log.uid, log.container, log.kind): log for log in custody.logs if not log.gap or log.gap.startswith(NO_LOG)
    }
    missing = []
    for pod in _own(target.cluster, found):
        for container, status, kind in wanted(pod):
            log = kept.get((pod.meta.uid, container.name, kind))
            if log is None and not never_ran(status):
                missing.append(f"{pod.name} {container.name} ({kind})")
            elif log is not None and status is not None and status.restarts > log.restarts:
                missing.append(f"{pod.name} {container.name} (it has ended since)")
    if missing:
        raise Refused(
            f"The evidence does not hold the logs of {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}, and "
            "replacing the pods would destroy them.",
            "Run again, with more log_megabytes where they did not suffice: what is missing is preserved first.",
        )


def _own(cluster: ReadOnlyCluster, found: Deployment) -> list[Pod]:
    """Return the deployment's pods that are there to stay."""
    every = (pod for pod in cluster.pods() if found.spec.selector.fits(pod.meta.labels))
    return [pod for pod in every if not pod.over and pod.meta.going is None]


def _put(target: WriteTarget, plan: Plan, known: str | None, value: str | None) -> None:
    """Set ``value`` where ``known`` stands; raises Refused, with nothing changed, where anything else does."""
    name, container, variable = (str(plan.after[what]) for what in ("deployment", "container", "variable"))
    for _ in range(TRIES):
        found = target.cluster.deployment(name)
        if found.meta.uid != plan.fingerprint["deployment"]:
            raise Refused(f"{name} was made anew since.", "Plan again.")
        there = _entries(found, container, variable)
        if there == ([] if value is None else [value]):
            return
        if there != ([] if known is None else [known]):
            raise Refused(f"{variable} of {name} is set otherwise by now.", "See who else sets it; plan again.")
        try:
            target.cluster_writer.set_variable(name, container, variable, value, found.meta.version)
            return
        except Unreachable as error:
            # Most often the deployment's own controller reported on it since it was read.
            if error.kind != "conflict":
                raise
    raise Refused(f"{name} is written to all the time: {TRIES} tries found another version.", "Look who does.")


def _looked(cluster: ReadOnlyCluster, plan: Plan, value: str | None) -> Verification:
    """Return what deployment and pods say of the variable now."""
    container, variable = str(plan.after["container"]), str(plan.after["variable"])
    found, right = cluster.deployment(str(plan.after["deployment"])), [] if value is None else [value]
    pods = _own(cluster, found)
    there = {pod.name: [one.value for one in _part(pod.spec.containers, container).variables(variable)] for pod in pods}
    rows: Rows = tuple(
        {"pod": pod.name, "state": state_of(pod)[0], variable: ", ".join(there[pod.name]) or ABSENT} for pod in pods
    )
    if _entries(found, container, variable) != right:
        return Verification(Verdict.CRITICAL, f"{variable} was set otherwise by somebody else: see who.", rows)
    wrong = [name for name, values in there.items() if values != right]
    if wrong or not found.done:
        why = "; ".join(f"{pod.name} is {state_of(pod)[0]}" for pod in pods if not pod.ready) or "pods are as before"
        return Verification(
            Verdict.CRITICAL,
            f"The rollout of {found.name} is not over: {why}; {len(wrong)} of {len(pods)} differ.",
            rows,
        )
    if not pods:
        return Verification(Verdict.CRITICAL, f"{found.name} has no pod that could be looked at.", rows)
    return Verification(Verdict.OK, f"{variable} is {value or ABSENT}, once, in each of {len(pods)} pods.", rows)
