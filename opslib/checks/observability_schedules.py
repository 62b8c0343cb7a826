"""Whether what was to run by itself did: a notebook that nobody started has found nothing ill."""

from __future__ import annotations

from collections import Counter

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes.observability_schedules import due_times

MISSED = threshold("due-times-missed")
LATE = threshold("due-times-late")
NOTHING = ("missed", "interrupted", "failed")
"""Nothing came of it."""
BEHIND = ("late", "skipped")
UNTOLD = ("not installed", "faulty")
NOT_TOLD = "not told"
"""Of a destination of notices: it did not hear what it should have."""
MOST = 20


def _kept(reading: Reading) -> Judgement:
    counts = Counter(str(row["word"]) for row in reading.rows)
    if not reading.rows:
        return Judgement(Verdict.UNKNOWN, "No schedule of this target is in the table.")
    missed, late = (sum(counts[word] for word in words) for words in (NOTHING, BEHIND))
    untold = sorted({f"{row['schedule']} is {row['word']}" for row in reading.rows if row["word"] in UNTOLD})
    deaf = sorted({f"{row['schedule']} was not told" for row in reading.rows if row["word"] == NOT_TOLD})
    bad = tuple(row for row in reading.rows if row["word"] in (*NOTHING, *BEHIND, *UNTOLD, NOT_TOLD))[-MOST:]
    words = ", ".join(f"{counts[word]} {word}" for word in (*NOTHING, *BEHIND, "ran", "running", "due") if counts[word])
    said = "; ".join([f"Due times of the last 24 h: {words or 'none'}", *untold, *deaf])
    ran = counts["ran"] + counts["late"]
    verdicts = [MISSED.judge(missed), LATE.judge(late), Verdict.WARNING if deaf else Verdict.OK]
    # That nothing was due, or nothing has come to its end yet, shows of no schedule that it is kept.
    verdicts += [Verdict.UNKNOWN] if untold or not (ran or missed or late) else []
    return Judgement(Verdict.worst(verdicts), f"{said}.", float(missed), bad or tuple(reading.rows)[-MOST:])


schedules_kept = Check(
    "schedules-kept",
    "What was due in the last 24 hours has run, and in time",
    due_times,
    _kept,
    "See each due time with: ops schedule due. What nothing calls is installed by ops schedule cron --install or "
    "ops schedule systemd --install; a run that was broken off is shown by ops archive show RUN. Why somebody was not "
    "told says ops schedule tell.",
    MISSED,
)
"""CRITICAL for a due time of which nothing came, WARNING for one that is late or was skipped and for a
destination of notices that was not told, UNKNOWN where a schedule
is not installed or nothing was due."""
