"""What one run works on: the values that its executor is given and that no cell can change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from opslib.actions import ACTIONS
from opslib.actions.base import Action
from opslib.model import Probe
from opslib.probes import ASKED
from opslib.runs.asking import Asking
from opslib.runs.saved_plan import SavedPlan
from opslib.runs.steps import StepRecord, work_of
from opslib.settings import Settings
from opslib.systems.filing import Filing

Mode = Literal["run", "plan"]
"""plan: steps are planned only. run: they are applied, those of an approved plan exactly as it says."""


@dataclass(frozen=True)
class Work:
    """``folder`` is the run's folder in the archive, already open. ``history`` is where the steps of this work
    stand after its earlier runs; ``approved`` is the plan that must not have moved, ``until`` when that ends,
    ``break_glass`` whether one person let it be applied; ``asking`` gets approvals step by step where no plan of
    the whole run was approved.
    """

    run: str
    notebook: str
    settings: Settings
    folder: Path
    mode: Mode
    approved: SavedPlan | None = None
    break_glass: bool = False
    until: datetime | None = None
    asking: Asking | None = None
    history: Mapping[str, StepRecord] = field(default_factory=dict)
    actions: Mapping[str, type[Action]] = field(default_factory=lambda: ACTIONS)
    probes: Mapping[str, Probe] = field(default_factory=lambda: ASKED)

    @property
    def id(self) -> str:
        """The id that names what is made: the same for the run that planned and all that apply, resume or undo."""
        return work_of(self.run)

    def files(self, step: str) -> Filing:
        """Return where ``step`` leaves files of its own as evidence."""
        return Filing(self.folder, self.id, step)
