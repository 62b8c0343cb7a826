"""What a runbook does is tried against each fault that names it: afterwards the fault's check is content.

A fault is mended by one step of its runbook, or by several, of which a later one may take what an earlier one gave.
"""

import json
import shutil
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opslib.actions.backups import ProveBackup, ReopenBucket, TakeBackup
from opslib.actions.cache import ClearFamily, RestartCache, SetCacheMemory
from opslib.actions.cluster import RecoverDeployment
from opslib.actions.database import (
    ApplyMigrations,
    DropForgottenSlot,
    DropInvalidIndexes,
    EndBlockingSession,
    RehearseMigrations,
)
from opslib.actions.delivery import DispatchWorkflow
from opslib.actions.dependencies import SwitchSite
from opslib.actions.environment import CloneRepository, InstallPackages, WriteEnvironmentFile
from opslib.actions.frontend import DeployFrontEnd, RollBackFrontEnd
from opslib.actions.llm import ResetBreakers
from opslib.actions.security import PromoteKey, SetClusterKey, SetFunctionKey, StageKey, TryKey
from opslib.actions.supabase import DeployFunctions, SetFunctionSecret
from opslib.checks import triage
from opslib.lab import broken
from opslib.lab.broken.database_disk import SLOT
from opslib.lab.broken.supabase_release import NEXT
from opslib.lab.vendors.github import FILE
from opslib.model import Verdict
from opslib.runs import reading
from opslib.systems.target import PlanTarget, VerifyTarget, WriteTarget
from tests.actions.keys import place
from tests.backup_place import backed_up
from tests.hosters import of
from tests.kubernetes import ClusterDoors
from tests.llm import as_user
from tests.scale import NIGHTLY, nightly
from tests.triaging import BROWSER
from tests.vendors import Doors
from tests.waiting import until
from tests.workspaces import needs_npm

RUN = "20261129T130614Z-runbooks-roll-back-deployment-a1b2c3"
NOTEBOOKS = Path(__file__).resolve().parents[3] / "notebooks"
SECONDS = 60.0
BACK = RollBackFrontEnd(deployment="previous", wait_seconds=20)
DEPLOY = DeployFrontEnd(branch="main", build_seconds=20, wait_seconds=20)
RECOVER = RecoverDeployment(which="api", services="api", wedged_seconds=0, wait_seconds=SECONDS)
WORKER = RECOVER.model_copy(update={"which": "worker", "services": "worker"})
BEFORE = RECOVER.model_copy(update={"back": "previous"})


@dataclass(frozen=True)
class Then:
    """A step that takes the value ``of`` an earlier one."""

    kind: Any
    of: str

    def __call__(self, values):
        return self.kind(**{self.of: values[self.of]})


REOPEN = ReopenBucket(statements="found", decided_by="ann", wait_seconds=SECONDS)
BACK_UP = (TakeBackup(), Then(ProveBackup, "backup"))
SET_UP = (CloneRepository(branch="main"), Then(InstallPackages, "commit"), Then(WriteEnvironmentFile, "commit"))
MENDS = {
    "front-end-too-heavy": BACK,
    "api-crashes": RECOVER,
    "invalid-index": DropInvalidIndexes(),
    "chunk-missing": DEPLOY,
    "front-end-blank": BACK,
    "front-end-late": BACK,
    "deployment-incomplete": BACK,
    "document-kept-for-a-day": DEPLOY,
    "policy-keeps-scripts-out": DEPLOY,
    "security-built-in-key": DEPLOY,
    "security-policy-shuts": DEPLOY,
    "replica-hangs": RECOVER,
    "rollout-stuck": RECOVER,
    "api-at-zero": RECOVER,
    "liveness-depends": BEFORE,
    "authentication-circle": BEFORE,
    "authentication-cookie": BEFORE,
    "security-any-origin": BEFORE,
    "dns-wrong": SwitchSite(to="own", data_minutes=0, wait_seconds=SECONDS),
    "run-failed": DispatchWorkflow(workflow=FILE, branch="main", flag="force_full_deploy", minutes=1),
    "blocked-sessions": EndBlockingSession(),
    "disk-full": DropForgottenSlot(slot=SLOT),
    "cache-overgrown": ClearFamily(),
    "cache-full": SetCacheMemory(megabytes=64),
    "cache-evicts-jobs": SetCacheMemory(policy="volatile-lru"),
    "cache-lost": RestartCache(services="redis", accept="last-writes", wait_seconds=SECONDS),
    "agent-workers-at-zero": WORKER,
    "agent-revision-fails": WORKER.model_copy(update={"back": "previous"}),
    "prometheus-at-zero": RECOVER.model_copy(update={"which": "prometheus", "services": "prometheus"}),
    "grafana-crashes": RECOVER.model_copy(update={"which": "grafana", "services": "grafana"}),
    "metrics-route-gone": BEFORE,
    "api-asks-dearer-model": BEFORE,
    "front-end-asks-dearer-model": BACK,
    "breakers-stay-open": ResetBreakers(trials=1),
    "replica-wedged": ResetBreakers(trials=1),
    "function-gone": DeployFunctions(ref="main"),
    "function-secret-gone": SetFunctionSecret(variable="TOGETHER_API_KEY", key="TOGETHER_API_KEY"),
    "migration-forgotten": (RehearseMigrations(through=NEXT), ApplyMigrations(through=NEXT)),
    "build-with-former-address": DEPLOY,
    "development-template": SET_UP,
    "development-without-packages": SET_UP,
    "backups-stopped": BACK_UP,
    "backups-unproven": BACK_UP,
    "backups-without-dump": BACK_UP,
    "bucket-denied": REOPEN,
    "bucket-takes-nothing": REOPEN,
}
"""What is carried out of the notebook that the fault names: a step of it, or several."""
BY_DAY = ("front-end-too-heavy", "api-crashes", "invalid-index", "function-gone", "backups-unproven")
RESTS_ON_A_BACKUP = {"migration-forgotten"}
"""Faults whose notebook goes on only where there is a fresh backup."""
ROTATED = {
    "openai-key-revoked": "openai",
    "together-key-revoked": "together",
    "key-not-renewed": "openai",
    "api-has-former-key": "supabase",
}
"""Faults that a new key of the provider mends, by all steps of its rotation until the pods have it."""
SERVERS = "two servers change their parts; tests/notebooks/test_recover_database.py does it with a lab of its own"
UNPROVEN = {
    "image-gone": "the lab's GitHub builds no images: its runs end, and the cluster's registry has nothing new",
    "primary-killed": SERVERS,
    "primary-frozen": SERVERS,
    "split-brain": SERVERS,
    "clock-skew": "a person sets the clock; tests/actions/test_dependencies_clocks.py waits until that is seen",
    "standby-cut-off": "two servers are needed; tests/lab/test_standby_let_in.py lets the role in",
    "replay-paused": "the standby replays again in tests/lab/test_paused_replay.py",
    "table-dropped": "the vendor recovers the whole database; tests/actions/test_database_recover.py follows that",
    "bad-update": "a copy of an earlier moment is needed; tests/lab/test_recovered_rows.py brings rows back from one",
}
"""Faults whose notebook is not carried out here, and why."""
CHECKS = {check.name: check for found in triage.decisive().values() for check in found}


@pytest.fixture
def settings(lab):
    doors, cluster = Doors(lab.settings), ClusterDoors(lab.settings)
    with doors.restored(), cluster.restored():
        hoster = of(lab.settings, doors, "vercel")
        hoster.put(move_seconds=0.05, build_seconds=0.2)
        doors.put(github={**doors.state()["github"], "job_seconds": 0.0})
        yield as_user(hoster.settings, "admin")


def steps_of(name):
    return MENDS[name] if isinstance(MENDS[name], tuple) else (MENDS[name],)


def kind_of(step):
    return step.kind if isinstance(step, Then) else type(step)


def carry_out(settings, steps):
    """Carry the steps out, as a run does; each of them is verified, and one of them at least changes something."""
    with (
        closing(PlanTarget(settings, RUN)) as seeing,
        closing(VerifyTarget(settings, RUN)) as looking,
        closing(WriteTarget(settings, RUN)) as writing,
    ):
        values, touched = {}, 0
        for step in steps:
            action = step(values) if isinstance(step, Then) else step
            plan = action.plan(seeing)
            said = action.apply(writing, plan, lambda *_: None)
            values, touched = {**values, **said}, touched + plan.touches
            looked = action.verify(looking, plan, said)
            assert looked.verdict in (Verdict.OK, Verdict.WARNING), looked
        assert touched


def look(settings, name):
    with closing(VerifyTarget(settings, RUN)) as target:
        return reading.evaluate(CHECKS[name], target)


def well(settings, fault, before):
    """Whether a check says nothing worse than ``before`` the fault; what a browser takes is a machine's own."""
    now = look(settings, fault.check).verdict
    return Verdict.worst([now, before]) is before or (fault.check in BROWSER and now is Verdict.WARNING)


def source(notebook):
    cells = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_of_each_fault_is_proven_that_its_notebook_mends_it_or_said_why_not():
    named = {name for name, fault in broken.faults().items() if fault.notebook}
    assert sorted(named) == sorted([*MENDS, *ROTATED, *UNPROVEN])
    for why in UNPROVEN.values():
        assert all((NOTEBOOKS.parent / word).is_file() for word in why.split() if word.startswith("tests/")), why


@pytest.mark.parametrize("name", MENDS)
def test_what_is_carried_out_are_steps_of_the_notebook_that_the_fault_names_in_its_order(name):
    # Some are asked for by a function of their name.
    cells = source(broken.find(name).notebook).replace("_", "").lower()
    places = [cells.find(f".{kind_of(step).__name__.lower()}(") for step in steps_of(name)]
    assert min(places) > 0
    assert places == sorted(places)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=needs_npm if MENDS[name] is SET_UP else ()) for name in (MENDS if NIGHTLY else BY_DAY)],
)
def test_what_the_fault_names_as_its_mend_mends_it(settings, name):
    fault = broken.find(name)
    if fault.check in BROWSER and not shutil.which("chromium"):
        pytest.skip("no chromium: pages are not opened")
    with ExitStack() as after:
        if fault.backup or name in RESTS_ON_A_BACKUP:
            after.enter_context(backed_up(settings))
        before = look(settings, fault.check).verdict
        with ExitStack() as stack:
            stack.callback(fault.mend, settings)
            fault.make(settings)
            until(lambda: look(settings, fault.check).verdict is fault.verdict, SECONDS)
            carry_out(settings, steps_of(name))
            until(lambda: well(settings, fault, before), SECONDS)
        # What the notebook mended is no fault any more: to mend it once more, as the lab does, is no harm.
        until(lambda: well(settings, fault, before), SECONDS)


@nightly
@pytest.mark.parametrize("name", ROTATED)
def test_a_rotation_mends_what_a_key_did(lab, name):
    fault = broken.find(name)
    before = look(lab.settings, fault.check).verdict
    with place(lab.settings, ROTATED[name]) as there, ExitStack() as stack:
        stack.callback(fault.mend, lab.settings)
        fault.make(lab.settings)
        until(lambda: look(lab.settings, fault.check).verdict is fault.verdict, SECONDS)
        if there.provider == "together":
            there.stage()
        steps = (StageKey, TryKey, PromoteKey, SetFunctionKey, SetClusterKey)
        assert all(kind.__name__ in source(fault.notebook) for kind in steps)
        there.until(*steps)
        until(lambda: well(lab.settings, fault, before), SECONDS)
