"""Checks at a handover: who is on call, who can be called, what is open, what was run, what is ill."""

from __future__ import annotations

from datetime import datetime, timedelta

from opslib.checks.observability_incident import counted, line
from opslib.guide.incident import HANDOVER, TRIAGE, looks, undocumented, when
from opslib.guide.support import channels
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import duration
from opslib.probes import observability_support as probes
from opslib.probes.observability_made import BACK, MOST, runs_made

AGE = threshold("triage-age")
MOST_NAMED = 5
GAP = timedelta(minutes=1)
"""Time without anybody that is none: shifts are entered to the minute."""


def _on_call(reading: Reading) -> Judgement:
    now = reading.taken_at
    first = [row for row in reading.rows if row["level"] == 1]
    rows = tuple(row for row in reading.rows if row["until"] is None or when(row["until"]) > now)
    here = [row for row in first if _begins(row, now) <= now and (row["until"] is None or when(row["until"]) > now)]
    if not here:
        return Judgement(Verdict.CRITICAL, "Nobody is on call: level 1 has no shift now.", None, rows)
    names = ", ".join(sorted({str(row["who"]) for row in here}))
    if any(row["until"] is None for row in here):
        return Judgement(Verdict.WARNING, f"{names} is on call for good: that is no rotation.", None, rows)
    ends = max(when(row["until"]) for row in here)
    before = [row for row in first if row["until"] is not None and when(row["until"]) <= now]
    took = f"{names} took over from {max(before, key=lambda row: when(row['until']))['who']}; " if before else ""
    next_ones = sorted((row for row in first if _begins(row, now) > now), key=lambda row: _begins(row, now))
    if not next_ones:
        said = f"{took}{names} is on call until {_time(ends)}, and nobody after that"
        return Judgement(Verdict.WARNING, f"{said}.", None, rows)
    then = next_ones[0]
    said = f"{took}{names} hands over to {then['who']} at {_time(_begins(then, now))}"
    gap = _begins(then, now) - ends
    if gap > GAP:
        said += f"; for {duration(gap.total_seconds())} before that nobody is on call"
    return Judgement(Verdict.WARNING if gap > GAP else Verdict.OK, f"{said}.", None, rows)


def _begins(row: Row, now: datetime) -> datetime:
    return now if row["from"] is None else when(row["from"])


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


on_call = Check(
    "on-call",
    "Somebody is on call, and somebody comes after",
    probes.shifts,
    _on_call,
    "Correct the schedule in PagerDuty. Without OPS_READ_PAGERDUTY_TOKEN and OPS_ESCALATION_POLICY nobody can look.",
    items=("DR-CON-01",),
)


def _contacts(reading: Reading) -> Judgement:
    rows = tuple({name: row[name] for name in ("contact", "reach", "from")} for row in reading.rows)
    missing = [row for row in reading.rows if not row["reach"]]
    have = f"{len(rows) - len(missing)} of {len(rows)} contacts are filled in"
    if missing:
        who = ", ".join(f"{row['contact']} ({row['setting']})" for row in missing)
        said = f"{have}; the guide has a placeholder for: {who}"
        return Judgement(Verdict.CRITICAL, f"{said}. Levels 2 and 3 of the escalation reach nobody.", None, rows)
    return Judgement(Verdict.OK, f"{have}. Whether anybody answers there was not tried.", None, rows)


contacts = Check(
    "contacts",
    "No contact of the guide's is a placeholder",
    probes.contacts,
    _contacts,
    "Say where the contact stands in OPS_ENGINEERING_MANAGER and OPS_CTO: a place, such as a PagerDuty user.",
    items=tuple(f"DR-CON-0{number}" for number in range(2, 7)),
)
"""CRITICAL while a level of the escalation path is a placeholder. Nobody is called."""


def _open(reading: Reading) -> Judgement:
    limit = channels()["pagerduty"].seconds
    ages = [(row, (reading.taken_at - when(row["since"])).total_seconds()) for row in reading.rows]
    rows = tuple(reading.rows)
    late = [f"{row['incident']} for {duration(age)}" for row, age in ages if not row["taken_on"] and age > limit]
    if late:
        said = f"Nobody has taken on, beyond the {duration(limit)} promised: {', '.join(late)}"
        return Judgement(Verdict.CRITICAL, f"{said}.", None, rows)
    if rows:
        new = sum(not row["taken_on"] for row in rows)
        said = f"{len(rows)} incidents are open and are handed over, {new} of them not taken on yet"
        return Judgement(Verdict.WARNING, f"{said}.", None, rows)
    return Judgement(Verdict.OK, "No incident is open.")


open_incidents = Check(
    "open-incidents",
    "Every open incident was taken on in time",
    probes.open_incidents,
    _open,
    "Take each one on in PagerDuty, or resolve it; reviews/incident-workbench has the clock of each.",
    items=("SUP-ONC-02",),
)


def _watched(reading: Reading) -> Judgement:
    looks = [row for row in reading.rows if row["notebook"] == TRIAGE and row["state"] == "finished"]
    if not looks:
        return Judgement(
            Verdict.UNKNOWN, f"Nobody looked at the whole target within {BACK.days} days (ops run {TRIAGE})."
        )
    newest = looks[0]
    if newest["untrusted"]:
        return Judgement(Verdict.CRITICAL, f"The newest triage ({newest['run']}) {newest['untrusted']}.")
    hours = (reading.taken_at - when(newest["started_at"])).total_seconds() / 3600
    ill, rows = newest["ill"], tuple(newest["ill"])
    said = f"The newest triage is {duration(hours * 3600)} old and says {newest['verdict'] or 'nothing'}"
    more = f" and {len(ill) - MOST_NAMED} more" if len(ill) > MOST_NAMED else ""
    said += f"; not OK: {', '.join(one['check'] for one in ill[:MOST_NAMED])}{more}" if ill else ""
    found = Verdict(newest["verdict"]) if newest["verdict"] in list(Verdict) else Verdict.UNKNOWN
    return Judgement(Verdict.worst([found, AGE.judge(hours)]), f"{said}.", round(hours, 4), rows)


watched = Check(
    "watched",
    "Somebody looked at the whole target of late, and what is ill is known",
    runs_made,
    _watched,
    f"Look now: ops run {TRIAGE}. What is ill goes over with its remedy, which the triage's report has.",
    AGE,
    ("SUP-ONC-01",),
)
"""By the newest triage of the archive: its age, and what it found. Dashboards no check can watch for anybody."""


def _runs(reading: Reading) -> Judgement:
    last = next((r for r in reading.rows if r["notebook"] == HANDOVER and r["state"] == "finished"), None)
    runs = [row for row in reading.rows if last is None or when(row["started_at"]) > when(last["started_at"])]
    rows = tuple(map(line, runs))
    since = f"since the handover of {_time(when(last['started_at']))}" if last else f"in {BACK.days} days"
    bad = [(row, why) for row in runs if not looks(row["notebook"]) and (why := undocumented(row))]
    broken = [row for row in runs if row["state"] not in ("finished", "open", "")]
    said = f"{counted(len(runs))} {since}, {sum(bool(row['steps']) for row in runs)} of them changed something"
    said += "".join(f"; {row['run']} {why}" for row, why in bad)
    said += f"; broken off: {', '.join(row['run'] for row in broken)}" if broken else ""
    if bad:
        worst = [Verdict.WARNING if row["sealed"] == "open" else Verdict.CRITICAL for row, _ in bad]
        return Judgement(Verdict.worst(worst), f"{said}.", None, rows)
    if last is None:
        said += ". No handover was recorded here before this one"
        said += f", or it was before the newest {MOST} runs" if len(reading.rows) >= MOST else ""
        return Judgement(Verdict.UNKNOWN, f"{said}.", None, rows)
    return Judgement(Verdict.WARNING if broken else Verdict.OK, f"{said}.", None, rows)


runs_handed_over = Check(
    "runs-handed-over",
    "What was run since the last handover is whole",
    runs_made,
    _runs,
    "See the reports named; let open runs end, resume or undo what was broken off, settle what is in doubt.",
)
"""UNKNOWN at the first handover of an archive: nobody knows then since when."""
