"""Checks of the database's disk: how full, what fills it, how long it lasts; and whether anybody may still write."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict, Watch
from opslib.pictures.figures import duration, size
from opslib.probes import database_disk as probes

DISK_USE = threshold("disk-use")
STEADY_SECONDS = 300
"""A slot has to be without its consumer for so long before its pace says anything."""

RUNBOOK = "runbooks/free-database-disk"


def _judge_disk(reading: Reading) -> Judgement:
    holding = [row for row in reading.rows if row["holds_data"]]
    row = max(holding or reading.rows, key=lambda row: row["used_percent"])
    where = "with the data" if holding else "the fullest, for which one holds the data is not known"
    said = f"{row['mount_point']} ({where}): {row['used_percent']:g} % of {size(row['size_bytes'])} used"
    said += f", {size(row['free_bytes'])} free{_kept(row)}."
    return Judgement(DISK_USE.judge(row["used_percent"]), said, row["used_percent"], reading.rows)


def _kept(row: Row) -> str:
    """What a forgotten slot has to do with it. It keeps all of the log, so what it kept until now tells the pace."""
    if not row.get("kept_bytes"):
        return ""
    said = f"; slot {row['kept_by']} has no consumer and keeps {size(row['kept_bytes'])} of the log"
    seconds = row["kept_seconds"]
    if not seconds or seconds < STEADY_SECONDS:
        return said
    return f"{said}, and at that pace the disk is full in {duration(row['free_bytes'] * seconds / row['kept_bytes'])}"


disk = Check(
    name="database-disk",
    title="The database's disk is less than 70 % full",
    probe=probes.disk,
    judge=_judge_disk,
    remedy=(
        f"A slot without a consumer keeps the write-ahead log: {RUNBOOK} shows it, and drops it. Else see what grows: "
        "pieces that wait to be kept (database-log-kept), temporary files of one statement, bloat, or the data itself "
        "(largest tables). Never delete files in pg_wal. Enlarge the disk before 95 %, where Supabase makes the "
        "database read-only."
    ),
    threshold=DISK_USE,
    items=("MON-DB-03T", "MON-DB-03A"),
)
"""Use of the file system under the data directory, from the server's node metrics; UNKNOWN without them."""

_SAID_BY = {
    "configuration file": "the server's configuration, as Supabase sets it from 95 % of the disk on",
    "database": "a setting of the database",
}


def _judge_writes(reading: Reading) -> Judgement:
    row = reading.row
    where = f"{row['address']}, as {row['asked_as']}"
    if row["standby"]:
        return Judgement(Verdict.CRITICAL, f"{where}: it is a standby, and takes no writes.", None, reading.rows)
    if not row["read_only"]:
        return Judgement(Verdict.OK, f"{where}: a session begins with the right to write.", None, reading.rows)
    if (by := _SAID_BY.get(row["said_by"])) is None:
        # A setting of this role, or of our own address: others may well write.
        said = f"{where}: sessions begin read-only, by a setting of that role's ({row['said_by']})."
        return Judgement(Verdict.WARNING, said, None, reading.rows)
    return Judgement(Verdict.CRITICAL, f"{where}: each session begins read-only, by {by}.", None, reading.rows)


REMEDY = (
    f"Is the disk full (database-disk)? {RUNBOOK}: below 95 % Supabase lets the database write again by itself. Until "
    "then a session that has to delete may say SET default_transaction_read_only = off. If the disk has room, somebody "
    "set it: ask who, for a former primary that was fenced has to stay shut (disaster/recover-database); then ALTER "
    "SYSTEM or ALTER DATABASE … RESET default_transaction_read_only, and pg_reload_conf()."
)

writes = Check(
    name="database-writes",
    title="Sessions of the database may write",
    probe=probes.begins,
    judge=_judge_writes,
    remedy=REMEDY,
)
"""Asked as the role that writes, by a session that sets nothing itself: the reading role can't see it."""


def _decide_writes(samples: Sequence[Reading], last: bool) -> Judgement | None:
    seen = [one for one in samples if one.unknown is None]
    if not seen:
        return Judgement(Verdict.UNKNOWN, "Nobody could be asked.") if last else None
    found = _judge_writes(seen[-1])
    return found if last or found.verdict is not Verdict.CRITICAL else None


def writes_again(seconds: float = 5.0) -> Watch:
    """Return the watch that ends as soon as sessions may write again; at its end it says what still keeps them."""
    return Watch(
        name="database-writes-again",
        title="Sessions of the database may write again",
        probe=probes.begins,
        decide=_decide_writes,
        remedy=REMEDY,
        seconds=seconds,
    )
