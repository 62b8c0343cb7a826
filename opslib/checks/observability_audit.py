"""What an auditor makes of the archive: damage is CRITICAL and names the run; what nobody could look at, UNKNOWN."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Rows, Verdict
from opslib.probes.observability_audit import BACK, archive

ERRORS = threshold("archive-errors")
KEYS = threshold("archive-keys-changed")
UNPUBLISHED = threshold("archive-unpublished")
WIDTH = threshold("archive-date-width")
SILENCES = threshold("archive-silences")
ROOM = threshold("archive-room")
REDACTIONS = threshold("redactions")
NAMED = 3
"""So many findings are named in the sentence; the table has more."""
NONE = "no signature that holds"


def of_kind(reading: Reading, *kinds: str) -> list[Row]:
    """Return the rows of a reading of the archive that are of these kinds."""
    return [row for row in reading.rows if row["kind"] in kinds]


def _recent(reading: Reading, text: str) -> bool:
    return bool(text) and reading.taken_at - datetime.fromisoformat(text) <= BACK


def without_kind(rows: Sequence[Row]) -> Rows:
    """Return rows as they are shown: what kind a row is stands in its columns."""
    return tuple({name: value for name, value in row.items() if name != "kind"} for row in rows)


def _named(rows: Sequence[Row]) -> str:
    said = "; ".join(f"{row['where']} {row['what']}" for row in rows[:NAMED])
    return f"{said}{f'; and {len(rows) - NAMED} more' if len(rows) > NAMED else ''}"


def _judged(rows: Sequence[Row]) -> tuple[list[Row], Verdict, str]:
    """Return findings, errors first, their verdict, and a sentence that names them."""
    order = sorted(rows, key=lambda row: row["severity"] != "error")
    bad = [row for row in order if row["severity"] == "error"]
    verdict = ERRORS.judge(len(bad)) if bad else Verdict.WARNING if order else Verdict.OK
    return order, verdict, _named(bad or order)


def _sound(reading: Reading) -> Judgement:
    whole = next(iter(of_kind(reading, "archive")), None)
    if whole is None or not whole["entries"]:
        return Judgement(Verdict.UNKNOWN, "The archive holds no entry that can be read.", None, tuple(reading.rows))
    found, verdict, said = _judged(of_kind(reading, "finding"))
    count = f"{whole['entries']} entries, {whole['files']} files, {whole['sealed']} sealed runs"
    errors = sum(row["severity"] == "error" for row in found)
    summary = f"{count}: {said or 'nothing contradicts the log'}. {whole['statement']}"
    return Judgement(verdict, summary, float(errors), without_kind(found) or without_kind([whole]))


def _signed(reading: Reading) -> Judgement:
    rows = of_kind(reading, "key")
    if not rows:
        return Judgement(Verdict.UNKNOWN, "The log holds no entry.")
    bare = sum(row["entries"] for row in rows if row["key"] == NONE)
    # The first key introduced itself with the archive; each later change somebody decided on.
    changed = [row for row in rows if _recent(reading, row["revoked_at"])]
    changed += [row for row in rows if row["added_by"] not in ("", "itself") and _recent(reading, row["added_at"])]
    several = [row for row in rows if row["added_by"] == "itself"][1:]
    parts = [f"{bare} entries have no signature that holds"] if bare else []
    parts += [f"{row['name'] or row['key']} added itself beside another key" for row in several]
    parts += [f"{row['name'] or row['key']} {'revoked' if row['revoked_at'] else 'added'}" for row in changed]
    verdict = Verdict.CRITICAL if bare or several else KEYS.judge(len(changed))
    known = len(rows) - bool(bare)
    return Judgement(
        verdict,
        f"Keys that signed: {known}; {'; '.join(parts) or 'none changed in 92 days'}.",
        float(len(changed)),
        without_kind(rows),
    )


def _published(reading: Reading) -> Judgement:
    whole = of_kind(reading, "heads")[0]
    found, verdict, said = _judged(of_kind(reading, "finding"))
    behind = whole["behind_hours"] if whole["newest"] else None
    verdict = Verdict.worst([verdict, UNPUBLISHED.judge(behind)])
    upto = f"Others hold the log up to entry {whole['newest']} of {whole['of_entries']}"
    upto = upto if whole["newest"] else "Others hold no entry of this log"
    late = f"; {whole['behind']} entries for {behind:.1f} h are not published" if whole["behind"] and behind else ""
    return Judgement(verdict, f"{upto}{late}{f'. {said}' if said else ''}.", behind, without_kind([whole, *found]))


def _dated(reading: Reading) -> Judgement:
    whole = of_kind(reading, "dates")[0]
    found, verdict, said = _judged(of_kind(reading, "finding"))
    widest = whole["widest_hours"]
    summary = f"{whole['between_two']} of {whole['entries']} entries of 92 days lie between two proven moments"
    summary += "" if widest is None else f", at most {widest:.1f} h apart (entry {whole['widest_entry']})"
    verdict = Verdict.worst([verdict, WIDTH.judge(widest)])
    return Judgement(verdict, f"{summary}{f'. {said}' if said else ''}.", widest, without_kind([whole, *found]))


def _silent(reading: Reading) -> Judgement:
    beats, rows = of_kind(reading, "heartbeats")[0], of_kind(reading, "silence")
    if not beats["heartbeats"]:
        said = "The log holds no heartbeat, so that silence in it proves nothing."
        return Judgement(Verdict.UNKNOWN, said, None, without_kind([beats]))
    said = f"Heartbeats: {beats['heartbeats']}; silences longer than allowed in 92 days: {len(rows)}"
    said += f", the longest {rows[0]['hours']:.1f} h after entry {rows[0]['after_entry']}" if rows else ""
    return Judgement(SILENCES.judge(len(rows)), f"{said}.", float(len(rows)), without_kind(rows or [beats]))


def _redacted(reading: Reading) -> Judgement:
    rows = [row for row in reading.rows if row["kind"] != "entries"]
    recent = [row for row in rows if _recent(reading, row["at"])]
    entries = of_kind(reading, "entries")[0]["entries"]
    if not entries:
        return Judgement(Verdict.UNKNOWN, "The log holds no entry.")
    named = f": {', '.join(row['run'] for row in recent[:NAMED])}" if recent else ""
    said = f"{len(recent)} runs of 92 days were redacted or not sealed{named}; {len(rows)} of the whole log"
    return Judgement(REDACTIONS.judge(len(recent)), f"{said}.", float(len(recent)), tuple(rows))


def _room(reading: Reading) -> Judgement:
    whole, parts = of_kind(reading, "room")[0], of_kind(reading, "part")
    if whole["lasts_days"] is None:
        return Judgement(Verdict.UNKNOWN, "Nothing was added in 92 days: no pace, no end.", None, without_kind(parts))
    said = f"Begun {whole['first_entry_at'][:10]}; at the pace of the last 92 days its room lasts"
    years = whole["lasts_days"] / 365
    said += f" {years:.0f} years" if years >= 2 else f" {whole['lasts_days']:.0f} days"
    return Judgement(ROOM.judge(whole["lasts_days"]), f"{said}.", whole["lasts_days"], without_kind(parts))


archive_sound = Check(
    "archive-sound",
    "Every run is what was sealed, and the log is one chain",
    archive["seals"],
    _sound,
    "Leave everything as it lies; copy the archive elsewhere. Compare with the copy that ops archive fetch brings, and "
    "find out who could write here. Build on no run that is named.",
    ERRORS,
)
"""CRITICAL for anything that contradicts the log, with the run; WARNING for what does not belong or looks odd."""
archive_signed = Check(
    "archive-signed",
    "Every entry is signed, by keys that somebody knows of",
    archive["keys"],
    _signed,
    "Hold each fingerprint against the auditor's own list: ops archive verify --signers FILE. A key that nobody knows "
    "of is a stranger's: see the archive's documentation, Keys.",
    KEYS,
)
archive_published = Check(
    "archive-published",
    "Others hold the newest entries",
    archive["heads"],
    _published,
    "Describe the bucket (OPS_ANCHOR_BUCKET) and let ops archive heartbeat run every hour; what contradicts a "
    "published head was cut or rewritten here.",
    UNPUBLISHED,
)
archive_dated = Check(
    "archive-dated",
    "Entries were written when they say",
    archive["dates"],
    _dated,
    "Let ops archive heartbeat run every hour with a time stamp authority (OPS_TIMESTAMP_URL, OPS_TIMESTAMP_CA); look "
    "at the clock of the host that wrote what is dated outside its bounds.",
    WIDTH,
)
archive_silent = Check(
    "archive-silences",
    "The log was never silent for longer than it may",
    archive["silences"],
    _silent,
    "Let ops archive heartbeat run every hour by cron; for each silence say what kept it from running.",
    SILENCES,
)
runs_redacted = Check(
    "archive-redactions",
    "No run had to be redacted or kept from being sealed",
    archive["redactions"],
    _redacted,
    "Change the secret that stood in it, look at the files in quarantine, and remove the folder.",
    REDACTIONS,
)
archive_room = Check(
    "archive-room",
    "There is room for more",
    archive["room"],
    _room,
    "Copy what is sealed (ops archive copy) and begin a new archive on a larger disk; never remove runs of this one.",
    ROOM,
)
