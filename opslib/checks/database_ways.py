"""The check of the ways back: whether one is open, and whether what it would lose is within the RPO."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import duration
from opslib.probes import database as probes

LOSS = threshold("recovery-loss")
_HELPS = {
    "After a lost server": ("server", "server and data"),
    # What was written since the damage goes with it, whichever way is taken.
    "After damaged data, beside what was written since": ("server and data",),
}
"""What happened, and which ways help: a standby follows a bad statement within the second."""


def _judge_ways(reading: Reading) -> Judgement:
    judged = [_best(reading.rows, what, mends) for what, mends in _HELPS.items()]
    verdict = Verdict.worst([one for one, _, _ in judged])
    shares = [share for _, _, share in judged]
    value = None if None in shares else max(share for share in shares if share is not None)
    return Judgement(verdict, " ".join(said for _, said, _ in judged), value, reading.rows)


def _best(rows: tuple[Row, ...], what: str, mends: tuple[str, ...]) -> tuple[Verdict, str, float | None]:
    """Return the verdict for one kind of loss, a sentence, and the loss in percent of the RPO."""
    helping = [row for row in rows if row["mends"] in mends]
    found = [row for row in helping if row["open"]]
    known = [row for row in found if row["loses_seconds"] is not None]
    if known:
        best = min(known, key=lambda row: row["loses_seconds"])
        share = round(100 * best["loses_seconds"] / best["rpo_seconds"], 1)
        lost = f"at most the last {duration(best['loses_seconds'])}" if best["loses_seconds"] else "nothing"
        said = f"{what}: {best['way']} would lose {lost}."
        return LOSS.judge(share), said, share
    if found:
        return Verdict.UNKNOWN, f"{what}: {found[0]['way']} is open, and would lose nobody knows what.", None
    if any(row["open"] is None for row in helping):
        return Verdict.UNKNOWN, f"{what}: whether there is a way back, nobody could see.", None
    return Verdict.CRITICAL, f"{what}: there is no way back.", None


ways_back = Check(
    name="database-ways-back",
    title="There is a way back within the RPO",
    probe=probes.ways,
    judge=_judge_ways,
    remedy=(
        "A nightly dump alone can't meet an RPO of one hour. Keep the write-ahead log (archive_mode, archive_timeout "
        "and a base backup a day), switch the vendor's point-in-time recovery on, or run runbooks/back-up-database "
        "every hour. A gap in the kept log: take a base backup now, for nothing behind the gap can be recovered. Which "
        "way to take after a loss, disaster/recover-database says."
    ),
    threshold=LOSS,
)
"""The best open way's loss against the RPO, for a lost server and for damaged data, which a standby has as well."""
