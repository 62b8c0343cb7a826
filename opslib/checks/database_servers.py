"""Checks of the database's servers together: who takes writes, who follows, and whether the log gets away."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import duration, size
from opslib.probes import database as probes
from opslib.probes.database_servers import by_role
from opslib.probes.database_ways import DOWN

BEHIND = threshold("standby-behind")
WAITING = threshold("log-pieces-waiting")
Said = tuple[Verdict, str]
SERVER = (
    *(
        "meant_as",
        "address",
        "answers",
        "standby",
        "timeline",
        "lsn",
        "receiver",
        "heard_seconds",
        "not_replayed_bytes",
    ),
    *("last_commit_seconds", "followers"),
)
KEEPS = (
    *("address", "keeps_log", "keeps_every_seconds", "last_kept", "last_kept_seconds", "last_failed"),
    *("last_failed_seconds", "waiting_pieces"),
)
"""What of a server's row each check shows."""


def _judge_servers(reading: Reading) -> Judgement:
    primary, standby = by_role(reading.rows)
    assert primary is not None
    verdict, said = _state(primary, standby)
    return Judgement(verdict, said, None, tuple(_shown(row, SERVER) for row in reading.rows))


def _shown(row: Row, columns: tuple[str, ...]) -> Row:
    return {name: row.get(name) for name in columns}


def _state(primary: Row, standby: Row | None) -> Said:
    if standby is None:
        return _alone(primary)
    if primary["answers"] and standby["answers"]:
        return _both(primary, standby)
    if standby["answers"]:
        return _without_primary(primary, standby)
    if primary["answers"]:
        return _without_standby(primary, standby)
    return Verdict.CRITICAL, f"None of the servers answers. {primary['reason']} {standby['reason']}"


def _alone(primary: Row) -> Said:
    if not primary["answers"]:
        return _silent(primary), f"{primary['reason']} No standby is described that could say more."
    if primary["standby"]:
        return Verdict.CRITICAL, f"{primary['address']} is a standby: it takes no writes, and no other server is known."
    if primary["meant"]:
        said = (
            f"{primary['meant']} standbys should follow, and OPS_READ_STANDBY_DATABASE_URL names none: nobody looked."
        )
        return Verdict.UNKNOWN, said
    if primary["meant"] is None:
        return Verdict.UNKNOWN, "One server takes writes; whether a standby should follow it, nobody said."
    return Verdict.OK, f"{_named(primary)} takes writes; no standby is meant to follow it."


def _both(primary: Row, standby: Row) -> Said:
    apart = primary["system_identifier"] != standby["system_identifier"]
    if not primary["standby"] and not standby["standby"]:
        both = f"{_named(primary)} and {_named(standby)} both take writes"
        if apart:
            return Verdict.CRITICAL, f"{both}, and are two databases that have nothing to do with each other."
        return Verdict.CRITICAL, f"Split brain: {both}. What one of them takes from now on will be lost."
    if primary["standby"] and standby["standby"]:
        return Verdict.CRITICAL, f"{_named(primary)} and {_named(standby)} are both standbys: nobody takes writes."
    if apart:
        return (
            Verdict.CRITICAL,
            f"{_named(standby)} is a copy of another database: failing over would exchange the data.",
        )
    return _followed(primary, standby)


def _followed(primary: Row, standby: Row) -> Said:
    missing = max(0, primary["position_bytes"] - standby["received_bytes"])
    if standby["receiver"] != "streaming":
        since = f"; {size(missing)} behind" if missing else ""
        return Verdict.CRITICAL, f"{_named(standby)} receives nothing ({standby['receiver'] or 'no receiver'}){since}."
    pending = standby["not_replayed_bytes"]
    late = standby["last_commit_seconds"] if pending else 0.0
    said = f"{_named(primary)} takes writes; {_named(standby)} streams from it, "
    said += f"{size(missing)} not received, {size(pending)} not replayed"
    if pending:
        said += f", its last commit is {'of an unknown age' if late is None else f'{duration(late)} old'}"
    if standby["replay"] != "not paused":
        return Verdict.WARNING, f"{said}; its replay is {standby['replay']}."
    # Something is always on its way; it is late only when its age says so.
    return BEHIND.judge(late), f"{said}."


def _without_primary(primary: Row, standby: Row) -> Said:
    if standby["receiver"] == "streaming" and _silent(primary) is Verdict.UNKNOWN:
        heard = duration(standby["heard_seconds"] or 0.0)
        said = f"We do not reach {primary['address']}, but its standby heard it {heard} ago: it is our way that is cut."
        return Verdict.UNKNOWN, f"{said} Do not fail over. {primary['reason']}"
    also = (
        "and its standby does not hear it either" if standby["receiver"] != "streaming" else "its standby still streams"
    )
    return Verdict.CRITICAL, f"{primary['address']} does not answer, {also}. {primary['reason']}"


def _without_standby(primary: Row, standby: Row) -> Said:
    if primary["followers"] and _silent(standby) is Verdict.UNKNOWN:
        return Verdict.UNKNOWN, f"A standby streams from {_named(primary)}, but we do not reach it. {standby['reason']}"
    return Verdict.CRITICAL, f"{_named(primary)} takes writes; there is nothing to fail over to: {standby['reason']}"


def _silent(row: Row) -> Verdict:
    """CRITICAL where the server itself says no; UNKNOWN where name, network, TLS or password may be at fault."""
    return Verdict.CRITICAL if row["kind"] in DOWN else Verdict.UNKNOWN


def _named(row: Row) -> str:
    return f"{row['address']} (timeline {row['timeline']})"


servers = Check(
    name="database-servers",
    title="One server takes writes, and the standby follows it",
    probe=probes.servers,
    judge=_judge_servers,
    remedy=(
        "Split brain: stop one of the two at once, before the application is led anywhere, and keep its data folder: "
        "its rows have to be fetched by hand. Primary gone, standby there: disaster/recover-database says what a "
        "failover would lose. A standby that receives nothing: disaster/recover-access says which of log-in, slot and "
        "way is wrong, as far as both servers tell, and gives a log-in back; its slot keeps the log only up to "
        "max_slot_wal_keep_size. Replay paused: find out who paused it and why, for it keeps what "
        "the primary may have lost; then the same notebook with way=replay lets it go on."
    ),
    threshold=BEHIND,
)
"""Both servers asked for themselves, by the roles that they have now, whatever the description calls them.

Time lag is judged only while something is still to be replayed.
"""


def _judge_keeping(reading: Reading) -> Judgement:
    keeping = [row for row in reading.rows if row["answers"] and not row["standby"]]
    if not keeping:
        return Judgement(Verdict.UNKNOWN, "No server that takes writes could be asked.", None)
    row = keeping[0]
    shown = (_shown(row, KEEPS),)
    if not row["keeps_log"]:
        said = "Its write-ahead log is not kept anywhere by itself: only a vendor's own copy, or a dump, is a way back."
        return Judgement(Verdict.OK if row["meant"] == 0 else Verdict.WARNING, said, None, shown)
    failed, kept = row["last_failed_seconds"], row["last_kept_seconds"]
    if failed is not None and (kept is None or kept > failed):
        said = f"Keeping {row['last_failed']} failed {duration(failed)} ago, and nothing was kept since"
        said += f"; {row['waiting_pieces']} pieces wait on the server's disk."
        return Judgement(Verdict.CRITICAL, said, row["waiting_pieces"], shown)
    said = f"{row['waiting_pieces']} pieces wait; the last one kept is {row['last_kept'] or 'none yet'}"
    verdict = WAITING.judge(row["waiting_pieces"])
    if not row["keeps_every_seconds"]:
        verdict = Verdict.worst([verdict, Verdict.WARNING])
        said += "; archive_timeout is 0, so in quiet hours a piece that is not full waits without end"
    return Judgement(verdict, f"{said}.", row["waiting_pieces"], shown)


keeping = Check(
    name="database-log-kept",
    title="The write-ahead log is kept as it is written",
    probe=probes.servers,
    judge=_judge_keeping,
    remedy=(
        "The server's log has what archive_command said: credentials, bucket, network, or another server that keeps "
        "its log under the same names. Until it works again the pieces fill the server's disk, and a point-in-time "
        "recovery ends where keeping stopped. Never delete files in pg_wal."
    ),
    threshold=WAITING,
)
"""The archiver of the server that takes writes; whether all of it arrived, ``ways_back`` sees in the bucket."""
