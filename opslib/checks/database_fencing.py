"""The check of the fence agent: before the night in which a server has to be kept from coming back."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import database_fencing as probes


def _judge(reading: Reading) -> Judgement:
    if len(reading.rows) < 2:
        return Judgement(Verdict.UNKNOWN, "No second server is described: nothing could take over.", None, reading.rows)
    if not all(row["agent"] for row in reading.rows):
        said = "No fence agent is described: that a lost server is off, only a person can say; nobody can look."
        return Judgement(Verdict.WARNING, said, None, reading.rows)
    if unseen := [row for row in reading.rows if row["state"] is None]:
        return Judgement(Verdict.UNKNOWN, str(unseen[0]["reason"]), None, reading.rows)
    said = ", ".join(f"{row['address']} is {row['state']}" for row in reading.rows)
    return Judgement(Verdict.OK, f"The fence agent answers: {said}.", None, reading.rows)


fencing = Check(
    name="database-fencing",
    title="A lost server can be switched off from outside",
    probe=probes.fencing,
    judge=_judge,
    remedy=(
        "Describe an agent of ClusterLabs' fence-agents (OPS_FENCE_AGENT, OPS_FENCE_OPTIONS, OPS_FENCE_PASSWORD) and "
        "what it calls each machine (OPS_DATABASE_PLUG, OPS_STANDBY_PLUG), and try action=status by hand. Without one, "
        "a primary that died may come back and take writes that nobody finds. Where the vendor runs the servers, "
        "ask what keeps the old one away after its failover."
    ),
)
"""A promise about the means, not about a server: both may be on, and after a failover one is off."""
