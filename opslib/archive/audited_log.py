"""What an auditor asks of the log: seals, keys, heads that others hold, proven dates, silence, redactions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from opslib import files, sshsig
from opslib.archive import dates, heartbeat, keys, timestamp
from opslib.archive.audited_look import Look
from opslib.archive.log import LARGEST, Entry, signature_of
from opslib.archive.verify_run import Finding
from opslib.errors import OpsError, Unreachable
from opslib.probes.observability_audit import BACK, MOST

Rows = list[dict[str, Any]]
HOUR = timedelta(hours=1)
NONE = "no signature that holds"


def seals(look: Look) -> Rows:
    """Return a row of the whole, then what verification found; what lies in quarantine is told by redactions."""
    seen = look.report
    whole = {
        "kind": "archive",
        "entries": seen.entries,
        "files": seen.files,
        "sealed": len(seen.sealed),
        "open": len(set(seen.open) - {look.own}),
        "quarantined": len(seen.quarantined),
        "head": seen.head,
        "statement": seen.statement,
    }
    rows = look.findings(one for one in seen.findings if one.severity == "error" or not _quarantine(one))
    # Who relies on a run wants to know of a stranger's key at each run, where verification tells it once.
    strange = sorted(set(seen.sealed) - look.sound)
    rows += [look.row(Finding("error", f"runs/{run}", "is not signed by a key that may sign here")) for run in strange]
    return [whole, *rows[:MOST], *([{"kind": "more", "rows": len(rows) - MOST}] if len(rows) > MOST else [])]


def _quarantine(one: Finding) -> bool:
    return one.where.startswith("quarantine/")


def keys_of(look: Look) -> Rows:
    """Return a row per key, in the order of their first entry: when it was added or revoked, what names it."""
    found: dict[str, dict[str, Any]] = {}
    for entry in look.entries:
        by = _signer(look, entry)
        row = found.setdefault(by, _key(by))
        row["entries"] += 1
        row["last_at"] = entry.time
        if entry.event == "key":
            _change(found, entry, by)
    return [*found.values()]


def _change(found: dict[str, dict[str, Any]], entry: Entry, by: str) -> None:
    try:
        change = keys.parse(entry.text)
    except ValueError:
        return
    row = found.setdefault(change.fingerprint, _key(change.fingerprint))
    if change.adds:
        row |= {"name": change.principal, "added_at": entry.time, "added_by": "itself" if by == row["key"] else by}
    else:
        row["revoked_at"] = entry.time


def _key(fingerprint: str) -> dict[str, Any]:
    blank = {"name": "", "added_at": "", "added_by": "", "revoked_at": "", "entries": 0, "last_at": ""}
    return {"kind": "key", "key": fingerprint, **blank}


def _signer(look: Look, entry: Entry) -> str:
    """Return the fingerprint of the key whose signature of an entry holds; :data:`NONE` where there is none."""
    try:
        armour = files.read_plain(look.folder / signature_of(entry.seq), LARGEST)
        return sshsig.fingerprint(sshsig.verify(entry.encode(), armour, keys.NAMESPACE))
    except (OSError, ValueError):
        return NONE


def heads(look: Look) -> Rows:
    """Return a row of how far heads were published, then what is odd about them; raises where none can be had."""
    if isinstance(look.heads, OpsError):
        raise look.heads
    held = [head for head in look.heads.heads if _holds(look, head.seq)]
    newest = max(held, key=lambda head: head.seq, default=None)
    behind = [entry for entry in dates.unpublished(look.entries, held) if entry.run != look.own]
    since = datetime.fromisoformat(behind[0].time) if behind else look.moment
    whole = {
        "kind": "heads",
        "published": len(look.heads.heads),
        "newest": newest.seq if newest else None,
        "of_entries": len(look.entries),
        "published_at": newest.at if newest else None,
        "behind": len(behind),
        "behind_hours": round((look.moment - since) / HOUR, 3),
    }
    found = [*look.heads.findings, *dates.late(look.entries, look.heads.heads)]
    found += [one for one in look.report.findings if one.where == "head"]
    return [whole, *[look.row(one) for one in found][:MOST]]


def _holds(look: Look, seq: int) -> bool:
    return not any(one.where == "head" and one.what.startswith(f"entry {seq} ") for one in look.report.findings)


def dated(look: Look) -> Rows:
    """Return a row of how narrowly entries of the last while are dated, then what contradicts; raises likewise."""
    stamps, found = _stamps(look)
    published = () if isinstance(look.heads, OpsError) else look.heads.heads
    every = dates.brackets(look.entries, stamps, published)
    recent = [one for one in every if look.moment - one.dated <= BACK]
    wide = [(one.width, one.seq) for one in recent if one.width is not None]
    widest = max(wide, default=None)
    whole = {
        "kind": "dates",
        "stamps": len(stamps),
        "entries": len(recent),
        "between_two": len(wide),
        "not_before_only": sum(one.not_before is not None and one.not_after is None for one in recent),
        "not_after_only": sum(one.not_before is None and one.not_after is not None for one in recent),
        "neither": sum(one.not_before is None and one.not_after is None for one in recent),
        "widest_hours": None if widest is None else round(widest[0] / HOUR, 3),
        "widest_entry": None if widest is None else widest[1],
    }
    return [whole, *[look.row(one) for one in (*found, *dates.outside(every))][:MOST]]


def _stamps(look: Look) -> tuple[tuple[timestamp.Stamp, ...], tuple[Finding, ...]]:
    if look.settings.timestamp_ca is None:
        if isinstance(look.heads, OpsError):
            raise Unreachable(
                "Nothing outside this machine says when an entry was written: no time stamps, and no heads to be had.",
                "Set OPS_TIMESTAMP_URL and OPS_TIMESTAMP_CA, and let ops archive heartbeat run every hour.",
            )
        return (), ()
    seen = timestamp.check(look.folder, look.settings.timestamp_ca)
    return seen.stamps, seen.findings


def silences(look: Look) -> Rows:
    """Return a row of the heartbeats, then each silence of the last while that was longer than allowed."""
    beats = [entry for entry in look.entries if entry.event == "heartbeat"]
    whole = {
        "kind": "heartbeats",
        "heartbeats": len(beats),
        "first_at": beats[0].time if beats else None,
        "last_at": beats[-1].time if beats else None,
    }
    found = silent(look)
    rows: Rows = [
        {
            "kind": "silence",
            "after_entry": one.after.seq,
            "from": one.begin,
            "until": None if one.lasting else one.end,
            "hours": round(one.hours, 2),
            "allowed_hours": one.allowed / HOUR,
            "around": "production runs" if one.strict else "",
        }
        for one in found
        if look.moment - one.end <= BACK
    ]
    return [whole, *sorted(rows, key=lambda row: -row["hours"])[:MOST]]


def silent(look: Look) -> list[heartbeat.Silence]:
    """Return each silence since the first heartbeat that was longer than allowed."""
    return heartbeat.silences(look.entries, look.moment, heartbeat.production(look.folder, look.entries))


def redactions(look: Look) -> Rows:
    """Return a row per redaction and per run that was not sealed, newest first; the first row counts the entries."""
    rows: Rows = []
    for entry in reversed(look.entries):
        if entry.event == "redact" or entry.state == "quarantined":
            word = "redacted" if entry.event == "redact" else _in_quarantine(look, entry.run)
            rows.append({"kind": word, "run": entry.run, "at": entry.time, "entry": entry.seq, "says": entry.text})
    return [{"kind": "entries", "entries": len(look.entries)}, *rows[:MOST]]


def _in_quarantine(look: Look, run: str) -> str:
    return "in quarantine" if (look.folder / "quarantine" / run).is_dir() else "was in quarantine, removed"
