"""One look at a whole archive: read once, verified once, and told by several probes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from opslib.archive import anchor, summary
from opslib.archive.going import going
from opslib.archive.log import Entry, Log, state_after
from opslib.archive.summary import Summary
from opslib.archive.verify import verify
from opslib.archive.verify_report import VerifyReport
from opslib.archive.verify_run import Finding
from opslib.archive.vouched import unvouched
from opslib.errors import OpsError, Unreachable
from opslib.model import now
from opslib.runs.steps import work_of
from opslib.settings import Settings

_RUN = re.compile(r"(?:runs|quarantine)/([0-9A-Za-z-]+)")
_ENTRY = re.compile(r"(?:log|timestamps)/([0-9]{6})\.")


STANDINGS = ("sealed", "interrupted", "going on", "left open", "in quarantine", "not believed")
"""How a run stands; ``not believed``: it is not what the log says, or a stranger's key says it."""


@dataclass(frozen=True)
class Told:
    """What the log says of one run: its entry of open, and the one that closed it or moved it to quarantine."""

    opened: Entry
    ended: Entry | None = None


class Look:
    """The archive in ``folder`` as the run ``own`` sees it; ``keep`` is that run's folder, ``moment`` is now."""

    def __init__(
        self, folder: Path, settings: Settings, own: str, keep: Path | None = None, moment: datetime | None = None
    ) -> None:
        self.folder, self.settings, self.own, self.keep = folder, settings, own, keep
        self._moment = moment

    @cached_property
    def moment(self) -> datetime:
        """When the look began."""
        return self._moment or now()

    @cached_property
    def entries(self) -> list[Entry]:
        """The entries that can be read, oldest first; raises Unreachable where there is no archive."""
        if not (self.folder / "log").is_dir():
            raise Unreachable(f"There is no archive at {self.folder}.", "Run a notebook first.")
        return [*Log(self.folder).newest_first()][::-1]

    @cached_property
    def runs(self) -> dict[str, Told]:
        """What the log says of each run, in the order in which they were opened."""
        found: dict[str, Told] = {}
        for entry in self.entries:
            after = state_after(entry)
            if after == "open":
                found.setdefault(entry.run, Told(entry))
            elif after and entry.run in found and found[entry.run].ended is None:
                found[entry.run] = Told(found[entry.run].opened, entry)
        return found

    @cached_property
    def summaries(self) -> dict[str, Summary]:
        """What each run says of itself, but for the one that looks; a name that is in the log alone has damage."""
        return {run: summary.read(self.folder, run) for run in self.runs if run != self.own}

    @cached_property
    def going(self) -> frozenset[str]:
        """The runs whose process is there; this one is among them."""
        return frozenset({*going(self.folder), self.own})

    @cached_property
    def heads(self) -> anchor.Heads | OpsError:
        """The heads that were published, or why there are none to be had."""
        if self.settings.anchor_bucket is None:
            return Unreachable(
                "No place is described where heads are published: nothing outside this machine shows the log's end.",
                "Set OPS_ANCHOR_BUCKET.",
            )
        try:
            return anchor.published(self.folder, self.settings)
        except OpsError as error:
            return error

    @cached_property
    def report(self) -> VerifyReport:
        """What verification says, with the published heads where they could be read."""
        _ = self.entries
        return verify(self.folder, anchored=() if isinstance(self.heads, OpsError) else self.heads.anchored)

    @cached_property
    def sound(self) -> frozenset[str]:
        """The runs whose seal holds and which a key that may sign vouches for."""
        return frozenset(self.report.sealed) - set(unvouched(Log(self.folder), self.runs))

    def standing(self, run: str) -> str:
        """Return how a run stands: one of :data:`STANDINGS`."""
        ended = self.runs[run].ended
        damaged = any(row["severity"] == "error" for row in self.by_run.get(run, ()))
        if damaged or (ended and ended.event == "close" and run not in self.sound):
            return "not believed"
        if ended is None:
            return "going on" if run in self.going else "left open"
        if ended.event != "close":
            return "in quarantine"
        return "interrupted" if ended.state or self.summaries[run].state == "interrupted" else "sealed"

    def row(self, finding: Finding) -> dict[str, Any]:
        """Return a finding as a row, with the run that it is of."""
        said = {"severity": finding.severity, "run": self._run(finding.where)}
        return {"kind": "finding", **said, "where": finding.where, "what": finding.what}

    def findings(self, found: Iterable[Finding]) -> list[dict[str, Any]]:
        """Return findings as rows, errors first; without what is so because a run goes on."""
        rows = [self.row(one) for one in found]
        return [row for row in rows if row["severity"] == "error" or row["run"] not in self.going]

    def _run(self, where: str) -> str:
        """Return the run that a place of the archive belongs to; empty where it is of none."""
        if found := _RUN.match(where):
            return found[1]
        if (found := _ENTRY.match(where)) and (entry := self._by_number.get(int(found[1]))) and entry.run != "-":
            return entry.run
        return ""

    @cached_property
    def by_run(self) -> dict[str, list[dict[str, Any]]]:
        """What verification found, by the run that it is of."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self.findings(self.report.findings):
            found.setdefault(row["run"], []).append(row)
        return found

    @cached_property
    def by_work(self) -> dict[str, list[str]]:
        """The runs of each work but for the one that looks."""
        found: dict[str, list[str]] = {}
        for run in self.summaries:
            found.setdefault(work_of(run), []).append(run)
        return found

    @cached_property
    def _by_number(self) -> dict[int, Entry]:
        return {entry.seq: entry for entry in self.entries}
