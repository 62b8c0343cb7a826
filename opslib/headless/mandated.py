"""A changing runbook at its due time, under a mandate: planned, held against what the mandate covers, applied exactly.

Planning and applying are two runs, as when people do it. What moved since the mandate was given, in notebook, code,
target, parameters or steps, is refused before anything is changed; each due time uses the mandate once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opslib import files, settings
from opslib.archive.store import Archive
from opslib.canonical import to_json
from opslib.errors import Refused
from opslib.headless import agreement, notebooks, origin, runner
from opslib.headless.asked import Agreed, target_digest
from opslib.model import now
from opslib.runs import approvals, mandate, mandates, saved_plan
from opslib.runs.mandate import Given
from opslib.runs.saved_plan import SavedPlan
from opslib.settings import Settings

BASE = "mandate-plan.json"
"""What the plan that a mandate names is called beside it, in the folder of a run under it."""
APPLIES = "-apply"


def run(
    base: str,
    name: str,
    given: Iterable[str],
    environment: str,
    archive: Path,
    *,
    run: str,
    links: Mapping[str, Any],
    progress: Callable[[str], None] = lambda text: None,
    **_: Any,
) -> dict[str, Any]:
    """Plan the notebook ``name`` as the run ``run``, apply that plan under the mandate of the plan ``base``.

    Returns as :func:`runner.run` does, of the run that applied it (``run`` with ``-apply``). Raises Refused, mostly
    before anything was started, where the mandate does not cover it.
    """
    store, target, texts = Archive(archive), settings.load(environment), tuple(given)
    under = Mandated(store, base, datetime.fromisoformat(str(links["due"])))
    notebook = notebooks.find(name)
    under.fits(notebook, notebook.values(texts, environment), target)
    links = {**links, "mandate": saved_plan.sha256(under.data)}
    planned = runner.run(name, texts, environment, archive, mode="plan", run=run, links=links, progress=progress)
    if planned["state"] != "finished":
        raise Refused(f"Its plan {run} did not come to its end: {planned['reason']}.", f"See: ops archive show {run}")
    return agreement.apply(run, environment, archive, under=under, links=links, progress=progress)


class Mandated:
    """The mandates of one plan, for one due time. Raises Refused for a plan that this archive did not seal."""

    def __init__(self, store: Archive, base: str, due: datetime) -> None:
        self._store, self._due = store, due.astimezone(UTC)
        self.folder = store.folder / mandates.FOLDER / base
        try:
            self.data = files.read_plain(store.folder / "runs" / base / "plan.json", saved_plan.LARGEST)
        except OSError as error:
            raise Refused(f"The plan {base} cannot be read.", "Name another mandate in schedules.toml.") from error
        self.base = saved_plan.parse(self.data)
        if self.base.run != base:
            raise Refused(f"{base} is not the plan in its folder.", "See: ops archive verify")
        agreement.made_here(self.base, self.data, store)

    def fits(self, notebook: notebooks.Notebook, values: Mapping[str, Any], target: Settings) -> None:
        """Return if what is to be planned can be covered at all; raises Refused before anything is started."""
        moved = {
            "the notebook": (self.base.notebook, self.base.notebook_sha256) != (notebook.name, notebook.sha256),
            "the program": self.base.code_sha256 != origin.code_sha256(),
            "the target": (self.base.environment, self.base.target) != (target.environment, target_digest(target)),
            "a parameter": to_json(dict(self.base.parameters)) != to_json(dict(values)),
        }
        if others := [what for what, other in moved.items() if other]:
            raise Refused(
                f"The mandate of {self.base.run} does not cover this: {', '.join(others)} is another since.",
                "Plan it anew, and have that plan given a mandate.",
            )
        given, _ = self.given(target, agreement.moment_of(self._store))
        if len(self._used()) >= given.uses:
            raise Refused(f"The mandate of {self.base.run} is used up.", "Plan anew for another one.")

    def given(self, target: Settings, moment: datetime) -> tuple[Given, mandates.Collected]:
        """Return what the mandates let be applied, and what they are; raises Refused."""
        self._not_revoked()
        found = mandates.collect(self.folder, target, moment)
        asked = (self.base.requested_by.rpartition("@")[0], *origin.names())
        given = mandate.decide(
            self.base,
            saved_plan.sha256(self.data),
            found.mandates,
            environment=target.environment,
            requesters=frozenset().union(*(approvals.requesters(target, who, found.signers) for who in asked)),
            unattended=target.unattended_actions,
            moment=moment,
            refusals=found.refusals,
        )
        return given, found

    def agreed(self, saved: SavedPlan, data: bytes, target: Settings, moment: datetime) -> Agreed:
        """Return the plan with what covers it; raises Refused where that does not."""
        given, found = self.given(target, moment)
        self._most = given.uses
        mandate.covers(self.base, saved, given.most)
        if moment >= saved.expires_at:
            raise Refused(f"The plan {saved.run} expired.", "The next due time plans anew.")
        return Agreed(
            plan=saved,
            data=data,
            until=min(given.until, saved.expires_at),
            approvals=tuple({**to_json(one.approval), "kind": "mandate"} for one in given.counted),
            copies=(*found.copies, (BASE, self.data)),
        )

    def spend(self, run: str) -> None:
        """Use the mandate for this due time; raises Refused when it did already, or too many have."""
        said = {"run": run, "due": self._due, "at": now()}
        mandates.spend(self.folder, self._due, self._most, self._used(), said)

    def _used(self) -> frozenset[str]:
        """Return the due times that used the mandate, by its own files and by the runs that say so."""
        return mandates.used(self.folder) | frozenset(self._of_runs())

    def _of_runs(self) -> Iterable[str]:
        sum_of_base = saved_plan.sha256(self.data)
        ending = re.compile(rf"-{re.escape(self.base.notebook.replace('/', '-'))}-[0-9a-f]+{APPLIES}$")
        for name in self._store.ids():
            if ending.search(name):
                with suppress(OSError, ValueError, KeyError, TypeError):
                    said = json.loads(files.read_plain(self._store.folder / "runs" / name / "run.json", 4_000_000))
                    if said["mandate"] == sum_of_base:
                        due = datetime.fromisoformat(said["due"])
                        yield f"{due.astimezone(UTC):{mandates.USED}}"

    def _not_revoked(self) -> None:
        """Raise Refused where the signed log says that the mandate was revoked, though its file may be gone."""
        text = revoked_text(self.base.run)
        for entry in self._store.log.newest_first():
            if entry.event == "note" and entry.text.startswith(text):
                raise Refused(f"The mandate of {self.base.run} was revoked.", "Plan anew for another one.")
            if (entry.event, entry.run) == ("open", self.base.run):
                return


def revoked_text(work: str) -> str:
    """Return how a note of the log begins that says that the mandate of a plan was revoked."""
    return f"mandate of {work} revoked"
