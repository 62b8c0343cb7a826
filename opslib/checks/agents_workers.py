"""The check that somebody takes the agents' jobs."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import count, duration
from opslib.probes import agents_workers as probes


def _judge(reading: Reading) -> Judgement:
    row = reading.row
    waits = _waiting(row)
    if row["wanted"] == 0:
        said = f"{row['deployment']} is scaled to 0: nobody takes the agents' jobs; {waits}."
        return Judgement(Verdict.CRITICAL, said, 0, reading.rows)
    there = f"{row['available']} of {row['wanted']} replicas of {row['deployment']} are available"
    late = f" ({row['not_ready']})" if row["not_ready"] else ""
    if not row["available"]:
        broken = f", and revision {row['revision']} lets no pod start" if row["template_is_broken"] else ""
        said = f"{there}{late}{broken}: nobody takes the agents' jobs; {waits}."
        return Judgement(Verdict.CRITICAL, said, 0, reading.rows)
    verdict = Verdict.WARNING if row["available"] < row["wanted"] or late else Verdict.OK
    return Judgement(verdict, f"{there}{late}; {waits}.", row["available"], reading.rows)


def _waiting(row: Row) -> str:
    if row["waiting"] is None:
        return f"how many wait is not known: {str(row['why']).rstrip('.')}"
    if not row["waiting"]:
        return "no job waits"
    since = "" if row["oldest_waiting"] is None else f", the oldest for {duration(row['oldest_waiting'])}"
    return f"{count(row['waiting'])} wait{since}"


workers = Check(
    name="agents-workers",
    title="Somebody takes the agents' jobs",
    probe=probes.workers,
    judge=_judge,
    remedy=(
        "disaster/recover-everything with services=worker: from 0 to its least, back to the revision before where the "
        "newest one lets no pod start, or single pods that hang. Jobs that wait are kept and taken then, the oldest "
        "first; do not clear the queue. Workers that are there and too few: runbooks/scale-for-high-traffic."
    ),
    items=("TRB-AGT-00",),
)
"""CRITICAL where no worker is there, WARNING where some are not ready. How long jobs wait is cache-queue's."""
