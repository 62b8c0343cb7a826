"""The earlier runs of one work, read back from the archive: sealed as they are, or nothing is built on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opslib import settings
from opslib.archive import record
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.archive.vouched import unvouched
from opslib.errors import Refused
from opslib.headless.session import recover
from opslib.redaction import Redactor
from opslib.runs.steps import StepRecord, fold, in_order, number_of, work_of
from opslib.settings import Settings
from opslib.settings_environments import moved


@dataclass(frozen=True)
class Earlier:
    """The runs of one work, oldest first, and where its steps stand after them."""

    work: str
    runs: tuple[record.Record, ...]
    steps: dict[str, StepRecord]

    @property
    def last(self) -> record.Record:
        """The last run that planned, applied, resumed or undid something."""
        return self.runs[-1]

    @property
    def asked(self) -> Any:
        """The run.json of the run that did the work first."""
        acting = [run for run in self.runs if run.run.get("mode") != "plan"]
        return (acting or self.runs)[0].run

    def same_place(self, target: Settings) -> None:
        """Raise Refused when the description leads elsewhere than it did when the work was begun."""
        if other := moved(self.asked.get("target") or {}, target.public()):
            raise Refused(
                f"{self.work} was done elsewhere: {', '.join(other)} of {target.environment} changed since.",
                "Describe the target as it was; a shell's variables of another one may be set.",
            )

    def next_run(self, kind: str) -> str:
        """Return the id of the next run of this work: ``kind`` is resume, undo or resolve."""
        return f"{self.work}-{kind}-{number_of(self.last.name) + 1}"


def find(store: Archive, run: str, environment: str | None = None) -> Earlier:
    """Return the work that ``run`` (its id, the beginning or end of it) belongs to.

    ``environment`` is what the caller typed; a run on another one is refused. Closes what lost processes left
    open first. Raises Refused while one of its runs goes on, or when a record is not what was sealed;
    UsageError when no run fits.
    """
    asked = store.find(run)
    if environment is not None and asked.environment != environment:
        raise Refused(
            f"{asked.run} ran on {asked.environment}, not on {environment}.",
            f"If that is meant, type it: --environment {asked.environment}",
        )
    work = work_of(asked.run)
    target = settings.load(asked.environment)
    store.close_interrupted(Redactor(target.secrets()), recover)
    names = in_order((summary.run for summary in store.runs()), work)
    sealed = set(verify(store.folder).sealed)
    for name in names:
        if store.log.state(name) == "open":
            raise Refused(f"{name} is still running.", f"Wait, or stop it: ops stop {name}")
        if name not in sealed:
            raise Refused(f"The record of {name} is not what was sealed.", "See: ops archive verify")
    if strange := unvouched(store.log, names):
        raise Refused(
            f"The record of {strange[0]} is not signed by a key that may sign here.",
            "See: ops archive verify; go on from the host that ran it, if that is what it is.",
        )
    runs = tuple(record.load(store.folder / "runs" / name) for name in names)
    # What was only planned stands in no run's history: its plan is compared where it was approved.
    steps = fold((said.name, said.journal) for said in runs if said.run.get("mode") != "plan")
    return Earlier(work, runs, steps)
