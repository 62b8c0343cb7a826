"""What a run is asked to do, and what it writes about that: run.json before it starts, plan.json at its end."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from opslib.canonical import digest, to_json
from opslib.headless import origin
from opslib.headless.notebooks import Notebook
from opslib.runs import approval
from opslib.runs.saved_plan import PlannedStep, SavedPlan
from opslib.runs.steps import StepRecord, work_of
from opslib.runs.work import Mode
from opslib.settings import Settings

WHEN_APPLIED = ("freeze", "plan_minutes", "run_minutes", "runs_at_once", "most")
"""What of a target's description is looked at when a plan is applied: it may change after the plan was made."""


def target_digest(settings: Settings) -> str:
    """Return the digest of the target's public description that a plan was made for."""
    return digest({name: text for name, text in settings.public().items() if name not in WHEN_APPLIED})


def id_of(notebook: Notebook, started_at: datetime) -> str:
    """Return a new id for a run of a notebook."""
    return f"{started_at:%Y%m%dT%H%M%SZ}-{notebook.name.replace('/', '-')}-{secrets.token_hex(3)}"


@dataclass(frozen=True)
class Agreed:
    """An approved plan, and what shows that it was approved: the very bytes that were verified, by file name."""

    plan: SavedPlan
    data: bytes
    break_glass: bool = False
    until: datetime | None = None
    approvals: tuple[Mapping[str, Any], ...] = ()
    copies: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Asked:
    """What a run is to do. ``run`` is its id where that follows from another run's (apply, resume, undo);
    ``links`` says in run.json which; ``history`` is where the steps of the work stand. With ``kernel`` the cells are
    executed by papermill and a Jupyter kernel, else without either; what is recorded is the same.
    """

    notebook: Notebook
    values: Mapping[str, Any]
    settings: Settings
    mode: Mode = "run"
    how: str = "headless"
    run: str = ""
    links: Mapping[str, Any] = field(default_factory=dict)
    agreed: Agreed | None = None
    history: Mapping[str, StepRecord] = field(default_factory=dict)
    kernel: bool = False

    def new_id(self, started_at: datetime) -> str:
        """Return an id for a run that follows from no other."""
        return id_of(self.notebook, started_at)

    def run_json(self, run: str, started_at: datetime) -> dict[str, Any]:
        """Return the content of run.json: what was asked, by whom, of which code."""
        who = origin.who()
        return {
            "run": run,
            "work": work_of(run),
            "notebook": self.notebook.name,
            "title": self.notebook.title,
            "notebook_sha256": self.notebook.sha256,
            "environment": self.settings.environment,
            "target": self.settings.public(),
            "parameters": dict(self.values),
            "mode": self.mode,
            "how": self.how,
            "requested_by": f"{who}@{origin.where()}",
            "requester": self.settings.operators.get(who, who),
            "started_at": to_json(started_at),
            "versions": origin.versions(),
            "commit": origin.commit(),
            "code_sha256": origin.code_sha256(),
            **self.links,
        }

    def _frozen(self, moment: datetime) -> tuple[str, ...]:
        end = self.settings.frozen_until(moment)
        if end is None or self.how == "undo":  # a freeze does not forbid an undo
            return ()
        return (f"The end of the freeze, {end:%Y-%m-%d %H:%M} UTC, or a broken glass.",)

    def saved_plan(self, run: str, started_at: datetime, steps: tuple[PlannedStep, ...]) -> SavedPlan:
        """Return what was planned, in the form that can be approved."""
        settings, who = self.settings, origin.who()
        return SavedPlan(
            run=run,
            notebook=self.notebook.name,
            notebook_sha256=self.notebook.sha256,
            code_sha256=origin.code_sha256(),
            environment=settings.environment,
            target=target_digest(settings),
            parameters=dict(self.values),
            requested_by=f"{who}@{origin.where()}",
            requester=settings.operators.get(who, who),
            created_at=started_at,
            expires_at=started_at + settings.plan_life,
            steps=steps,
            missing=(
                *approval.missing(steps, settings.environment, settings.unattended_actions),
                *self._frozen(started_at),
            ),
        )
