"""Checks of replication: who follows, how many bytes behind, and what slots keep."""

from __future__ import annotations

from collections.abc import Sequence

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import duration, size
from opslib.probes import database as probes

GAP = threshold("replication-gap")
SLOT_SECONDS = threshold("replication-slot-inactive")


def _judge_replication(reading: Reading) -> Judgement:
    row = reading.row
    verdict, said = _following(row) if row["standby"] else _followed(row)
    followers: Sequence[Row] = row["replicas"]
    shown = tuple(followers) or ({name: value for name, value in row.items() if name != "replicas"},)
    gaps = [gap for gap in map(_gap, followers or [row]) if gap is not None]
    return Judgement(verdict, said, max(gaps, default=None), shown)


def _following(row: Row) -> tuple[Verdict, str]:
    """A standby's own state: does it receive, does it replay, how far is it behind what it has."""
    gap = f"{size(row['not_replayed_bytes'] or 0)} received and not replayed"
    if row["receiver"] != "streaming":
        said = f"This is a standby that receives nothing (receiver: {row['receiver'] or 'none'}); {gap}."
        return Verdict.CRITICAL, said
    if row["replay"] != "not paused":
        return Verdict.WARNING, f"This is a standby whose replay is {row['replay']}; {gap}."
    if row["not_replayed_bytes"] is None:
        return Verdict.UNKNOWN, "This is a standby that cannot tell how far it has come."
    verdict = GAP.judge(_gap(row))
    return verdict, f"This is a standby, streaming from {row['receives_from']}; {gap}."


def _followed(row: Row) -> tuple[Verdict, str]:
    """A primary's standbys. None at all is never "lag 0"; whether it is a fault depends on what was meant."""
    if not row["replicas"]:
        if row["synchronous_standbys"]:
            said = f"No standby is connected, and commits wait for {row['synchronous_standbys']}."
            return Verdict.CRITICAL, said
        if row["physical_slots"]:
            verdict = Verdict.CRITICAL if row["meant"] else Verdict.WARNING
            return verdict, "No standby is connected, though a slot is kept for one: it is cut off."
        return _alone(row["meant"])
    verdicts = [_standby(one) for one in row["replicas"]]
    worst = max(range(len(verdicts)), key=lambda i: list(Verdict).index(verdicts[i]))
    one = row["replicas"][worst]
    said = f"{len(verdicts)} connected; {one['standby']} ({one['state']})"
    if row["meant"] and len(verdicts) < row["meant"]:
        return Verdict.CRITICAL, f"{len(verdicts)} of {row['meant']} standbys are connected."
    if one["not_replayed_bytes"] is None:
        return verdicts[worst], f"{said} does not tell what it has replayed: it receives only, or has just begun."
    return verdicts[worst], f"{said} has {size(one['not_replayed_bytes'])} still to replay."


def _alone(meant: int | None) -> tuple[Verdict, str]:
    said = "No standby is connected, so there is no lag to measure and nothing to fail over to"
    if meant is None:
        return Verdict.UNKNOWN, f"{said}; whether there should be one, OPS_DATABASE_STANDBYS does not say."
    if meant:
        return Verdict.CRITICAL, f"{said}, though {meant} should follow."
    return Verdict.OK, f"{said}; none is meant to follow."


def _standby(one: Row) -> Verdict:
    if one["state"] is None or one["not_replayed_bytes"] is None:
        return Verdict.UNKNOWN
    verdict = GAP.judge(_gap(one))
    return Verdict.WARNING if verdict is Verdict.OK and one["state"] != "streaming" else verdict


def _gap(row: Row) -> float | None:
    """What is still to replay, in percent of max_wal_size; None if unknown."""
    gap = row["not_replayed_bytes"]
    return None if gap is None else round(100 * gap / row["max_wal_bytes"], 1)


replication = Check(
    name="database-replication",
    title="A standby follows closely",
    probe=probes.replication,
    judge=_judge_replication,
    remedy=(
        "A growing gap: is the standby's disk or network slow, does a query there block replay, is replay paused "
        "(SELECT pg_wal_replay_resume())? Cut off: restart it while its slot still keeps the log, else rebuild it. "
        "None at all: failing over is no option, so disaster/recover-database can only restore; decide that before the "
        "incident, not in it."
    ),
    threshold=GAP,
)
"""Byte gaps to each standby, or a standby's own state.

The guide's query calls bytes "lag", shows nothing without a standby or with an unknown position, and fails
on a standby. Time lag is no better: it grows on an idle primary and stays small on a paused standby.
"""


def _judge_slots(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.OK, "There is no replication slot, so none keeps write-ahead log.", 0)
    verdicts = [_slot(row) for row in reading.rows]
    worst = max(range(len(verdicts)), key=lambda i: list(Verdict).index(verdicts[i]))
    row = reading.rows[worst]
    state = "active" if row["active"] else "inactive"
    if row["inactive_seconds"] is not None and not row["active"]:
        state += f" for {duration(row['inactive_seconds'])}"
    kept = "an unknown amount" if row["kept_bytes"] is None else size(row["kept_bytes"])
    said = f"{len(verdicts)} slots; {row['slot']} ({state}, {row['wal_status'] or 'unknown'}) keeps {kept}."
    return Judgement(verdicts[worst], said, 0 if row["active"] else row["inactive_seconds"], reading.rows)


def _slot(row: Row) -> Verdict:
    if row["wal_status"] in ("lost", "unreserved") or row["invalidation"]:
        return Verdict.CRITICAL
    if row["kept_bytes"] is not None and row["kept_bytes"] > row["max_wal_bytes"]:
        return Verdict.WARNING
    if row["active"]:
        return Verdict.OK
    if row["inactive_seconds"] is None:  # before 17 nobody notes since when
        return Verdict.WARNING
    return SLOT_SECONDS.judge(row["inactive_seconds"])


slots = Check(
    name="database-slots",
    title="Every replication slot has a consumer",
    probe=probes.slots,
    judge=_judge_slots,
    remedy=(
        "Find the consumer by the slot's name and start it again. If it is gone for good, runbooks/free-database-disk "
        "drops the slot; there is no undo, the consumer must then be rebuilt. Set "
        "max_slot_wal_keep_size so that a forgotten slot cannot fill the disk. Lost: rebuild its consumer now."
    ),
    threshold=SLOT_SECONDS,
)
"""A slot without consumer keeps write-ahead log, and dead rows, until the disk is full."""
