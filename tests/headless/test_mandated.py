"""A changing runbook on schedule under a mandate: planned, covered, applied once a due time; and what is refused."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opslib import settings
from opslib.archive import verify_mandates
from opslib.archive.log import Entry
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import Refused
from opslib.headless import mandated, notebooks, origin, schedule_running, schedule_table
from opslib.headless.schedule_looking import entries
from opslib.runs import mandate, mandates
from opslib.runs.saved_plan import sha256
from tests import scale, schedules
from tests.headless.test_loop import NOTEBOOK, place, production, write
from tests.schedules import Clock

pytestmark = pytest.mark.usefixtures("warm")

assert place
assert production
ROLES = 'namespaces="opslib-approve,opslib-mandate"'
SCRIPT = Path(mandated.__file__).parents[1] / "archive" / "verify.sh"


class Nightly:
    """A schedule of tidying backups in production, its plan, and people who can give a mandate of it."""

    def __init__(self, production, folder):
        self.production, self.keys, self.archive, self.folder = production, production.keys, production.archive, folder
        lines = [self.keys.line(who, ROLES) for who in ("ann", "ben", "cat")]
        lines.append(self.keys.line("dan", ROLES, f"{origin.who()}@valuecanvas"))
        (folder / "allowed_signers").write_text("".join(lines))
        self.hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        self.base = production.plan()
        self.data = (self.archive / "runs" / self.base / "plan.json").read_bytes()

    @property
    def mandates(self):
        return self.archive / mandates.FOLDER / self.base

    def give(self, *people, **more):
        at = datetime.now(UTC)
        for who in people:
            name = origin.who() if who == "dan" else who
            said = {"kind": "give", "work": self.base, "sha256": sha256(self.data), "principal": f"{name}@valuecanvas"}
            said |= {"signed_at": at, "expires_at": at + timedelta(days=30), "uses": 1, "most": (("act-1", 10),)}
            mandates.sign(mandate.Mandate(**{**said, **more}), self.mandates, key=self.keys[who], trust=None)

    @property
    def schedule(self):
        row = schedules.row(
            notebook=f'"{NOTEBOOK}"',
            environment='"production"',
            mandate=f'"{self.base}"',
            grace_minutes="60",
            catch_up_minutes="60",
        )
        (one,) = schedule_table.read(schedules.table(self.folder / "schedules.toml", row)).whole()
        return one

    def run(self, hours=0):
        clock = Clock(self.hour + timedelta(hours=hours, minutes=1))
        return schedule_running.run(self.schedule, self.archive, clock=clock, pause=clock.pause)

    def words(self, hours=0):
        found = entries(self.archive, self.schedule, self.hour, self.hour + timedelta(hours=hours, minutes=2))
        return [(one.word, one.says) for one in found]

    def runs(self):
        return sorted(path.name for path in (self.archive / "runs").iterdir())

    def fits(self, target=None):
        notebook = notebooks.find(NOTEBOOK)
        under = mandated.Mandated(Archive(self.archive), self.base, self.hour)
        target = target or settings.load("production")
        under.fits(notebook, notebook.values((), "production"), target)


@pytest.fixture
def nightly(production, tmp_path):
    return Nightly(production, tmp_path)


def checked(archive, run):
    opened = Entry(2, "open", run, "2026-11-01T00:06:00.000000Z")
    closed = Entry(3, "close", run, "2026-11-01T00:07:00.000000Z", "")
    return [finding.what for finding in verify_mandates.check(archive, opened, closed)]


def by_script(archive):
    return subprocess.run(["/bin/sh", SCRIPT, archive], capture_output=True, text=True, timeout=300)


def test_a_due_time_is_planned_covered_and_applied_and_uses_its_mandate(nightly):
    nightly.give("ann", "ben")
    did = nightly.run()
    assert (did["did"], did["result"]["state"], did["result"]["verdict"]) == ("ran", "finished", "OK"), did
    assert nightly.production.names() == ["age-1"]
    run = did["run"]
    assert nightly.runs() == sorted([nightly.base, run.removesuffix("-apply"), run])
    asked = json.loads((nightly.archive / "runs" / run / "run.json").read_text())
    assert (asked["schedule"], asked["due"], asked["mandate"]) == ("hourly", did["due"], sha256(nightly.data))
    kept = {path.name for path in (nightly.archive / "runs" / run / "approvals").iterdir()}
    assert {"ann@valuecanvas.mandate", "ben@valuecanvas.mandate.sig", "mandate-plan.json", "allowed_signers"} <= kept
    assert [one["kind"] for one in did["result"]["approvals"]] == ["mandate", "mandate"]
    assert nightly.words() == [("ran", "")]
    assert verify(nightly.archive).ok
    done = by_script(nightly.archive)
    assert done.returncode == 0, done.stdout + done.stderr

    # One use: the next due time is refused before anything is started, also where its record was removed.
    for path in (nightly.mandates / "uses").glob("*.use"):
        path.unlink()
    with pytest.raises(Refused, match="used up"):
        nightly.run(1)
    assert len(nightly.runs()) == 3
    assert nightly.words(1)[1] == ("failed", f"its run did not begin: The mandate of {nightly.base} is used up.")

    # What was kept with the run is looked at again by who verifies.
    approvals = nightly.archive / "runs" / run / "approvals"
    assert checked(nightly.archive, run) == []
    signature = approvals / "ann@valuecanvas.mandate.sig"
    before = signature.read_bytes()
    signature.write_bytes((approvals / "ben@valuecanvas.mandate.sig").read_bytes())
    assert "is no mandate of this run" in checked(nightly.archive, run)[0]
    done = by_script(nightly.archive)
    assert "ann@valuecanvas.mandate: is no mandate of this run" in done.stdout
    signature.write_bytes(before)
    (approvals / "mandate-plan.json").write_bytes((nightly.archive / "runs" / run / "plan.json").read_bytes())
    assert "is not the plan that run.json names" in checked(nightly.archive, run)
    for path in approvals.glob("*.mandate"):
        path.unlink()
    assert "holds no mandate" in checked(nightly.archive, run)


@scale.nightly
def test_a_plan_that_would_touch_more_than_the_mandate_says_is_refused_and_changes_nothing(nightly):
    nightly.give("ann", "ben", most=(("act-1", 1),))
    with pytest.raises(Refused, match=r"would touch .* and the mandate says 1 at most"):
        nightly.run()
    # It was planned, so that it can be looked at and approved by itself; nothing was applied, no use was taken.
    assert len(nightly.runs()) == 2
    assert nightly.production.names() == ["age-1", "age-40", "age-50"]
    assert mandates.used(nightly.mandates) == frozenset()
    assert [word for word, _ in nightly.words()] == ["failed"]
    assert verify(nightly.archive).ok


def test_what_is_refused_before_anything_is_started(nightly, tmp_path, monkeypatch):
    with pytest.raises(Refused, match="2 other people"):
        nightly.fits()
    nightly.give("ann")
    with pytest.raises(Refused, match="2 other people"):
        nightly.fits()
    nightly.give("dan")
    with pytest.raises(Refused, match="is by who asked for the plan"):
        nightly.fits()
    nightly.give("ben")
    nightly.fits()
    target = settings.load("production")
    with pytest.raises(Refused, match="the target is another"):
        nightly.fits(target.model_copy(update={"core_tables": ("public.others",)}))
    source = (tmp_path / "notebooks" / f"{NOTEBOOK}.ipynb").read_bytes()
    write(tmp_path, "run.step(actions.backups.ApplyRetention())", "1 + 1")
    with pytest.raises(Refused, match="the notebook is another"):
        nightly.fits()
    (tmp_path / "notebooks" / f"{NOTEBOOK}.ipynb").write_bytes(source)
    nightly.fits()

    # A plan of another archive, or one that nobody sealed here, is none.
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "runs" / nightly.base).mkdir(parents=True)
    (elsewhere / "runs" / nightly.base / "plan.json").write_bytes(nightly.data)
    with pytest.raises(Refused, match="not a plan that was made and sealed in this archive"):
        mandated.Mandated(Archive(elsewhere), nightly.base, nightly.hour)
    with pytest.raises(Refused, match="cannot be read"):
        mandated.Mandated(Archive(elsewhere), nightly.base.replace("2026", "2025"), nightly.hour)

    # The log says that it was revoked, though its file is gone.
    Archive(nightly.archive).append("note", f"{mandated.revoked_text(nightly.base)} by cat@valuecanvas")
    with pytest.raises(Refused, match="was revoked"):
        nightly.fits()
    assert nightly.runs() == [nightly.base]


@scale.nightly
def test_a_planning_run_that_breaks_off_is_told_and_applies_nothing(production, tmp_path):
    flag = tmp_path / "flag"
    write(
        tmp_path,
        "run.step(actions.backups.ApplyRetention())",
        f"from pathlib import Path\nassert not Path({str(flag)!r}).exists()",
    )
    nightly = Nightly(production, tmp_path)
    nightly.give("ann", "ben")
    flag.touch()
    with pytest.raises(Refused, match="did not come to its end: AssertionError"):
        nightly.run()
    assert nightly.words()[0][0] == "failed"
    assert mandates.used(nightly.mandates) == frozenset()
    assert nightly.production.names() == ["age-1", "age-40", "age-50"]
