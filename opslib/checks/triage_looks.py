"""The looks after a deployment: each run of the watch is one, and the archive knows which of them took place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import duration
from opslib.probes.application_compared import moment_of
from opslib.probes.triage_routines import earlier

DAY, TWO = 24.0, 48.0
"""Hours: for so long somebody looks at least, and the time in which that has to be (the guide's 24-48 hours)."""
MOST_SAID = 3


def looks(deployed: Reading, every_hours: float = 2.0) -> Check:
    """Return the check that a look was made every ``every_hours`` for 24 hours in a row, of the 48 since a deployment.

    UNKNOWN while that can still come, and where nobody knows when it was deployed; WARNING where it cannot any more.
    """

    def judge(reading: Reading) -> Judgement:
        at = moment_of(deployed)
        if at is None:
            why = deployed.unknown or "nothing tells it"
            return Judgement(Verdict.UNKNOWN, f"Since when it is deployed is not known ({why}).", None, reading.rows)
        return _judge(reading, at, timedelta(hours=every_hours))

    return Check(
        name="deployment-looks",
        title=f"Somebody looked every {every_hours:g} h for 24 hours after the deployment",
        probe=earlier["post-deployment-watch"],
        judge=judge,
        remedy=(
            "Let cron run it, for two days: ops run routines/post-deployment-watch. What nobody looked at stays a gap; "
            "another 24 hours without one, within the 48, count."
        ),
    )


def _judge(reading: Reading, at: datetime, every: timedelta) -> Judgement:
    now = reading.taken_at
    whole = [row for row in reading.rows if row["state"] == "finished" and not row["untrusted"]]
    moments = {datetime.fromisoformat(str(row["started_at"])): row for row in whole}
    taken = [moment for moment in (*moments, now) if moment >= at]  # this run is a look as well
    slots = _slots(at, min(now, at + timedelta(hours=TWO)), every, taken)
    need, done = math.ceil(timedelta(hours=DAY) / every), sum(row["looks"] > 0 for row in slots)
    longest, over = _longest(slots), now >= at + timedelta(hours=TWO)
    gaps = [row for row in slots if not row["looks"] and row["over"]]
    bad = sum(moment >= at and row["verdict"] == Verdict.CRITICAL for moment, row in moments.items())
    said = f"Deployed {duration((now - at).total_seconds())} ago; so far {done} of {len(slots)} looks took place"
    said += f", {longest} of the {need} in a row that are needed"
    named = ", ".join(row["from"][5:16].replace("T", " ") for row in gaps[:MOST_SAID])
    more = f" and {len(gaps) - MOST_SAID} more" if len(gaps) > MOST_SAID else ""
    said += f"; nobody looked from {named}{more}" if gaps else ""
    said += f"; {bad} of them found something CRITICAL" if bad else ""
    verdict = Verdict.OK if longest >= need else Verdict.WARNING if over else Verdict.UNKNOWN
    return Judgement(verdict, f"{said}.", float(longest), tuple(slots))


def _slots(at: datetime, end: datetime, every: timedelta, taken: Sequence[datetime]) -> list[Row]:
    """Return the times in each of which a look is due, until ``end``; the last one may still be going on."""
    found: list[Row] = []
    start = at
    while start < end:
        last = start + every
        count = sum(start <= moment < last for moment in taken)
        found.append({"from": start.isoformat(timespec="minutes"), "looks": count, "over": last <= end})
        start = last
    return found


def _longest(slots: Sequence[Row]) -> int:
    """Return how many looks in a row took place at most; a time that goes on counts only once it is over."""
    best = here = 0
    for row in slots:
        here = here + 1 if row["looks"] and row["over"] else 0
        best = max(best, here)
    return best
