"""Approvals for single steps of an interactive run: the same plan files and signatures as on the command line.

A step that needs an approval writes its plan beside the other approvals and is refused; once others have signed
that file, running the cell again goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from opslib import files
from opslib.errors import Refused
from opslib.model import now
from opslib.runs import approval, approvals, saved_plan
from opslib.runs.saved_plan import PlannedStep, SavedPlan, moved
from opslib.settings import Settings


@dataclass(frozen=True)
class Granted:
    """What lets one step happen: its approved plan, whether the glass was broken, and the bytes that were verified."""

    plan: SavedPlan
    break_glass: bool
    copies: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Asking:
    """Asks for approvals of one run's steps. ``folder`` is the archive's for approvals; ``plan`` makes the saved
    plan of one step; ``requesters`` are the operating system's names of who runs this.
    """

    run: str
    folder: Path
    settings: Settings
    requesters: tuple[str, ...]
    plan: Callable[[PlannedStep], SavedPlan]
    _plans: dict[str, SavedPlan] = field(default_factory=dict, init=False)

    def grant(self, step: PlannedStep) -> Granted:
        """Return what lets ``step`` happen; raises Refused that says which file others have to approve."""
        file = self.folder / f"{self.run}.{step.step}" / "plan.json"
        data = self._asked(file, step)
        found = approvals.collect([file.parent], data, self.settings, now())
        saved, sha = saved_plan.parse(data), saved_plan.sha256(data)
        try:
            decision = approval.decide(
                saved,
                sha,
                found.approvals,
                environment=self.settings.environment,
                requesters=frozenset().union(*(approvals.requesters(self.settings, who) for who in self.requesters)),
                unattended=self.settings.unattended_actions,
                moment=now(),
                refusals=found.refusals,
            )
        except Refused as error:
            raise Refused(
                error.message, f"Others approve it with: ops approve {file} ; then run the cell again."
            ) from None
        return Granted(saved, decision.break_glass, (("plan.json", data), *found.copies))

    def _asked(self, file: Path, step: PlannedStep) -> bytes:
        """Return the plan as it was first written for this step; a new one when it moved or expired.

        What counts is kept here: the file is for those who approve, and anybody who can write there could put
        another run's approved plan in its place, or one that names another requester.
        """
        saved = self._plans.get(step.step)
        before = saved.step(step.step) if saved else None
        if saved is None or before is None or saved.expires_at <= now() or moved(before, step.plan):
            saved = self._plans[step.step] = self.plan(step)
        data = saved.encode()
        with suppress(OSError):
            if files.read_plain(file, saved_plan.LARGEST) == data:
                return data
        files.make_folder(file.parent)
        files.write(file, data, file.with_name(".plan.json.part"))
        return data
