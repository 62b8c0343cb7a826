"""The check of what the cache runs as: its pod, its server, and what a start anew would lose."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import cache_workload as probes


def _judge(reading: Reading) -> Judgement:
    row = reading.row
    loses = f"a start anew would lose {row['would_lose']}: {row['because']}"
    if row["wanted"] == 0:
        return Judgement(Verdict.CRITICAL, f"{row['workload']} is scaled to 0.", None, reading.rows)
    if row["answer"] != "PONG" or row["state"] != "ready":
        said = f"{row['workload']}: pod {row['pod'] or 'none'} is {row['state']}, {row['why'] or row['answer']}"
        return Judgement(Verdict.CRITICAL, f"{said.rstrip('.')}; {loses}.", None, reading.rows)
    if row["role"] != "master":
        return Judgement(Verdict.CRITICAL, f"{row['workload']} answers as {row['role']}.", None, reading.rows)
    verdict = Verdict.WARNING if row["would_lose"] == "everything" else Verdict.OK
    return Judgement(verdict, f"{row['workload']} is ready and answers; {loses}.", None, reading.rows)


workload = Check(
    name="cache-workload",
    title="The cache's pod is ready, its server answers, and a start anew loses little",
    probe=probes.workload,
    judge=_judge,
    remedy=(
        "Out: disaster/recover-everything with services=redis. A start that would lose everything: give its "
        "StatefulSet a volume and --appendonly yes, before it is needed. None: a managed service; see its console."
    ),
)
"""CRITICAL where pod or server is out; WARNING where a start anew would lose everything."""
