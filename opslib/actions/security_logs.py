"""The logs of every pod of a deployment, written down before anything is contained: a restart destroys them.

The guide restarts the pods in its step 4 and collects their logs in its step 5, ten lines of each (hazards GH-30,
GH-31). Kubernetes keeps, of each container, the newest file of its log and that of its last end.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.security_custody import Filed, faults
from opslib.actions.security_evidence import ROOM, began
from opslib.actions.security_logs_files import Full, Log, LogCustody, Writing, parse_logs
from opslib.actions.security_logs_found import NO_LOG, begun, limit_of, never_ran, pods_of, vanished, wanted
from opslib.errors import Refused, SettingsError, Unreachable
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification, now
from opslib.redaction import Redactor
from opslib.systems.filing import MANIFEST
from opslib.systems.kubernetes_shapes import ContainerStatus, Pod
from opslib.systems.kubernetes_workloads import Deployment
from opslib.systems.target import PlanTarget, ReadTarget, VerifyTarget, WriteTarget

MEGABYTE = 1024 * 1024
LOG_SECONDS = 300.0
"""How long one log may take."""
ROUNDS = 3
"""How often it is looked for pods that came meanwhile."""
MOST_LOGS, LONGEST_WORDS = 1000, 300
HOPELESS = frozenset({"unauthorized", "forbidden"})
"""Failures that would be the same for every log."""
WITHOUT = "To go on without their logs: log_megabytes=0; the report then says that they were not preserved."


@dataclass
class _Kept:
    items: list[Filed] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)
    left: int = 0
    """Bytes that may still be written."""


class PreserveLogs(Action):
    """Writes every container's log of the last ``hours``, also that before its last restart, of every pod ``of`` the
    API, the LLM workers or both, into the run's own evidence; at most ``megabytes`` in all, 0: none.

    Nothing of the target is changed. What could not be had is named, and so is what Kubernetes has not kept.
    """

    name: ClassVar[str] = "preserve-logs"
    title: ClassVar[str] = "Preserve the logs of every pod"
    effect: ClassVar[Effect] = Effect.LOCAL
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "security"
    most: ClassVar[int] = 5
    seconds: ClassVar[float] = 7200.0
    items: ClassVar[tuple[str, ...]] = ("RUN-SEC-05",)
    guide: ClassVar[str] = "kubectl logs -l app=api-server --since=24h > incident-logs.txt"
    reason: ClassVar[str] = (
        "With a selector kubectl gives the last ten lines of each pod, and nothing of containers that ended (GH-31); "
        "and the guide collects them after it has restarted the pods (GH-30). Here every line of every container is "
        "written first, with the moment by its node's clock, and each log that is not whole is named."
    )

    of: Literal["api", "worker", "both"]
    hours: float = Field(default=24.0, ge=1, le=2160)
    megabytes: int = Field(default=32, ge=0, le=512)

    def plan(self, target: PlanTarget) -> Plan:
        """Say of which deployments, since when, and what there is now; raises Refused where a deployment is not."""
        found = self._looked(target)
        pods = {pod.name: len(list(wanted(pod))) for one in found for pod in pods_of(target, one)}
        since = self.since(target.run)
        extent = f"every container's since {since:%Y-%m-%d %H:%M} UTC, and that before its last restart"
        return self.planned(
            before={one.name: "logs not preserved" for one in found} or {"logs": "of nobody"},
            after={one.name: f"{extent}, at most {self.megabytes} MB in all" for one in found} or {"logs": "of nobody"},
            touches=1 if found else 0,
            touched="folders of files in the run's own evidence",
            verification="Each file is hashed and counted anew and held against the manifest, which names what is "
            "missing.",
            undo="None is needed: nothing of the target is changed, and the evidence stays with the run.",
            fingerprint={"deployments": {one.name: one.meta.uid for one in found}},
            observed={"pods": sorted(pods), "logs": sum(pods.values())},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Collect; returns the manifest's SHA-256 and one row a log. Raises Refused where too little room is left."""
        place, started, found = target.files, now(), self._looked(target)
        if place.free < (needed := ROOM + self.megabytes * MEGABYTE):
            raise Refused(
                f"The logs may take {needed} bytes, and {place.free} are free where the archive lies.",
                "Free space there: a full disk would keep the run from being recorded.",
            )
        place.begin()
        kept = _Kept(left=self.megabytes * MEGABYTE)
        there = {pod.name for one in found for pod in pods_of(target, one)}
        kept.logs += [vanished(name) for name in plan.observed["pods"] if name not in there]
        for _ in range(ROUNDS if found else 0):
            done = {log.uid for log in kept.logs}
            came = [(one, pod) for one in found for pod in pods_of(target, one) if pod.meta.uid not in done]
            if not came:
                break
            self._collect(target, kept, came, progress)
        custody = LogCustody(
            work=target.run,
            run=place.run,
            collected_by=place.collector,
            cluster=str(target.settings.kubernetes_url) if found else "none",
            namespace=target.cluster.namespace if found else "none",
            deployments={one.name: one.meta.uid for one in found},
            since=self.since(target.run),
            begun_at=started,
            ended_at=now(),
            items=tuple(kept.items),
            logs=tuple(kept.logs),
        )
        return _values(place.finish(custody.encode()), custody)

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Hash and count every file again; CRITICAL where one is not as collected, or no log at all could be had."""
        found = target.files.found(str(values["manifest"]))
        if found is None:
            return Verification(Verdict.CRITICAL, "There is no manifest with that SHA-256 in the run's evidence.")
        custody = parse_logs(found[1])
        if amiss := faults(found[0], custody):
            return Verification(Verdict.CRITICAL, f"Not preserved: {'; '.join(amiss[:3])}.", custody.shown())
        if not self.megabytes:
            return Verification(Verdict.OK, "No log was to be preserved.")
        if not any(not log.gap for log in custody.logs):
            why = custody.logs[0].gap if custody.logs else "there is no pod"
            return Verification(Verdict.CRITICAL, f"No log is whole here: {why}. {WITHOUT}", custody.shown())
        said = f"{sum(log.lines for log in custody.logs)} lines of {len(custody.logs)} logs, each file as collected"
        gaps = [f"{log.pod} {log.container} ({log.kind}): {log.gap}" for log in custody.logs if log.gap]
        said += f"; NOT WHOLE: {'; '.join(gaps[:5])}{' …' if len(gaps) > 5 else ''}" if gaps else ""
        return Verification(Verdict.OK, f"{said}.", custody.shown())

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for the manifest, which is written last; nothing is taken away, a next try begins anew."""
        folder = target.files.finished()
        if folder:
            data = (folder / MANIFEST).read_bytes()
            custody = parse_logs(data)
            if not faults(folder, custody):
                values = _values(hashlib.sha256(data).hexdigest(), custody)
                return Settled(Outcome.DONE, "Every file is as the manifest says.", values)
        return Settled(Outcome.NOT_DONE, "There is no manifest, so the logs were not collected to their end.")

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Do nothing: evidence is not taken away, and nothing else was changed."""
        return Verification(Verdict.OK, "Nothing of the target was changed; the evidence stays with the run.")

    def since(self, work: str) -> datetime:
        """Return the moment from which lines are taken: ``hours`` before the work began, by its id."""
        return began(work) - timedelta(hours=self.hours)

    def _looked(self, target: ReadTarget) -> list[Deployment]:
        settings = target.settings
        names = {"api": [settings.api_deployment], "worker": [settings.worker_deployment]}
        try:
            return [
                target.cluster.deployment(name)
                for which in ("api", "worker")
                if self.megabytes and self.of in (which, "both")
                for name in names[which]
            ]
        except SettingsError as error:
            raise Refused(error.message, f"{error.next_step} {WITHOUT}") from error
        except Unreachable as error:
            raise Unreachable(error.message, f"{error.next_step} {WITHOUT}", error.kind) from error

    def _collect(
        self, target: WriteTarget, kept: _Kept, came: list[tuple[Deployment, Pod]], progress: Progress
    ) -> None:
        redactor = Redactor(target.settings.secrets())
        asked = [(one, pod, *log) for one, pod in came for log in wanted(pod)]
        for number, (one, pod, container, status, kind) in enumerate(asked):
            progress(f"{pod.name} {container.name}", number, len(asked))
            log = begun(one, pod, container, status, kind)
            if len(kept.logs) >= MOST_LOGS:
                raise Refused(f"There are more than {MOST_LOGS} logs.", "Preserve one deployment at a time.")
            writing = Writing(
                target.files, redactor, f"log-{len(kept.logs) + 1:03d}", kept.left // (len(asked) - number)
            )
            gap, limit = self._poured(target, writing, pod, log, status)
            kept.left -= writing.bytes
            kept.items += writing.items
            said = {"lines": writing.lines, "bytes": writing.bytes, "redacted_lines": writing.hidden}
            moments = {"first": writing.first, "last": writing.last}
            limit = limit or limit_of(log, status, writing, self.since(target.run))
            parts = {"parts": tuple(item.id for item in writing.items)}
            kept.logs.append(log.model_copy(update={**said, **moments, **parts, "gap": gap, "limit": limit}))

    def _poured(
        self, target: WriteTarget, writing: Writing, pod: Pod, log: Log, status: ContainerStatus | None
    ) -> tuple[str, str]:
        """Write one log; returns why it is not whole, and what is no fault of ours, each empty where nothing is."""
        # Counted back from now, so that each log reaches to the same moment, a little before it.
        seconds = math.ceil((now() - self.since(target.run)).total_seconds()) + 1
        previous = log.kind != "now"
        try:
            target.cluster.pour_log(
                writing.take, pod.name, log.container, since=seconds, previous=previous, seconds=LOG_SECONDS
            )
            return ("" if writing.end() else "its last line has no end, so it may be cut off"), ""
        except Full:
            writing.give_up()
            later = f"what is later than {writing.last or 'its begin'} is not here"
            return f"more than its share of {self.megabytes} MB: {later}", ""
        except Unreachable as error:
            if error.kind in HOPELESS:
                raise
            _end(writing)
            if error.kind == "missing":
                return "the pod was gone when its log was asked for", ""
            if error.kind == "rejected" and not previous and never_ran(status):
                return "", "it has not run yet"
            if error.kind == "rejected":
                return f"{NO_LOG} ({error.message[:LONGEST_WORDS]})", ""
            return f"broke off after {writing.lines} lines ({error.message[:LONGEST_WORDS]})", ""


def _end(writing: Writing) -> None:
    try:
        writing.end()
    except Full:
        writing.give_up()


def _values(manifest: str, custody: LogCustody) -> dict[str, Any]:
    return {
        "manifest": manifest,
        "run": custody.run,
        "taken_at": custody.begun_at,
        "files": len(custody.items),
        "lines": sum(log.lines for log in custody.logs),
        "bytes": sum(item.bytes for item in custody.items),
        "logs": [log.row for log in custody.logs],
    }
