"""The cache started anew where it does not answer: what that loses is said before, a write is proven after."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.errors import OpsError, Refused, StepFailed, Unreachable
from opslib.guide.choices import NONE, SERVICES, chosen
from opslib.model import Effect, Outcome, Plan, Repeat, Rows, Verdict, Verification
from opslib.probes.cache_workload import LIVES, ORDER, CacheWorkload, families, look
from opslib.probes.cluster_states import state_of
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

LONGEST_PAUSE = 2.0


class RestartCache(Action):
    """Replaces the pod of the cache's workload, which its controller makes again with its volume, where it is out.

    Refused where that may lose more than ``accept``: nothing, the last writes, everything that is in it. A cache that
    answers is left alone, full or not.
    """

    name: ClassVar[str] = "restart-cache"
    title: ClassVar[str] = "Start the cache anew"
    effect: ClassVar[Effect] = Effect.DESTRUCTIVE
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "cache"
    most: ClassVar[int] = 1
    seconds: ClassVar[float] = 4000.0
    items: ClassVar[tuple[str, ...]] = ("DR-SYS-00", "DR-OBJ-04Q")
    guide: ClassVar[str] = "redis-cli FLUSHDB"
    reason: ClassVar[str] = (
        "The guide promises the cache within five minutes and has no scenario for it; its product's own runbook "
        "restarts the StatefulSet, whose update waits for the very pod that is not ready. It calls the loss N/A, "
        "though queued jobs, limits, usage counts and sessions live there (GH-23). Here that pod alone is replaced, "
        "what a start loses is read from volume and persistence before, and a key of our own is written and read after."
    )

    services: str = Field(default=NONE, pattern=SERVICES)
    accept: Literal["nothing", "last-writes", "everything"] = "last-writes"
    wait_seconds: float = Field(default=300.0, ge=1, le=3600)

    def plan(self, target: PlanTarget) -> Plan:
        """Look at workload, pod and server; raises Refused where a start would lose more than is accepted."""
        if not chosen(self.services, "redis"):
            return self._nothing({"asked for": self.services})
        now = look(target)
        before = _before(now)
        if now.well:
            return self._nothing(before)
        self._may(now)
        pod = now.pod
        return self.planned(
            before=before,
            after={
                "workload": now.workload.name,
                "pod": f"{pod.name if pod else now.workload.name} anew, with its volume",
                "lost at most": now.kept.loss,
                "because": now.kept.why,
                "lives there": LIVES,
            },
            touches=1,
            touched="pods of the cache",
            verification="Another pod is ready; PING is answered, the server is a primary that has loaded its data; a "
            "key of our own was written and read; and how many keys each family has is shown.",
            undo="None: what a start loses is kept nowhere. The data on its volume is not touched.",
            fingerprint={
                "workload": now.workload.meta.uid,
                "pod": pod.meta.uid if pod else None,
                "loss": now.kept.loss,
            },
            observed={
                "server says": now.why or now.answer,
                "pod": " ".join(state_of(pod)).strip() if pod else "not there",
                "keys": families(target) if now.answer else "nobody can count them",
            },
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Replace the pod, wait until the server answers, and prove that it takes writes.

        Raises Refused where it answers by now, or is another one; StepFailed where it does not come back in time.
        """
        if not plan.touches:
            return {"seconds": 0.0, "proof": "not needed"}
        began, known = time.monotonic(), plan.fingerprint
        now = look(target)
        if now.workload.meta.uid != known["workload"]:
            raise Refused("The cache's workload was made anew since.", "Plan again.")
        same = now.pod is not None and now.pod.meta.uid == known["pod"]
        if same and now.well:
            raise Refused("The cache answers by now: nothing was started anew.", "Look at it; plan again.")
        if same and now.pod is not None:
            try:
                target.workloads_writer.remove_pod(now.pod.name, now.pod.meta.uid)
            except Unreachable as error:
                # Gone, or another one by now: its controller makes it again either way.
                if error.kind not in ("missing", "conflict"):
                    raise
        self._wait(target, known["pod"], progress)
        return {"seconds": round(time.monotonic() - began, 1), "proof": _proof(target)}

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Look at pod and server, and count what is there."""
        if not plan.touches:
            return Verification(Verdict.OK, f"Nothing was started anew: {_words(plan.before)}.")
        now = look(target)
        counted = families(target)
        rows: Rows = tuple({"family": prefix, "keys now": keys} for prefix, keys in counted.items())
        if not now.well or now.pod is None or now.pod.meta.uid == plan.fingerprint["pod"]:
            said = now.why or (" ".join(state_of(now.pod)) if now.pod else "its pod is not there")
            return Verification(Verdict.CRITICAL, f"The cache is not back: {said}.", rows)
        if now.facts.get("role") != "master" or now.facts.get("loading") not in (None, "0"):
            said = f"role {now.facts.get('role')}, loading {now.facts.get('loading')}"
            return Verification(Verdict.CRITICAL, f"The cache answers and cannot be used: {said}.", rows)
        if values["proof"] != "written and read":
            return Verification(Verdict.CRITICAL, f"The cache answers and takes no write: {values['proof']}.", rows)
        there = ", ".join(f"{prefix} {keys}" for prefix, keys in counted.items() if keys)
        lost = {"nothing": "Nothing was to be lost.", "last-writes": "What was written last may be missing."}
        said = lost.get(str(plan.fingerprint["loss"]), "All that was in it may be missing.")
        return Verification(
            Verdict.OK,
            f"{now.pod.name} is new and ready, a key was written and read. {said} Keys: {there or 'none'}.",
            rows,
        )

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look whether the pod is another one; one that is not back yet may be waited for by going on."""
        if not plan.touches:
            return Settled(Outcome.DONE, "Nothing was to be done.", {"seconds": 0.0, "proof": "not needed"})
        now = look(target)
        if now.workload.meta.uid != plan.fingerprint["workload"]:
            return Settled(Outcome.UNKNOWN, "The cache's workload was made anew since.")
        if now.pod is not None and now.pod.meta.uid == plan.fingerprint["pod"]:
            return Settled(Outcome.NOT_DONE, f"{now.pod.name} is the pod of before.")
        if now.well:
            return Settled(Outcome.DONE, "Another pod is ready.", {"seconds": None, "proof": _proof(target)})
        return Settled(Outcome.PARTLY, "The pod of before is gone, and the cache does not answer yet.")

    def _may(self, now: CacheWorkload) -> None:
        if now.workload.spec.replicas == 0:
            raise Refused(
                f"{now.workload.name} is scaled to 0: somebody switched the cache off.",
                "Find out who and why; then kubectl scale statefulset.",
            )
        if now.workload.spec.replicas > 1:
            raise Refused(
                f"{now.workload.name} has {now.workload.spec.replicas} pods: which one is the primary, it cannot tell.",
                "Fail over by what manages them (Sentinel, an operator).",
            )
        if ORDER.index(now.kept.loss) > ORDER.index(self.accept):
            raise Refused(
                f"A start would lose {now.kept.loss}, and {self.accept} is accepted: {now.kept.why}.",
                "Look first whether the pod can be mended as it is; else set accept_loss.",
            )

    def _wait(self, target: WriteTarget, before: str | None, progress: Progress) -> None:
        until, pause = time.monotonic() + self.wait_seconds, 0.1
        while True:
            now = look(target)
            if now.well and now.pod is not None and now.pod.meta.uid != before and now.facts.get("loading") != "1":
                return
            state = " ".join(state_of(now.pod)).strip() if now.pod else "not there yet"
            if time.monotonic() > until:
                raise StepFailed(
                    f"The cache is not back after {self.wait_seconds:g} s: {state}; {now.why}",
                    "See its pod's log (diagnostics/cluster); then resume.",
                )
            progress(f"the cache's pod is {state}")
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 1.5)

    def _nothing(self, before: Mapping[str, Any]) -> Plan:
        return self.planned(
            before=before,
            after=before,
            touches=0,
            touched="pods of the cache",
            verification="None: the cache answers, or it is not asked for.",
            undo="None is needed.",
        )


def _before(now: CacheWorkload) -> dict[str, Any]:
    return {
        "workload": now.workload.name,
        "pod": now.pod.name if now.pod else "not there",
        "answers": now.answer or "nothing",
    }


def _words(before: Mapping[str, Any]) -> str:
    return f"{before['pod']} answers {before['answers']}" if "pod" in before else "not asked for"


def _proof(target: WriteTarget) -> str:
    """Return whether the server takes a write and gives it back, in words."""
    try:
        same = target.cache_store.prove(target.run[-40:], secrets.token_hex(8))
    except OpsError as error:
        return error.message[:300]
    return "written and read" if same else "what was read is not what was written"
