"""Checks of what more replicas would need: nodes, quota, and connections to the database."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import cluster_room as probes

CONNECTION_USE = threshold("connection-use")


def room(api: int, worker: int) -> Check:
    """So many replicas of both deployments would find a node each; 0: as it is."""

    def judge(reading: Reading) -> Judgement:
        lost = [row for row in reading.rows if row["node"] == probes.NOWHERE]
        nodes = [row for row in reading.rows if row["node"] != probes.NOWHERE]
        left = sum(row["cpu_left"] for row in nodes if row["state"] == "takes pods")
        if lost:
            said = "; ".join(f"{row['pods_planned']} of {row['planned']} find no node ({row['state']})" for row in lost)
            return Judgement(Verdict.CRITICAL, f"{said}.", left, reading.rows)
        planned = sum(row["pods_planned"] for row in nodes)
        said = f"{planned} more pods fit; {left:g} cores are left on {len(nodes)} nodes then"
        odd = next((row["not_looked_at"] for row in nodes if row["not_looked_at"]), "")
        if odd:
            return Judgement(Verdict.WARNING, f"{said}, but {odd} may forbid it.", left, reading.rows)
        return Judgement(Verdict.OK, f"{said}.", left, reading.rows)

    return Check(
        name="cluster-room",
        title="The replicas fit on the nodes",
        probe=probes.room(api, worker),
        judge=judge,
        remedy="Add nodes first, or ask for fewer replicas. What does not fit would wait as Pending and serve nobody.",
    )


def quota(api: int, worker: int) -> Check:
    """So many replicas of both deployments stay within the namespace's quotas."""

    def judge(reading: Reading) -> Judgement:
        if not reading.rows:
            return Judgement(Verdict.OK, "The namespace has no quota.", None)
        worst = min(reading.rows, key=lambda row: row["left"] / row["hard"] if row["hard"] else 0.0)
        said = f"{worst['quota']} {worst['of']}: {worst['used']:g} and {worst['planned']:g} more of {worst['hard']:g}"
        if worst["left"] >= 0:
            return Judgement(Verdict.OK, f"{said}.", worst["left"], reading.rows)
        if worst["counts_some_pods_only"]:
            return Judgement(Verdict.WARNING, f"{said}, if it counts these pods.", worst["left"], reading.rows)
        return Judgement(Verdict.CRITICAL, f"{said}.", worst["left"], reading.rows)

    return Check(
        name="cluster-quota",
        title="The replicas fit into the quota",
        probe=probes.quota(api, worker),
        judge=judge,
        remedy="Have the quota raised by the cluster's owner, or ask for fewer replicas. Above it no pod is made.",
    )


def connections(api: int, worker: int, each: int) -> Check:
    """The pools of so many replicas fit into the database's connections, below the guide's alert."""

    def judge(reading: Reading) -> Judgement:
        worst = max(reading.rows, key=lambda row: row["percent"])
        said = (
            f"{worst['budget']}: {worst['used']} in use and {worst['planned']} more would be {worst['percent']:g} % "
            f"of {worst['usable']} usable connections."
        )
        verdict = CONNECTION_USE.judge(worst["percent"])
        if not worst["added"] and verdict is Verdict.CRITICAL:
            # Fewer replicas are a way out of it, and must not be kept from being one.
            verdict = Verdict.WARNING
        return Judgement(verdict, said, worst["percent"], reading.rows)

    return Check(
        name="cluster-connections",
        title="The replicas' pools fit into the database's connections",
        probe=probes.connections(api, worker, each),
        judge=judge,
        remedy="Ask for fewer replicas or smaller pools (PG_POOL_MAX), or pool in front of the database.",
        threshold=CONNECTION_USE,
    )
