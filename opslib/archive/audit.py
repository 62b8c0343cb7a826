"""The whole look at an archive: everything inside it, and what others hold of it (heads, time stamps)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from opslib.archive import anchor, dates, heartbeat, timestamp
from opslib.archive.log import Entry, Log
from opslib.archive.verify import Anchor, verify
from opslib.archive.verify_progress import Progress
from opslib.archive.verify_report import VerifyReport
from opslib.archive.verify_run import Finding
from opslib.errors import OpsError
from opslib.settings import Settings


def audit(
    folder: Path,
    *,
    moment: datetime,
    head: str | None = None,
    signers: Path | None = None,
    published: Settings | None = None,
    resume: bool = False,
) -> VerifyReport:
    """Verify the archive as :func:`opslib.archive.verify.verify`, and compare it with what others hold.

    ``published`` is the description of the target to whose bucket heads were published and whose authority
    stamped them; a store that cannot be read is an error, since nothing can be said about the log's end then.
    ``resume`` goes on with a verification of this user's that was broken off within the last day.
    ``moment`` is now: silence up to it is a finding where heartbeats were promised.
    """
    if published is None:
        return _verified(folder, head, signers, (), resume)
    findings: list[Finding] = []
    heads = anchor.Heads("", (), ())
    try:
        # Whoever writes here could name any key: without an auditor's file only the store's own say which are known.
        heads = anchor.published(folder, published)
        findings += heads.findings
    except OpsError as error:
        findings.append(Finding("error", "published heads", f"could not be read: {error.message}"))
    entries = [*Log(folder).newest_first()][::-1]
    findings += dates.compare(entries, heads.heads)
    findings += _stamped(folder, published, entries, heads)
    findings += heartbeat.gaps(entries, moment, heartbeat.production(folder, entries))
    seen = _verified(folder, head, signers, heads.anchored, resume)
    together = {*seen.findings, *findings}
    return replace(seen, findings=tuple(sorted(together, key=lambda found: (found.severity, found.where))))


def _verified(
    folder: Path, head: str | None, signers: Path | None, anchored: Sequence[Anchor], resume: bool
) -> VerifyReport:
    progress, done = Progress(folder, resume=resume), False
    try:
        seen = verify(folder, head, signers, anchored, progress)
        done = True
    finally:
        progress.close(done=done)
    return seen


def _stamped(folder: Path, settings: Settings, entries: list[Entry], heads: anchor.Heads) -> list[Finding]:
    if settings.timestamp_ca is None:
        return []
    stamps = timestamp.check(folder, settings.timestamp_ca)
    return [*stamps.findings, *dates.outside(dates.brackets(entries, stamps.stamps, heads.heads))]
