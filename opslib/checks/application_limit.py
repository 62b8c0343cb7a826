"""Whether the API limits how often somebody may ask: told by the headers of one ordinary answer."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes.application_limit import limit as probe


def _judge(reading: Reading) -> Judgement:
    row = reading.row
    if row["most"] is None:
        said = f"{row['path']} answers {row['status']} without a header of a limit ({', '.join(row['looked_for'])})"
        return Judgement(Verdict.WARNING, f"{said}.", None, reading.rows)
    said = f"{row['path']} tells a limit of {row['most']} requests ({row['header']}), {row['left']} left"
    return Judgement(Verdict.OK, f"{said}. That who asks too often is refused was not tried.", None, reading.rows)


rate_limit = Check(
    name="application-rate-limit",
    title="The API tells a limit of requests",
    probe=probe,
    judge=_judge,
    remedy=(
        "Set the limit where requests come in, and tell it (RateLimit or X-RateLimit-Limit). A balancer in front that "
        "limits without telling is not seen here."
    ),
)
"""WARNING where no limit is told: nothing shows that there is one."""
