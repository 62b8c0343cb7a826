"""Checks of what is kept elsewhere: Supabase's own backups, the places that the guide names, the logs."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.pictures.figures import count
from opslib.probes import backups_elsewhere as probes

AGE = threshold("automatic-backup-age")
BEHIND = threshold("point-in-time-behind")
KEPT = threshold("log-retention")
SILENT = threshold("log-silence")


def _judge_automatic(reading: Reading) -> Judgement:
    row = reading.row
    if not row["backups"]:
        last = f"; the last one is {row['last_status']}" if row["last_status"] else ""
        said = f"Supabase has no whole backup of {row['project']}{last}."
        verdict = Verdict.WARNING if row["point_in_time"] else Verdict.CRITICAL
        return Judgement(verdict, said, None, reading.rows)
    said = f"the newest of {count(row['backups'])} is {row['age_hours']:.1f} hours old"
    verdict = AGE.judge(row["age_hours"])
    if row["last_status"] not in ("COMPLETED", "PENDING"):
        verdict, said = Verdict.worst([verdict, Verdict.WARNING]), f"the last one is {row['last_status']}; {said}"
    return Judgement(verdict, f"{said[0].upper()}{said[1:]}.", row["age_hours"], reading.rows)


automatic = Check(
    name="backup-automatic",
    title="Supabase's own daily backup is from today",
    probe=probes.automatic,
    judge=_judge_automatic,
    remedy=(
        "Ask Supabase why its backup did not run (project's page, Database, Backups); until then "
        "runbooks/back-up-database every hour. With point-in-time recovery on, Supabase may take none of these."
    ),
    threshold=AGE,
    items=("BAK-SBC-01",),
)
"""It is Supabase's word that a backup is whole: nobody has restored it. Ours are restored to be proven."""


def _judge_point(reading: Reading) -> Judgement:
    row = reading.row
    if not row["point_in_time"]:
        said = "There is no point-in-time recovery: what a day wrote since the newest backup would be lost."
        return Judgement(Verdict.WARNING, said, None, reading.rows)
    behind = row["behind_minutes"]
    if behind is None:
        return Judgement(Verdict.UNKNOWN, "It is on, and does not say how far it reaches.", None, reading.rows)
    said = f"Any moment of the last {row['reaches_back_days']:g} days but the last {behind:g} minutes."
    return Judgement(BEHIND.judge(behind), said, behind, reading.rows)


point_in_time = Check(
    name="backup-point-in-time",
    title="Any moment can be gone back to",
    probe=probes.automatic,
    judge=_judge_point,
    remedy=(
        "An RPO of one hour needs it, or a proven backup every hour: switch the add-on on, or schedule "
        "runbooks/back-up-database. Far behind: archiving of the write-ahead log has stopped, see diagnostics/database."
    ),
    threshold=BEHIND,
    items=("BAK-SBC-02",),
)


def _judge_places(reading: Reading) -> Judgement:
    gone = [f"{row['what']}: {row['where']} is not there" for row in reading.rows if row["readable"] is False]
    blind = [f"{row['what']}: {row['where']} ({row['says']})" for row in reading.rows if row["readable"] is None]
    if gone:
        return Judgement(Verdict.CRITICAL, f"{'; '.join([*gone, *blind])}.", len(gone), reading.rows)
    if blind:
        return Judgement(Verdict.UNKNOWN, f"Nobody could look: {'; '.join(blind)}", None, reading.rows)
    return Judgement(Verdict.OK, f"All {len(reading.rows)} places are there and can be read.", 0, reading.rows)


places = Check(
    name="backup-places",
    title="What the guide keeps is where it says, and can be read",
    probe=probes.places,
    judge=_judge_places,
    remedy=(
        "A bucket or group under another name: say so in OPS_BACKUP_BUCKET, OPS_LOG_GROUP, OPS_VAULT_SECRET (the "
        "product's own code writes to /aws/eks/valuecanvas-production). Gone: find out who removed it, then "
        "runbooks/respond-to-security-incident."
    ),
    items=("BAK-LOC-01L", "BAK-LOC-02L", "BAK-LOC-03L", "BAK-LOC-04L", "IMP-OBJ-10"),
)


def _judge_logs(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.CRITICAL, "There is no such group of logs.", None)
    row = reading.row
    found = [KEPT.judge(float("inf") if row["days"] is None else row["days"])]
    said = f"{row['group']} keeps " + (f"{row['days']} days" if row["days"] else "for ever")
    if row["newest_hours"] is None:
        return Judgement(Verdict.worst([*found, Verdict.WARNING]), f"{said}, and holds no event.", row["days"], (row,))
    found.append(SILENT.judge(row["newest_hours"]))
    said += f"; the newest event came {row['newest_hours']:.1f} hours ago"
    return Judgement(Verdict.worst(found), f"{said}.", row["days"], (row,))


logs = Check(
    name="backup-logs",
    title="Logs are kept for 90 days, and still arrive",
    probe=probes.logs,
    judge=_judge_logs,
    remedy=(
        "Set the group's retention to 90 days. No event for a day: the product may write to another group "
        "(/aws/eks/valuecanvas-production), or its agent has stopped; see diagnostics/observability."
    ),
    threshold=KEPT,
    items=("BAK-LOC-04R",),
)
"""WARNING below 90 days, and where nothing came for a day; CRITICAL where there is no group."""
