"""What the cache runs as in the cluster, and what it would lose by being started anew, as far as both tell.

Sources: Redis and Valkey, "Persistence" (appendfsync everysec may lose a second, a snapshot what came after it), INFO
persistence; Kubernetes documentation, "StatefulSets" (a claim's volume outlives its pod).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from opslib.errors import OpsError, Unreachable
from opslib.model import Probe
from opslib.probes.cluster_states import state_of
from opslib.systems.cache import CacheUnreachable
from opslib.systems.kubernetes_history import StatefulSet
from opslib.systems.kubernetes_shapes import Pod
from opslib.systems.target import ReadTarget

Loss = Literal["nothing", "last-writes", "everything"]
"""What a start anew loses at most; what is not known counts as everything."""
ORDER: tuple[Loss, ...] = ("nothing", "last-writes", "everything")
LIVES = "queued jobs, rate limits, usage counts, quotas, sessions and cached answers"


@dataclass(frozen=True)
class Kept:
    """What outlives a start anew: ``loss`` at most, and ``why`` in a sentence."""

    loss: Loss
    why: str


def by_spec(workload: StatefulSet) -> Kept:
    """Return what the workload's own description says of it: its volumes, and what its server is started with."""
    if not workload.volumes:
        return Kept("everything", f"its pod has no volume: {LIVES} are lost")
    words = [word.strip("\"'").lower() for word in workload.words]
    pairs = dict(pairwise(words))
    if pairs.get("--appendonly") == "yes":
        sync = pairs.get("--appendfsync", "everysec")
        said = {"always": "nothing that was acknowledged", "everysec": "the last second's writes"}
        lost = said.get(sync, "what the system had not yet written to the disk, some 30 s")
        if sync == "always":
            return Kept("nothing", f"its append-only file is flushed at each write (volume {workload.volumes[0]})")
        return Kept("last-writes", f"its append-only file is on volume {workload.volumes[0]}: at most {lost} are lost")
    if "--save" in pairs and pairs["--save"] not in ("", "--save"):
        return Kept("last-writes", f"a snapshot is on volume {workload.volumes[0]}: what was written after it is lost")
    return Kept(
        "everything",
        f"it has the volume {workload.volumes[0]}, and its description does not say that anything is saved there",
    )


def by_server(info: Mapping[str, str], volumes: list[str]) -> Kept:
    """Return what a server that answers says of it (INFO persistence)."""
    if not volumes:
        return Kept("everything", f"its pod has no volume: {LIVES} are lost")
    if info.get("aof_enabled") == "1":
        if info.get("aof_last_write_status") == "ok":
            return Kept("last-writes", "its append-only file is written: at most the last seconds' writes are lost")
        return Kept("everything", "its append-only file cannot be written any more: what it holds is of before that")
    unsaved = int(info.get("rdb_changes_since_last_save", "0"))
    if _snapshot(info) and info.get("rdb_last_bgsave_status") == "ok":
        return Kept("nothing" if not unsaved else "last-writes", f"{unsaved} changes came after its last snapshot")
    return Kept("everything", "it saves nothing")


def _snapshot(info: Mapping[str, str]) -> bool:
    # rdb_last_save_time is the time of the start where nothing was ever saved: it proves no snapshot.
    saved = int(info.get("rdb_saves", "0")) > 0 or int(info.get("rdb_last_bgsave_time_sec", "-1")) >= 0
    return saved or int(info.get("rdb_last_load_keys_loaded", "0")) > 0


@dataclass(frozen=True)
class CacheWorkload:
    """The StatefulSet and its pod as they stand; ``answer`` is PING's, ``why`` the reason where there is none."""

    workload: StatefulSet
    pod: Pod | None
    answer: str | None
    why: str
    kept: Kept
    facts: Mapping[str, Any]

    @property
    def well(self) -> bool:
        """Whether its pod is ready and its server answers."""
        return self.answer == "PONG" and self.pod is not None and self.pod.ready


def look(target: ReadTarget) -> CacheWorkload:
    """Return how the cache stands, in the cluster and by its own word.

    Raises Unreachable: missing, where the description or the cluster has no such workload.
    """
    name = target.settings.cache_workload
    if name is None:
        raise Unreachable(
            "No workload of the cache is described: a managed service is started anew at its own console.",
            "For a StatefulSet of the cluster set OPS_CACHE_WORKLOAD.",
            "missing",
        )
    workload = target.workloads.stateful_set(name)
    pods = [one for one in target.workloads.pods() if workload.spec.selector.fits(one.meta.labels) and not one.over]
    pod = min(pods, key=lambda one: one.name, default=None)
    kept, facts = by_spec(workload), dict[str, Any]()
    try:
        answer, _ = target.cache.timed_pings(1)
        info = target.cache.info("server", "replication", "persistence", "memory")
        kept = by_server(info, workload.volumes)
        facts = {"role": info.get("role"), "server": info.get("run_id"), "loading": info.get("loading")}
        facts |= {
            "used": info.get("used_memory"),
            "limit": info.get("maxmemory"),
            "policy": info.get("maxmemory_policy"),
        }
        return CacheWorkload(workload, pod, answer, "", kept, facts)
    except CacheUnreachable as error:
        return CacheWorkload(workload, pod, None, error.message, kept, facts)


def _read(target: ReadTarget) -> list[dict[str, Any]]:
    found = look(target)
    pod = found.pod
    return [
        {
            "workload": f"statefulset {found.workload.name}",
            "wanted": found.workload.spec.replicas,
            "ready": found.workload.status.ready,
            "pod": pod.name if pod else None,
            "state": " ".join(state_of(pod)).strip() if pod else "not there",
            "restarts": sum(one.restarts for one in pod.status.containers) if pod else None,
            "answer": found.answer,
            "why": found.why,
            "volume": ", ".join(found.workload.volumes) or None,
            "would_lose": found.kept.loss,
            "because": found.kept.why,
            **{name: found.facts.get(name) for name in ("role", "used", "limit", "policy")},
        }
    ]


workload = Probe(
    name="cache-workload",
    title="The cache in the cluster, and what a start anew would lose",
    read=_read,
    source="GET statefulsets · GET pods · PING · INFO persistence",
    units={"used": "bytes", "limit": "bytes"},
)
"""One row; ``would_lose`` is nothing, last-writes or everything, by the server's own word where it answers."""


def families(target: ReadTarget) -> dict[str, int | str]:
    """Return how many keys each family that must stay has; in words where nobody could count."""
    prefixes = (*target.settings.protected_prefixes, target.settings.cache_prefix)
    marks = {prefix: prefix.encode() for prefix in prefixes}
    found: dict[str, int | str] = dict.fromkeys(prefixes, 0)
    try:
        for batch in target.cache.scan():
            for prefix, mark in marks.items():
                found[prefix] = int(found[prefix]) + sum(key.startswith(mark) for key in batch)
    except OpsError as error:
        return dict.fromkeys(prefixes, f"not counted: {error.message[:120]}")
    return found
