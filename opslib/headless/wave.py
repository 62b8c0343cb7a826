"""``ops wave``: one notebook over many members, one first, then more at a time, stopped at so many errors.

Each member is a run of its own, planned, approved and applied as any. What was done is read from the archive by the ids
that the wave's record holds: a wave that was broken off goes on, and repeats nothing that came to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from opslib.archive import summary, waves
from opslib.archive.going import going
from opslib.archive.store import Archive
from opslib.archive.waves import Member, Record, Wave
from opslib.canonical import to_json
from opslib.errors import ExitCode, OpsError, Refused, SettingsError, UsageError
from opslib.headless import agreement, notebooks, queue_asking, runner
from opslib.headless.asked import id_of
from opslib.headless.kernel_warm import keep_warm
from opslib.headless.wave_table import limit_faults
from opslib.model import now
from opslib.runs.steps import in_order, work_of
from opslib.settings_queue import needed
from opslib.systems.queue_ledger import Ledger
from opslib.systems.queue_rows import Row

Tell = Callable[[str], None]
APPLY = "apply"
_WORST = (ExitCode.OK, ExitCode.WARNING, ExitCode.UNKNOWN, ExitCode.CRITICAL, ExitCode.REFUSED, ExitCode.FAILED)


@dataclass(frozen=True)
class Became:
    """What became of a member: its run, the state and verdict that ended in, or why nothing began."""

    member: Member
    run: str = ""
    state: str = "not begun"
    verdict: str = ""
    exit_code: int | None = None
    why: str = ""

    @property
    def begun(self) -> bool:
        """Whether there is a run of it."""
        return self.state != "not begun"

    def error(self, mode: str) -> bool:
        """Whether it counts against the wave: not while it may still be gone on with, nor a plan that was made."""
        if self.exit_code is None or self.state in ("interrupted", "running"):
            return False
        return self.state != "finished" if mode == "plan" else self.exit_code > ExitCode.WARNING

    @property
    def row(self) -> dict[str, Any]:
        """The member's line of the report."""
        one = self.member
        said = {"member": one.number, "where": one.name, "state": self.state, "verdict": self.verdict, "run": self.run}
        return {**said, "exit_code": self.exit_code, "why": self.why}


def begin(wave: Wave, archive: Path, *, tell: Tell = lambda text: None) -> dict[str, Any]:
    """Record a wave, then carry it out; returns what :func:`go_on` does."""
    record = Record(archive, wave.id)
    record.begin(wave)
    return go_on(record, tell=tell)


def go_on(
    record: Record,
    stage: str = "",
    *,
    stop_at: str = "",
    by_queue: bool = False,
    tell: Tell = lambda text: None,
) -> dict[str, Any]:
    """Carry out what is left of a wave (``stage`` apply: the plans that it made) and return its report.

    What ended is not begun again; ``stop_at`` is another limit than the wave's own. ``by_queue`` leaves it to workers,
    as all of a wave that was begun so; but what is planned is planned here. Raises Refused where another
    process goes on with it, or its notebook is another one by now.
    """
    if stop_at and (faults := limit_faults(stop_at)):
        raise UsageError(faults[0] + ".", "Write 3, or 10%.")
    with record.held():
        wave = record.wave()
        if stage == APPLY and wave.mode != "plan":
            raise Refused(f"{wave.id} planned nothing.", f"Go on with it: ops wave resume {wave.id}")
        if notebooks.find(wave.notebook).sha256 != wave.notebook_sha256:
            raise Refused(f"{wave.notebook} is not the notebook of {wave.id} any more.", "Begin another wave.")
        course = Course(wave, record, stage or wave.mode, tell, stop_at)
        course.by_queue = (by_queue or wave.by_queue) and course.stage != "plan"
        with keep_warm():
            outcome = course.run()
        record.end(outcome, outcome["says"])
    return outcome


def look(record: Record) -> dict[str, Any]:
    """Return a wave's report as the archive has it now; of one that planned, of its applications once there is one."""
    wave = record.wave()
    stage = str(record.outcome().get("stage", wave.mode))
    return Course(wave, record, stage, lambda text: None).report("")


class Course:
    """One pass over a wave's members."""

    def __init__(self, wave: Wave, record: Record, stage: str, tell: Tell, stop_at: str = "") -> None:
        self.wave, self.record, self.stage, self.tell = wave, record, stage, tell
        self.most_errors = wave.most_errors(stop_at)
        self.store = Archive(record.archive)
        self.became: dict[int, Became] = {}
        self.by_queue = False

    def run(self) -> dict[str, Any]:
        """Begin batch after batch; ends at so many errors, and where a run was stopped from outside."""
        stopped = ""
        for number, batch in enumerate(self.wave.batches(), 1):
            self._look(batch)
            left = [one for one in batch if not self._over(self.became[one.number])]
            if stopped := self._threshold():
                break
            self.tell(f"{self.wave.id}: batch {number}, {len(left)} of {len(batch)} to do")
            with self._by() as carry:
                stopped = carry(left)
            if stopped := stopped or self._threshold():
                break
        return self.report(stopped)

    def report(self, stopped: str) -> dict[str, Any]:
        """Return what became of every member, the exit code by the worst, and why what did not begin did not."""
        self._look([one for one in self.wave.members if one.number not in self.became])
        found = [self.became[one.number] for one in self.wave.members]
        shown = [one if one.begun or one.why else replace(one, why=stopped) for one in found]
        codes = [ExitCode(one.exit_code) for one in found if one.exit_code is not None]
        plans = self.stage == "plan"
        if plans:
            codes = [code if one.error("plan") else ExitCode.OK for one, code in zip(found, codes, strict=False)]
        begun, errors = sum(one.begun for one in found), sum(one.error(self.stage) for one in found)
        worst = max(codes, key=_WORST.index, default=ExitCode.UNKNOWN)
        if begun < len(found) and worst < ExitCode.CRITICAL:
            worst = ExitCode.UNKNOWN  # green for what nobody did is a defect
        says = f"{begun} of {len(found)} began, {errors} with errors"
        return {
            "wave": self.wave.id,
            "notebook": self.wave.notebook,
            "stage": self.stage,
            "members": [one.row for one in shown],
            "begun": begun,
            "errors": errors,
            "stopped": stopped,
            "says": says,
            "looked_at": to_json(now()),
            "exit_code": int(worst),
        }

    def _threshold(self) -> str:
        errors = sum(one.error(self.stage) for one in self.became.values())
        return f"{errors} with errors, and the wave ends at {self.most_errors}" if errors >= self.most_errors else ""

    def _over(self, found: Became) -> bool:
        return found.begun and found.state != "interrupted"

    def _look(self, members: Sequence[Member]) -> None:
        """Read what became of members from the archive."""
        ids = self.store.ids() if members else []
        alive = set(going(self.store.folder))
        for member in members:
            first = self.record.attempts(member)[-1]
            run = f"{first}-apply" if self.stage == APPLY else first
            # Whoever resumed a run has taken it on.
            same = [one for one in in_order(ids, work_of(run)) if self.stage != "plan" or one == run]
            last = same[-1] if run in same else ""
            self.became[member.number] = _of(member, last, self.store.folder, last in alive) if last else Became(member)

    @contextmanager
    def _by(self) -> Iterator[Callable[[Sequence[Member]], str]]:
        if not self.by_queue:
            yield self._here
            return
        url = needed()
        queue_asking.of_archive(url, self.record.archive)
        with Ledger(url) as ledger:
            yield lambda members: self._asked(ledger, members)

    def _here(self, members: Sequence[Member]) -> str:
        """Run members one after the other; returns why the wave ends, or nothing."""
        for member in members:
            if why := self._possible(self.became[member.number]):
                return why
            self.became[member.number] = found = self._one(member)
            if found.state == "interrupted":
                return found.why or "a run was broken off"
            if why := self._threshold():
                return why
        return ""

    def _possible(self, before: Became) -> str:
        """Return why a broken-off run is not tried again: what may have changed something is a person's."""
        if before.begun and (self.stage == APPLY or notebooks.takes_steps(notebooks.find(self.wave.notebook))):
            return f"{before.run} was broken off; first: ops resume {before.run}"
        return ""

    def _one(self, member: Member) -> Became:
        before, links = self.became[member.number], {"wave": self.wave.id, "member": str(member.number)}
        try:
            if self.stage == APPLY:
                result = agreement.apply(
                    self._plan(member), member.environment, self.record.archive, progress=self.tell
                )
            else:
                run = member.run
                if before.begun:
                    run = id_of(notebooks.find(self.wave.notebook), now())
                    self.record.again(member, run)
                    links["instead_of"] = before.run
                result = runner.run(
                    *(self.wave.notebook, member.parameters, member.environment, self.record.archive),
                    mode="plan" if self.stage == "plan" else "run",
                    run=run,
                    links=links,
                    progress=self.tell,
                )
        except OpsError as error:
            return Became(member, exit_code=int(error.exit_code), why=error.message)
        return _result(member, result)

    def _plan(self, member: Member) -> str:
        return self.record.attempts(member)[-1]

    def _asked(self, ledger: Ledger, members: Sequence[Member]) -> str:
        """Have workers run members, and wait for all of them; what was asked for before is not asked for twice."""
        rows: dict[int, Row] = {}
        for member in members:
            try:
                rows[member.number] = self._ask(ledger, member)
            except (SettingsError, Refused) as error:
                self.became[member.number] = Became(member, exit_code=int(error.exit_code), why=error.message)
        for row in queue_asking.wait(ledger, [one.key for one in rows.values()], tell=self.tell) if rows else ():
            member = next(one for one in members if rows[one.number].key == row.key)
            if self.stage != APPLY and row.run not in self.record.attempts(member):
                self.record.again(member, row.run)
            self._look([member])
            if not self.became[member.number].begun:
                self.became[member.number] = Became(member, exit_code=queue_asking.exit_code(row), why=row.why)
        broken = [one for one in self.became.values() if one.state == "interrupted"]
        return broken[0].why or "a run was broken off" if broken else ""

    def _ask(self, ledger: Ledger, member: Member) -> Row:
        links = {"wave": self.wave.id, "member": str(member.number)}
        if self.stage == APPLY:
            return queue_asking.patiently(
                lambda: queue_asking.ask_to_apply(ledger, self._plan(member), member.environment, links=links),
                tell=self.tell,
            )
        return queue_asking.patiently(
            lambda: queue_asking.ask(
                *(ledger, self.wave.notebook, member.parameters, member.environment),
                key=f"wave/{self.wave.id}/{member.number}",
                run=member.run,
                links=links,
            ),
            tell=self.tell,
        )


def _of(member: Member, run: str, archive: Path, alive: bool) -> Became:
    found = summary.read(archive, run)
    if found.sealed == "open":
        return Became(member, run, "running" if alive else "interrupted", exit_code=int(ExitCode.UNKNOWN))
    state = found.state or found.sealed
    verdict = found.verdict.value if found.verdict else ""
    code = int(ExitCode.FAILED) if found.exit_code is None else found.exit_code
    return Became(member, run, state, verdict, code, found.reason)


def _result(member: Member, result: Mapping[str, Any]) -> Became:
    return Became(*(member, result["run"], result["state"], result["verdict"], result["exit_code"], result["reason"]))


def known(archive: Path) -> list[dict[str, Any]]:
    """Return the archive's waves, newest first, as the last pass of each left them."""
    found = []
    for name in waves.names(archive):
        record = Record(archive, name)
        said = record.outcome()
        wave = record.wave()
        where = f"{len(wave.members)} members"
        found.append(
            {"wave": name, "notebook": wave.notebook, "members": where, "says": said.get("says", "no end recorded")}
        )
    return found
