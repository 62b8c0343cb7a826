"""Whether applications keep their sessions: by how many transactions each has made, and by poolers that are seen."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes.database_sessions import pooling as probe

EACH = threshold("transactions-per-session")
LEAST = 200
"""Sessions under which a share says nothing: administrators and these notebooks open some as well."""


def _judge(reading: Reading) -> Judgement:
    row = reading.row
    said = f"{row['sessions']} sessions made {row['transactions']} transactions, {row['each'] or 0:g} each"
    if row["of_poolers"]:
        return Judgement(Verdict.OK, f"{row['of_poolers']} sessions are a pooler's; {said}.", row["each"], reading.rows)
    if row["sessions"] < LEAST:
        return Judgement(Verdict.UNKNOWN, f"Only {said}: too few to tell a pool by.", row["each"], reading.rows)
    return Judgement(EACH.judge(row["each"]), f"{said}; no pooler is seen by its name.", row["each"], reading.rows)


pooling = Check(
    name="database-pooling",
    title="Applications keep their sessions instead of opening one for each request",
    probe=probe,
    judge=_judge,
    remedy=(
        "Let the application connect through the pooler in transaction mode (Supabase: port 6543), or give it a pool "
        "of its own. Sessions that are opened for each request cost a process of the server each."
    ),
    threshold=EACH,
)
"""WARNING where a session makes few transactions and no pooler is seen; UNKNOWN with few sessions."""
