"""What an incident's containment destroys, or time does, written down first: sessions, audit rows, rights.

All of it is read in one repeatable-read snapshot as the reading role, what changes fastest first. The guide has it
the other way round: sessions are deleted in its step 2 and evidence is collected in its step 5 (hazard GH-29).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from opslib.actions.base import Action, Progress, Settled
from opslib.actions.security_custody import MOST_BYTES, Custody, Item, faults, keep, parse
from opslib.errors import Refused, Unreachable
from opslib.model import Effect, Outcome, Plan, Repeat, Verdict, Verification, now
from opslib.probes.database_asking import look, masked
from opslib.probes.questions import question
from opslib.probes.security_incident import secret
from opslib.redaction import Redactor
from opslib.systems.filing import MANIFEST
from opslib.systems.postgres import Question
from opslib.systems.postgres_admin import AdminDatabase, snapshot
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget

SECONDS = 60.0
"""How long one question may take: while damage goes on, evidence must not hold containment up."""


@dataclass(frozen=True)
class Source:
    """One item: its question, the relation that it needs, and whether its rows must all be there."""

    item: str
    query: str
    relation: str = ""
    must_be_whole: bool = False
    bounded: bool = True


SOURCES = (
    Source("database-sessions", "incident/activity"),
    Source("user-sessions", "incident/sessions", "auth.sessions", must_be_whole=True),
    Source("refresh-token-counts", "incident/refresh_tokens", "auth.refresh_tokens", must_be_whole=True),
    Source("security-audit-log", "incident/security_audit_log", "public.security_audit_log"),
    Source("audit-logs", "incident/audit_logs", "public.audit_logs"),
    Source("agent-audit-log", "incident/agent_audit_log", "public.agent_audit_log"),
    Source("roles", "incident/roles", bounded=False),
    Source("grants", "backups/objects_grants", bounded=False),
    Source("policies", "backups/objects_policies", bounded=False),
    Source("functions", "backups/objects_functions", bounded=False),
)
"""What is collected, in this order. Sessions and tokens are what revoking deletes: part of them is not enough."""
SESSIONS = "user-sessions"
ROOM = 32 * 1024 * 1024
"""Bytes that stay free for the run's own record."""
VERSIONS = "secret-versions"


class PreserveEvidence(Action):
    """Writes sessions, audit rows of the last ``hours``, roles, rights and policies into the run's own evidence.

    At most ``most_rows`` rows an item, newest first. Nothing of the target is changed.
    """

    name: ClassVar[str] = "preserve-evidence"
    title: ClassVar[str] = "Preserve what containment would destroy"
    effect: ClassVar[Effect] = Effect.LOCAL
    repeat: ClassVar[Repeat] = Repeat.ONCE
    area: ClassVar[str] = "security"
    most: ClassVar[int] = 20
    seconds: ClassVar[float] = 1800.0
    reason: ClassVar[str] = (
        "The guide deletes every session in its step 2 and collects evidence in its step 5: who was signed in, from "
        "where and since when is gone by then (GH-29). Here it is written down first, in one snapshot, with the "
        "SHA-256 of each file, who collected it, and when."
    )

    hours: float = Field(default=24.0, ge=1, le=2160)
    most_rows: int = Field(default=20_000, ge=100, le=100_000)

    def plan(self, target: PlanTarget) -> Plan:
        """Say which items there are; raises Refused where sessions cannot be read, or are more than may be written."""
        look(target)
        there, absent = _there(target)
        items = [*(source.item for source in there), VERSIONS]
        (origin,) = target.database.ask(question("backups/origin"))
        counts = target.database.ask(question("incident/counts"))[0]
        for name, count in counts.items():
            if count > self.most_rows:
                raise Refused(
                    f"There are {count} {name.replace('_', ' ')}, and most_rows is {self.most_rows}: what is to be "
                    "revoked must be preserved whole.",
                    "Plan again with a greater most_rows (100,000 at most), or end the oldest by their expiry first.",
                )
        return self.planned(
            before=dict.fromkeys(items, "not preserved"),
            after=dict.fromkeys(items, f"preserved, at most {self.most_rows} rows")
            | {item: f"not there: {why}" for item, why in absent.items()},
            touches=len(items) + 1,
            touched="files in the run's own evidence",
            verification="Each file is hashed and counted anew and held against the manifest.",
            undo="None is needed: nothing of the target is changed, and the evidence stays with the run.",
            fingerprint=_identity(origin),
            observed={"audit rows since": self.since(target.run).isoformat(), **counts},
        )

    def apply(self, target: WriteTarget, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Collect; returns the manifest's SHA-256 and the items' figures. Raises Refused on another database,
        and where too little room is left for all of it."""
        there, absent = _there(target)
        place, begun = target.files, now()
        if place.free < (needed := ROOM + MOST_BYTES * (len(there) + 1)):
            raise Refused(
                f"The evidence may take {needed} bytes, and {place.free} are free where the archive lies.",
                "Free space there: a full disk would keep the run from being recorded.",
            )
        place.begin()
        url = target.database.url
        with snapshot(url, f"opslib:{target.run}", statement_seconds=SECONDS) as (session, _):
            (origin,) = session.ask(question("backups/origin"))
            if (origin["system_identifier"], origin["database"]) != (
                plan.fingerprint["system"],
                plan.fingerprint["database"],
            ):
                raise Refused("This is another database than the plan was made with.", "Plan again.")
            items = self._collect(target, there, session, progress)
        more, unseen = _secret(target, progress)
        custody = Custody(
            work=target.run,
            run=place.run,
            collected_by=place.collector,
            system=origin["system_identifier"],
            database=origin["database"],
            server=url.public,
            server_clock=origin["taken_at"],
            since=self.since(target.run),
            begun_at=begun,
            ended_at=now(),
            items=(*items, *more),
            absent={**absent, **unseen},
        )
        return _values(place.finish(custody.encode()), custody)

    def verify(self, target: VerifyTarget, plan: Plan, values: Mapping[str, Any]) -> Verification:
        """Hash and count every file again; CRITICAL where one is not as collected, or sessions are not whole."""
        found = target.files.found(str(values["manifest"]))
        if found is None:
            return Verification(Verdict.CRITICAL, "There is no manifest with that SHA-256 in the run's evidence.")
        custody = parse(found[1])
        amiss = faults(found[0], custody)
        must = {source.item for source in SOURCES if source.must_be_whole}
        amiss += [f"{item.id} holds {item.extent}" for item in custody.items if item.bound and item.id in must]
        if amiss:
            return Verification(Verdict.CRITICAL, f"Not preserved: {'; '.join(amiss[:3])}.", custody.shown())
        cut = [f"{item.id} holds {item.extent}" for item in custody.items if item.bound]
        rows, skew = sum(item.rows for item in custody.items), _skew(custody)
        said = f"{rows} rows in {len(custody.items)} files, each as collected"
        said += f"; cut off: {', '.join(cut)}" if cut else ""
        said += "".join(f"; {item} is not there: {why.rstrip('.')}" for item, why in custody.absent.items())
        return Verification(
            Verdict.OK, f"{said}. The server's clock is {skew:+.1f} s from this machine's.", custody.shown()
        )

    def settle(self, target: WriteTarget, plan: Plan, progress: Progress) -> Settled:
        """Look for the manifest, which is written last; nothing is taken away, a next try begins anew."""
        folder = target.files.finished()
        found = _kept(folder) if folder else None
        if not found:
            return Settled(Outcome.NOT_DONE, "There is no manifest, so the evidence was not collected to its end.")
        return Settled(Outcome.DONE, "Every file is as the manifest says.", found)

    def undo(self, target: WriteTarget, plan: Plan, values: Mapping[str, Any], progress: Progress) -> Verification:
        """Do nothing: evidence is not taken away, and nothing else was changed."""
        return Verification(Verdict.OK, "Nothing of the target was changed; the evidence stays with the run.")

    def since(self, work: str) -> datetime:
        """Return the moment from which audit rows are taken: ``hours`` before the work began, by its id."""
        return began(work) - timedelta(hours=self.hours)

    def _collect(
        self, target: WriteTarget, there: tuple[Source, ...], session: AdminDatabase, progress: Progress
    ) -> tuple[Item, ...]:
        redactor = Redactor(target.settings.secrets())
        items = []
        for number, source in enumerate(there):
            progress(source.item, number, len(there))
            asked = question(source.query)
            given = {"most": self.most_rows, "since": self.since(target.run)} if source.bounded else None

            def taken(asked: Any = asked, given: Any = given) -> tuple[list[dict[str, Any]], int]:
                return _plain(session.ask(asked, given))

            items.append(
                keep(
                    target.files,
                    redactor,
                    item=source.item,
                    source=f"PostgreSQL, {source.relation or 'catalogs'}: {asked.title}",
                    query=asked,
                    taken=taken,
                )
            )
        return tuple(items)


def began(work: str) -> datetime:
    """Return when a work began, as its id says; raises Refused for an id that says nothing of it."""
    try:
        return datetime.strptime(work[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refused(f"The id {work} does not begin with a moment.", "Start the run with ops run.") from None


def _identity(origin: Mapping[str, Any]) -> dict[str, Any]:
    return {"system": origin["system_identifier"], "database": origin["database"]}


def _there(target: PlanTarget) -> tuple[tuple[Source, ...], dict[str, str]]:
    names = [source.relation for source in SOURCES if source.relation]
    found = {row["name"]: row for row in target.database.ask(question("incident/relations"), {"names": names})}
    closed = [name for name in names if found[name]["there"] and not found[name]["readable"]]
    if closed:
        raise Refused(
            f"The reading role may not read {', '.join(closed)}: evidence would be missing.",
            "As an administrator: GRANT pg_read_all_data TO the reading role.",
        )
    if missing := [s.relation for s in SOURCES if s.must_be_whole and not found[s.relation]["there"]]:
        raise Refused(f"There is no {missing[0]} here.", "Look whether this is the application's database.")
    there = tuple(s for s in SOURCES if not s.relation or found[s.relation]["there"])
    absent = {s.item: f"there is no table {s.relation}" for s in SOURCES if s not in there}
    return there, absent


def _secret(target: WriteTarget, progress: Progress) -> tuple[tuple[Item, ...], dict[str, str]]:
    """Write how the application's secret stands; what cannot be looked at is told and holds nothing up."""
    progress(VERSIONS)
    asked = Question(secret.source, secret.title, secret.source)

    def taken() -> tuple[list[dict[str, Any]], int]:
        rows = [dict(row) for row in secret.read(target)]
        return rows, len(rows)

    try:
        source = f"Secrets Manager: {secret.title}"
        redactor = Redactor(target.settings.secrets())
        return (keep(target.files, redactor, item=VERSIONS, source=source, query=asked, taken=taken),), {}
    except Unreachable as error:
        return (), {VERSIONS: error.message}


def _plain(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Return the rows themselves, statements without their literals, and how many there were at the source."""
    count = int(rows[0]["of_all"]) if rows and "of_all" in rows[0] else len(rows)
    plain = [dict(row.get("row", row)) for row in rows]
    for row in plain:
        if row.get("statement"):
            row["statement"] = masked(str(row["statement"]), 4000)
    if plain and plain[0].keys() == {"name", "text"}:
        # Their order is the server's own; equal rights are to give equal files.
        plain.sort(key=lambda row: (row["name"], row["text"]))
    # A view of what goes on may have grown between its count and its rows.
    return plain, max(count, len(plain))


def _values(manifest: str, custody: Custody) -> dict[str, Any]:
    return {
        "manifest": manifest,
        "run": custody.run,
        "taken_at": custody.server_clock,
        "files": len(custody.items),
        "rows": sum(item.rows for item in custody.items),
        "bytes": sum(item.bytes for item in custody.items),
        "catalog": {item.id: item.sha256 for item in custody.items if item.id in ("roles", "grants", "policies")},
    }


def _kept(folder: Path) -> dict[str, Any] | None:
    data = (folder / MANIFEST).read_bytes()
    custody = parse(data)
    return None if faults(folder, custody) else _values(hashlib.sha256(data).hexdigest(), custody)


def _skew(custody: Custody) -> float:
    return (custody.server_clock - custody.begun_at).total_seconds()
