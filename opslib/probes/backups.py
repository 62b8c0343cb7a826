"""The backups of the database: which there are, whether they were proven, what protects them.

Everything is judged by manifests and proofs (:mod:`opslib.probes.backups_standing`): an object's name and time of
upload say nothing of what is in it, and the guide's ``latest.sql`` is written by nobody (GH-14).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe, now
from opslib.probes.backups_drills import drills
from opslib.probes.backups_exercises import exercises
from opslib.probes.backups_game_day import game_days
from opslib.probes.backups_policy import policy
from opslib.probes.backups_retention import Candidate, decide
from opslib.probes.backups_standing import Backup, Standing, standing
from opslib.probes.questions import question
from opslib.systems.target import ReadTarget

__all__ = [
    "backups",
    "changes",
    "days",
    "drills",
    "exercises",
    "game_days",
    "policy",
    "protections",
    "recovery",
    "retention",
    "source",
]

Rows = list[dict[str, Any]]

LONGEST = timedelta(hours=12)
"""An upload that was begun earlier than this is none that is still under way."""


def _standing(target: ReadTarget) -> Standing:
    return standing(target.backups, target.settings.backup_prefix)


def _own(target: ReadTarget, found: Standing | None = None) -> list[Backup]:
    # A backup of another database would make this one look safe.
    name = target.settings.read_database_url.path
    every = (found or _standing(target)).usable
    return [item for item in every if item.manifest and item.manifest.origin.database == name]


def _where(target: ReadTarget) -> str:
    return f"s3://{target.settings.backup_bucket}/{target.settings.backup_prefix}"


def _source(target: ReadTarget) -> Rows:
    asked = question("backups/source")
    (row,) = target.database.ask(asked, {"core": list(target.settings.core_tables)})
    missing = row.pop("missing_tables")
    return [row | {"missing_tables": ", ".join(missing), "saved_to": _where(target)}]


def _backups(target: ReadTarget) -> Rows:
    return [_row(backup) for backup in _standing(target).backups]


def _row(backup: Backup) -> dict[str, Any]:
    manifest, proof = backup.manifest, backup.proof if backup.proven else None
    return {
        "backup": backup.name,
        "state": backup.state,
        "taken_at": manifest.origin.taken_at if manifest else None,
        "size": manifest.size if manifest else None,
        "rows": manifest.contents.rows if manifest else None,
        "tables": len(manifest.contents.tables) if manifest else None,
        "schema": manifest.origin.schema_version if manifest else None,
        "proven_at": proof.proven_at if proof else None,
        "recovery_seconds": round(proof.recovery_seconds, 1) if proof else None,
        "fault": backup.fault,
    }


def _recovery(target: ReadTarget) -> Rows:
    found = _standing(target)
    usable, broken = _own(target, found), [backup for backup in found.backups if backup.fault]
    proven = [backup for backup in usable if backup.proven]
    moments = [backup.moment for backup in usable if backup.moment]
    gaps = [(later - earlier).total_seconds() / 3600 for later, earlier in pairwise(moments[:8])]
    row: dict[str, Any] = {
        "backups": len(usable),
        "broken": len(broken),
        "fault": broken[0].fault if broken else None,
        "newest": moments[0] if moments else None,
        "newest_proven": None,
        "proven_at": None,
        "age_hours": None,
        "rpo_hours": target.settings.rpo_hours,
        "interval_hours": round(median(gaps), 2) if gaps else None,
        "predicted_minutes": None,
        "rto_minutes": target.settings.rto_minutes,
        "restored_per_second": None,
    }
    if not proven or not proven[0].manifest or not proven[0].proof or not usable[0].manifest:
        return [row]
    newest, proof = proven[0].moment or proven[0].manifest.origin.taken_at, proven[0].proof
    row |= {
        "newest_proven": newest,
        "proven_at": max(backup.proof.proven_at for backup in proven if backup.proof),
        "age_hours": round((now() - newest).total_seconds() / 3600, 3),
        "predicted_minutes": round(proof.predicted_seconds(usable[0].manifest.origin.database_bytes) / 60, 3),
        "restored_per_second": round(proof.restore_rate),
    }
    return [row]


def _days(target: ReadTarget) -> Rows:
    found, today = _standing(target), now().date()
    by_day: dict[date, list[Backup]] = {}
    for backup in found.backups:
        moment = backup.moment or backup.manifest_object.modified
        by_day.setdefault(moment.date(), []).append(backup)
    first = min(by_day, default=None)
    span = range(target.settings.backup_retention_days - 1, -1, -1)
    return [_day(today - timedelta(days=back), today, by_day, first) for back in span]


def _day(day: date, today: date, by_day: Mapping[date, list[Backup]], first: date | None) -> dict[str, Any]:
    states = [backup.state for backup in by_day.get(day, ())]
    best = next((state for state in ("proven", "present", "broken") if state in states), None)
    missing = "before the first backup" if first is None or day < first else "missing" if day < today else "not yet"
    return {
        "day": day,
        "state": best or missing,
        "proven": states.count("proven"),
        "present": states.count("present"),
        "broken": states.count("broken"),
    }


def _overdue(target: ReadTarget) -> Rows:
    found, days = _standing(target), target.settings.backup_retention_days
    known = [Candidate(b.name, b.moment, b.proven, b.fault is None) for b in found.backups]
    decided = [{"what": d.name, "due": d.goes, "why": d.why} for d in decide(known, now(), days)]
    stray = [{"what": item.key, "due": False, "why": "has no manifest"} for item in found.orphans]
    uploads = target.backups.unfinished(target.settings.backup_prefix)
    old = [item for item in uploads if now() - item.begun > LONGEST]
    return decided + stray + [{"what": item.key, "due": False, "why": "is an unfinished upload"} for item in old]


def _changes(target: ReadTarget) -> Rows:
    manifests = [backup.manifest for backup in _own(target) if backup.manifest]
    if not manifests:
        return []
    newest, previous = manifests[0], manifests[1] if len(manifests) > 1 else None
    rows: Rows = [
        {"what": "dump", "before": previous.size if previous else None, "now": newest.size},
        {"what": "rows", "before": previous.contents.rows if previous else None, "now": newest.contents.rows},
    ]
    before = {name: table.rows for name, table in previous.contents.tables.items()} if previous else {}
    after = {name: table.rows for name, table in newest.contents.tables.items()}
    for name in sorted({*before, *after}):
        core = name in target.settings.core_tables
        if core or before.get(name) != after.get(name):
            rows.append({"what": name, "before": before.get(name), "now": after.get(name), "core": core})
    return rows


def _protections(target: ReadTarget) -> Rows:
    return [_protection(target, *asked) for asked in _ASKED]


def _protection(target: ReadTarget, name: str, operation: str, absent: str) -> dict[str, Any]:
    try:
        answer = target.backups.setting(operation, absent)
    except Unreachable as error:
        return {"protection": name, "on": None, "says": error.message}
    on, says = _JUDGED[name](answer or {}, target)
    return {"protection": name, "on": on, "says": says}


_ASKED = (
    ("versioning", "get_bucket_versioning", ""),
    ("object lock", "get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
    ("encryption", "get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError"),
    ("no public access", "get_public_access_block", "NoSuchPublicAccessBlockConfiguration"),
    ("lifecycle keeps backups", "get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
)


def _versioning(answer: Mapping[str, Any], target: ReadTarget) -> tuple[bool, str]:
    status = answer.get("Status", "never switched on")
    return status == "Enabled", status


def _object_lock(answer: Mapping[str, Any], target: ReadTarget) -> tuple[bool, str]:
    said = answer.get("ObjectLockConfiguration", {})
    rule = said.get("Rule", {}).get("DefaultRetention")
    own = target.settings.backup_lock_days
    locked = said.get("ObjectLockEnabled") == "Enabled"
    default = f"default {rule.get('Mode')} {rule.get('Days') or rule.get('Years')}" if rule else "no default"
    return locked, f"{'possible' if locked else 'not possible'}; {default}; each backup is locked {own} days"


def _encryption(answer: Mapping[str, Any], target: ReadTarget) -> tuple[bool, str]:
    rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    names = [rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm") for rule in rules]
    return bool(names), ", ".join(str(name) for name in names) or "no default encryption"


def _public_access(answer: Mapping[str, Any], target: ReadTarget) -> tuple[bool, str]:
    said = answer.get("PublicAccessBlockConfiguration", {})
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    open_ = [name for name in names if not said.get(name)]
    return not open_, f"not blocked: {', '.join(open_)}" if open_ else "all four blocks are on"


def _lifecycle(answer: Mapping[str, Any], target: ReadTarget) -> tuple[bool, str]:
    faults = list(_too_early(answer.get("Rules", []), target))
    return not faults, "; ".join(faults) or "no rule takes a backup away within the retention"


def _too_early(rules: list[Mapping[str, Any]], target: ReadTarget) -> Iterator[str]:
    prefix, days = target.settings.backup_prefix, target.settings.backup_retention_days
    for rule in rules:
        scope = rule.get("Filter", {}).get("Prefix", rule.get("Prefix", ""))
        if rule.get("Status") != "Enabled" or not (prefix.startswith(scope) or scope.startswith(prefix)):
            continue
        if 0 < rule.get("Expiration", {}).get("Days", 0) < days:
            yield f"rule {rule.get('ID')} deletes after {rule['Expiration']['Days']} days"
        for move in rule.get("Transitions", []):
            if "GLACIER" in move.get("StorageClass", "") and move.get("Days", 0) < days:
                yield f"rule {rule.get('ID')} archives after {move.get('Days')} days (hours to fetch)"


_JUDGED = {
    "versioning": _versioning,
    "object lock": _object_lock,
    "encryption": _encryption,
    "no public access": _public_access,
    "lifecycle keeps backups": _lifecycle,
}

_LISTING = "ListObjectVersions, GetObject of every *.manifest.json and *.proof.json"

source = Probe(
    "backup-source",
    "The database that would be saved",
    _source,
    source="sql backups/source",
    units={"size": "bytes"},
)
"""One row: database, server, standby, size, tables, missing_tables (core tables that are not there), saved_to."""

backups = Probe(
    "backups",
    "Backups in the bucket, newest first",
    _backups,
    source=_LISTING,
    units={"size": "bytes", "recovery_seconds": "s"},
)
"""A row per manifest: backup, state (proven, present, broken), taken_at, size, rows, proven_at, fault …"""

recovery = Probe(
    "recovery",
    "What a recovery would lose and how long it would take",
    _recovery,
    source=_LISTING,
    units={
        "age_hours": "hours",
        "rpo_hours": "hours",
        "interval_hours": "hours",
        "predicted_minutes": "minutes",
        "rto_minutes": "minutes",
        "restored_per_second": "bytes",
    },
)
"""One row: age of the newest proven backup against the RPO, predicted time against the RTO; how many are broken."""

days = Probe("backup-days", "Restore points of each day of the retention", _days, source=_LISTING)
"""A row per day (UTC), oldest first: day, state (proven, present, broken, missing, not yet …) and counts."""

retention = Probe("backup-retention", "What the retention keeps and what is due", _overdue, source=_LISTING)
"""A row per backup or stray dump: what, due, why. Object locks are looked at by the action's plan only."""

changes = Probe("backup-changes", "The newest backup against the one before", _changes, source=_LISTING)
"""Rows what, before, now: dump (bytes), rows (all), then core tables and every table whose count changed."""

protections = Probe(
    "backup-protections",
    "What protects the bucket of backups",
    _protections,
    source=", ".join(operation for _, operation, _ in _ASKED),
)
"""A row per protection: protection, on (None when it may not be read), says."""
