"""What is refused before a plan is applied or undone, without any run; whole runs are in test_loop and test_undo."""

import json
import os
import shutil
import signal
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest

from opslib import settings, sshsig
from opslib.archive import keys, log, record, seal
from opslib.archive.store import Archive
from opslib.canonical import to_json
from opslib.errors import ArchiveError, Refused, UsageError
from opslib.headless import agreement, earlier, notebooks, origin
from opslib.headless.asked import target_digest
from opslib.headless.earlier import Earlier
from opslib.model import Effect, now
from opslib.redaction import Redactor
from opslib.runs.journal import Journal
from opslib.runs.locks import Locks
from opslib.runs.saved_plan import sha256
from opslib.runs.undoing import UNDO
from opslib.settings import Settings
from tests.archive.build import asked as run_json
from tests.archive.build import fill, forked, result, sealed
from tests.archive.tampering import remade, resealed
from tests.descriptions import description
from tests.signing import WORK, Keys, plan, step

NOTEBOOK = "runbooks/restore-database"


@pytest.fixture
def store(tmp_path):
    return Archive(tmp_path / "archive")


@pytest.fixture
def production():
    return description("production", OPS_BACKUP_PREFIX="backups/")


@pytest.fixture
def save(tmp_path):
    def save(saved, name="plan.json"):
        (tmp_path / name).write_bytes(saved.encode())
        return str(tmp_path / name)

    return save


def said(run, **more):
    """A run as its record in the archive says."""
    return record.Record(run, MappingProxyType({"run": run, **more}), {}, (), 0, "", None)


def before(*runs):
    return Earlier(WORK, runs or (said(WORK, mode="plan"), said(f"{WORK}-apply", mode="run")), {})


def undoing(there, **more):
    """A plan to undo, made now, here and for this target."""
    now = {
        "parameters": {UNDO: WORK},
        "notebook": NOTEBOOK,
        "notebook_sha256": notebooks.find(NOTEBOOK).sha256,
        "code_sha256": origin.code_sha256(),
        "environment": there.environment,
        "target": target_digest(there),
    }
    return plan(**{**now, **more})


def test_a_plan_to_undo_is_not_applied_as_one_to_do(store, save):
    saved = plan(parameters={UNDO: WORK})
    with pytest.raises(Refused, match="is a plan to undo") as refused:
        agreement.apply(save(saved), "production", store.folder)
    assert refused.value.next_step == f"Apply it with: ops undo {WORK} --apply {saved.run}"


def test_a_plan_for_another_environment_is_not_applied_and_says_how_it_would_be(store, save):
    with pytest.raises(Refused, match="is for production, not for staging") as refused:
        agreement.apply(save(plan()), "staging", store.folder)
    assert refused.value.next_step == "If that is meant, type it: --environment production"


@pytest.mark.parametrize("name", ["no-such-run", "x" * 5000])
def test_what_names_neither_a_file_nor_a_run_is_no_plan(store, name):
    sealed(store, 1)
    with pytest.raises(UsageError) as refused:
        agreement.apply(name, "production", store.folder)
    assert "cannot be read" not in refused.value.message


def test_a_plan_is_read_from_a_plain_file_only(store, save, tmp_path):
    save(plan())
    (tmp_path / "link.json").symlink_to(tmp_path / "plan.json")
    for name in (tmp_path / "link.json", sealed(store, 1)):
        with pytest.raises(UsageError, match="cannot be read"):
            agreement.apply(str(name), "production", store.folder)


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": {UNDO: "20260101T000000Z-runbooks-restore-database-ffffff"}},
        {"parameters": {UNDO: WORK, "backup": "newest"}},
        {"parameters": {}},
        {"environment": "staging"},
    ],
)
def test_only_a_plan_to_undo_this_very_work_on_this_target_undoes_it(store, production, save, change):
    with pytest.raises(Refused, match="is not a plan to undo") as refused:
        agreement.to_undo(save(undoing(production, **change)), store, before(), production)
    assert refused.value.next_step == f"Make one: ops undo {WORK} --plan"


def test_a_plan_to_undo_that_was_used_is_refused_with_the_run_that_used_it(store, production, save):
    saved = undoing(production)
    used = said(f"{WORK}-undo-2", mode="run", applies=sha256(saved.encode()))
    with pytest.raises(Refused, match=f"applied already, by {WORK}-undo-2"):
        agreement.to_undo(save(saved), store, before(used, said(f"{WORK}-undo-3", applies="another")), production)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"notebook_sha256": "f" * 64}, "The notebook changed"),
        ({"code_sha256": "f" * 64}, "The program changed"),
        ({"target": "f" * 64}, "The target's description changed since the plan was made."),
        ({"notebook_sha256": "f" * 64, "code_sha256": "e" * 64}, "The notebook and the program changed"),
    ],
)
def test_what_changed_since_the_plan_was_made_is_named(store, production, save, change, what):
    with pytest.raises(Refused) as refused:
        agreement.to_undo(save(undoing(production, **change)), store, before(), production)
    assert refused.value.message.startswith(what)
    assert refused.value.next_step == f"Plan again: ops run {NOTEBOOK} --environment production --plan"


def test_of_a_description_that_changed_the_settings_that_count_are_named(store, production, save):
    record_of = {**production.public(), "freeze": "another", "plan_minutes": "1", "gone": "x"}
    record_of["backup_prefix"] = "elsewhere/"
    folder = store.open(run_json(1) | {"run": WORK, "target": record_of})
    assert folder.name == WORK
    with pytest.raises(Refused) as refused:
        agreement.to_undo(save(undoing(production, target="f" * 64)), store, before(), production)
    assert refused.value.message == "The target's description changed since the plan was made (backup_prefix, gone)."


@pytest.mark.parametrize("data", [b"", b"[1]", b"{}", b'{"target": 7}', b"[" * 9000])
def test_where_the_planning_runs_record_says_nothing_no_setting_is_named(store, production, save, data):
    folder = store.folder / "runs" / WORK
    folder.mkdir(parents=True)
    (folder / "run.json").write_bytes(data)
    with pytest.raises(Refused) as refused:
        agreement.to_undo(save(undoing(production, target="f" * 64)), store, before(), production)
    assert refused.value.message == "The target's description changed since the plan was made."


def test_a_plan_that_was_not_made_here_undoes_nothing(store, production, save):
    with pytest.raises(Refused, match="is not a plan that was made and sealed in this archive"):
        agreement.to_undo(save(undoing(production)), store, before(), production)


def test_a_work_goes_on_only_under_the_plan_that_its_first_run_was_applied_under(store, production):
    folder = store.folder / "runs" / f"{WORK}-apply"
    folder.mkdir(parents=True)
    saved = undoing(production, parameters={"backup": "newest"})
    first = said(f"{WORK}-apply", mode="run", applies=sha256(saved.encode()))
    with pytest.raises(Refused, match="cannot be read"):
        agreement.again(store, before(first), production)
    (folder / "plan.json").write_bytes(replace(saved, requester="ben@valuecanvas").encode())
    with pytest.raises(Refused, match="is not the one that was applied"):
        agreement.again(store, before(first), production)
    (folder / "plan.json").write_bytes(saved.encode())
    with pytest.raises(Refused, match="expired"):
        agreement.again(store, before(first), production)


# Applying, up to the start of the run


VARIABLES = {
    "OPS_ENVIRONMENT": "staging",
    "OPS_READ_DATABASE_URL": "postgresql://reader:reader-password@127.0.0.1:1/valuecanvas",
    "DATABASE_URL": "postgresql://owner:hunter2-hunter2@127.0.0.1:1/valuecanvas",
    "OPS_SCRATCH_DATABASE_URL": "postgresql://owner:hunter2-hunter2@127.0.0.1:1/postgres",
    "OPS_READ_REDIS_URL": "redis://127.0.0.1:1/0",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "S3_BUCKET_NAME": "valuecanvas-backups",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
}
FREEZE = "2000-01-01T00:00Z/2999-01-01T00:00Z"
CHANGES = (step("take-backup", Effect.CHANGE),)
LOOKS = (step("take-backup", Effect.READ),)
DESTROYS = (step("swap-databases", Effect.DESTRUCTIVE),)


@pytest.fixture
def staging(store, tmp_path, monkeypatch):
    return Staging(store, tmp_path, monkeypatch)


class Staging:
    """A target that is described by the environment, where a change needs nobody's approval, and its archive."""

    def __init__(self, store, folder, monkeypatch):
        self.store, self.folder, self.monkeypatch = store, folder, monkeypatch
        for field in Settings.model_fields.values():
            monkeypatch.delenv(str(field.alias), raising=False)
        self.describe(**VARIABLES, OPS_LOCKS=str(folder / "locks"))

    def describe(self, **more):
        for name, value in more.items():
            self.monkeypatch.setenv(name, value)

    @property
    def target(self):
        return settings.load("staging")

    def plan(self, steps=CHANGES, **more):
        moment = now()
        said = {
            "parameters": {"environment": "staging", "backup": "latest", "max_age_hours": 24.0},
            "created_at": moment,
            "expires_at": moment + timedelta(hours=1),
            "steps": steps,
        }
        return undoing(self.target, **{**said, **more})

    def archive(self, saved, *, mode="plan", state="finished", data=None):
        """Seal the run that made a plan; returns its id."""
        place = self.store.open(run_json(1) | {"run": saved.run, "mode": mode, "target": self.target.public()})
        fill(place)
        (place / "plan.json").write_bytes(saved.encode() if data is None else data)
        (place / "result.json").write_text(json.dumps(result(saved.run, state=state)))
        self.store.close(saved.run, Redactor())
        return saved.run

    def locks(self, run="another"):
        return Locks(self.target, run, folder=self.folder / "locks")

    def refused(self, plan, error=Refused):
        with pytest.raises(error) as refused:
            agreement.apply(plan, "staging", self.store.folder)
        return refused.value.message

    def stopped(self, saved):
        """Apply a plan whose run cannot be opened: something stands where its folder goes."""
        (self.store.folder / "runs" / f"{saved.run}-apply").mkdir()
        return self.refused(saved.run, ArchiveError)


HERE = f"{WORK} is not a plan that was made and sealed in this archive."


def test_a_plan_that_was_made_here_and_needs_nobody_is_applied_by_its_id_and_by_its_file(staging):
    saved = staging.plan()
    staging.archive(saved)
    assert f"{WORK}-apply" in staging.stopped(saved)
    file = str(staging.store.folder / "runs" / WORK / "plan.json")
    assert f"{WORK}-apply" in staging.refused(file, ArchiveError)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"mode": "run"}, HERE),
        ({"data": b"{}"}, HERE),
        ({"state": "failed"}, f"{WORK} did not come to its end (failed), so it is no plan of the whole run."),
    ],
)
def test_what_no_planning_run_left_when_it_came_to_its_end_is_not_applied(staging, save, said, why):
    saved = staging.plan()
    staging.archive(saved, **said)
    assert staging.refused(save(saved)) == why


@pytest.mark.parametrize("name", ["run.json", "result.json", "MANIFEST.sha256"])
@pytest.mark.parametrize("data", [b"[]", b"{", b"", b"[" * 9000, None])
def test_what_was_changed_since_the_planning_run_was_sealed_makes_its_plan_none(staging, save, name, data):
    saved = staging.plan()
    path = staging.store.folder / "runs" / staging.archive(saved) / name
    path.unlink() if data is None else path.write_bytes(data)
    assert staging.refused(save(saved)) == HERE


def test_a_manifest_and_files_that_fit_one_another_and_not_the_log_make_no_plan(staging, save):
    saved = staging.plan()
    folder = staging.store.folder / "runs" / staging.archive(saved, mode="run")
    (folder / "run.json").write_text(json.dumps(run_json(1) | {"run": WORK, "mode": "plan"}))
    resealed(folder)
    assert staging.refused(save(saved)) == HERE


def test_a_planning_run_that_is_not_sealed_yet_is_not_applied(staging, save):
    saved = staging.plan()
    place = staging.store.open(run_json(1) | {"run": WORK, "mode": "plan"})
    fill(place)
    (place / "plan.json").write_bytes(saved.encode())
    (place / "MANIFEST.sha256").write_bytes(seal.scan(place, Redactor()).manifest())
    assert staging.refused(save(saved)) == HERE


def test_a_planning_run_that_a_stranger_signed_is_not_applied(staging, tmp_path):
    saved = staging.plan()
    run = staging.archive(saved)
    keys.create(tmp_path / "stranger")
    seq = staging.store.log.newest()
    data = (staging.store.folder / log.name_of(seq)).read_bytes()
    (staging.store.folder / log.signature_of(seq)).write_bytes(sshsig.sign(data, keys.NAMESPACE, tmp_path / "stranger"))
    assert staging.refused(run) == HERE


def test_what_changed_and_what_was_applied_is_told_first(staging):
    changed = staging.plan(notebook_sha256="f" * 64)
    assert staging.refused(staging.archive(changed)).startswith("The notebook changed since the plan was made")
    staging.store.log.append("note", "-")
    run = f"{WORK}-apply"
    staging.store.open(run_json(2) | {"run": run})
    assert staging.refused(str(write(staging, staging.plan()))) == f"The plan was applied already, by {run}."


def write(staging, saved):
    path = staging.folder / "carried.json"
    path.write_bytes(saved.encode())
    return path


def test_a_plan_expires_by_the_newest_entry_also_where_the_clock_was_set_back(staging):
    saved = staging.plan()
    run = staging.archive(saved)
    seq = staging.store.log.newest()
    remade(staging.store.folder, seq, time="2999-01-01T00:00:00.000000Z")
    entry = (staging.store.folder / log.name_of(seq)).read_bytes()
    (staging.store.folder / log.signature_of(seq)).write_bytes(sshsig.sign(entry, keys.NAMESPACE, keys.path()))
    assert staging.refused(run).startswith(f"The plan {WORK} expired at ")


def test_a_value_that_cannot_be_looked_up_stops_the_plan(staging):
    saved = staging.plan(parameters={"environment": "staging", "backup": "age-1", "max_age_hours": 24.0})
    assert "names is there is UNKNOWN" in staging.refused(staging.archive(saved))


def test_a_frozen_target_is_not_changed_and_may_be_looked_at(staging):
    changes = staging.plan()
    staging.archive(changes)
    staging.describe(OPS_FREEZE=FREEZE)
    assert staging.refused(WORK).startswith("staging is frozen until ")
    staging.describe(OPS_FREEZE="")
    assert f"{WORK}-apply" in staging.stopped(changes)


def test_looking_is_never_frozen(staging):
    saved = staging.plan(LOOKS)
    staging.archive(saved)
    staging.describe(OPS_FREEZE=FREEZE)
    assert f"{WORK}-apply" in staging.stopped(saved)


def test_who_asked_approves_nothing_and_who_breaks_the_glass_is_not_kept_by_a_freeze(staging):
    keys_of = Keys(staging.folder)
    shutil.copy(keys_of["ben"], keys_of["benjamin"])
    signers, revoked = staging.folder / "allowed_signers", staging.folder / "revoked_keys"
    signers.write_text(
        keys_of.line("ben") + keys_of.line("ben", principal="benjamin@valuecanvas") + keys_of.line("cat")
    )
    revoked.write_text("# nobody\n")
    staging.describe(OPS_ALLOWED_SIGNERS=str(signers), OPS_REVOKED_KEYS=str(revoked), OPS_FREEZE=FREEZE)
    saved = staging.plan(DESTROYS, requested_by="ben@bastion", requester="zoe@valuecanvas")
    run = staging.archive(saved)
    approvals = staging.store.folder / "approvals" / run
    assert "needs an approval by another person" in staging.refused(run)
    keys_of.sign(saved.encode(), approvals, "benjamin")
    assert "benjamin@valuecanvas: is by who asked" in staging.refused(run)
    keys_of.sign(saved.encode(), approvals, "cat", kind="break-glass", reason="gone")
    assert f"{WORK}-apply" in staging.stopped(saved)


def test_a_plan_to_undo_that_was_made_here_and_needs_nobody_lets_it_happen(staging):
    saved = staging.plan(parameters={UNDO: WORK})
    agreed = agreement.to_undo(staging.archive(saved), staging.store, before(), staging.target)
    assert (agreed.plan, agreed.data) == (saved, saved.encode())
    assert (agreed.break_glass, agreed.until, agreed.approvals, agreed.copies) == (False, saved.expires_at, (), ())


def test_a_work_goes_on_only_with_the_notebook_that_its_plan_was_made_with(staging):
    for change, why in (({}, None), ({"notebook_sha256": "f" * 64}, "The notebook changed")):
        saved = staging.plan(**change)
        folder = staging.store.folder / "runs" / f"{WORK}-apply"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plan.json").write_bytes(saved.encode())
        first = before(said(f"{WORK}-apply", mode="run", applies=sha256(saved.encode())))
        if why is None:
            assert agreement.again(staging.store, first, staging.target).plan == saved
        else:
            with pytest.raises(Refused, match=why):
                agreement.again(staging.store, first, staging.target)


def test_what_another_run_has_locked_is_not_taken_and_nothing_stays_locked(staging):
    saved = staging.plan((*CHANGES, step("create-index", Effect.CHANGE)))
    run = staging.archive(saved)
    with staging.locks() as other:
        other.take("database")
        assert staging.refused(run).startswith("The database of staging is being changed by another")
        other.take("backups")
    assert f"{WORK}-apply" in staging.stopped(saved)
    with staging.locks() as other:
        other.take("backups")
        other.take("database")


def test_only_what_the_steps_change_is_locked(staging):
    saved = staging.plan(LOOKS)
    staging.archive(saved)
    with staging.locks() as other:
        other.take("backups")
        assert f"{WORK}-apply" in staging.stopped(saved)


def test_where_nobody_can_know_whether_a_plan_was_applied_elsewhere_it_is_not_applied(staging):
    staging.describe(
        OPS_LEASE_BUCKET="leases", AWS_ACCESS_KEY_ID="some-access-key", AWS_SECRET_ACCESS_KEY="some-secret-access-key"
    )
    saved = staging.plan(LOOKS)
    assert "was applied elsewhere cannot be known" in staging.refused(staging.archive(saved))
    assert not (staging.store.folder / "runs" / f"{WORK}-apply").exists()


# Earlier runs


def test_of_the_runs_of_a_work_the_first_that_acted_says_what_was_asked_and_the_last_how_the_next_is_called():
    assert before().asked["run"] == f"{WORK}-apply"
    assert before(said(WORK, mode="plan")).asked["run"] == WORK
    assert before().last.name == f"{WORK}-apply"
    assert before().next_run("undo") == f"{WORK}-undo-1"
    assert before(said(WORK), said(f"{WORK}-resume-4")).next_run("resume") == f"{WORK}-resume-5"


def test_a_work_that_was_begun_elsewhere_does_not_go_on_here(production):
    here = said(f"{WORK}-apply", mode="run", target=production.public())
    before(here).same_place(production)
    before(said(WORK)).same_place(production)
    moved = production.public() | {"backup_bucket": "another-bucket"}
    with pytest.raises(Refused, match="was done elsewhere: backup_bucket of production changed since"):
        before(said(WORK, target=moved)).same_place(production)


def test_a_run_is_found_only_on_the_environment_that_was_typed(store):
    run = sealed(store, 1, environment="production")
    with pytest.raises(Refused, match=f"{run} ran on production, not on staging") as refused:
        earlier.find(store, run, "staging")
    assert refused.value.next_step == "If that is meant, type it: --environment production"


def test_what_decides_how_a_target_is_used_and_not_which_it_is_does_not_change_its_digest(production):
    later = production.model_copy(update={"plan_minutes": 5.0, "run_minutes": 7.0, "most": {"a": 1}})
    assert target_digest(later) == target_digest(production)
    assert target_digest(production.model_copy(update={"backup_prefix": "x/"})) != target_digest(production)


def acted(staging, run, *events, mode="run", closed=True):
    """A run on staging whose journal says these events of the step ``a``."""
    place = staging.store.open(run_json(1) | {"run": run, "mode": mode, "environment": "staging"})
    journal = Journal(place / "journal.jsonl", Redactor())
    for event in events:
        journal.append(event, step="a", **({"plan": to_json(step().plan)} if event == "planned" else {"values": {}}))
    journal.close()
    if closed:
        staging.store.close(run, Redactor())
    return run


APPLIED = ("planned", "intent", "applied")


def test_a_work_is_its_runs_in_order_and_the_steps_of_those_that_acted(staging):
    runs = [acted(staging, WORK, "planned", mode="plan")]
    assert earlier.find(staging.store, WORK).steps == {}
    runs.append(acted(staging, f"{WORK}-resume-1", *APPLIED))
    runs.append(acted(staging, f"{WORK}-undo-2", "undoing", mode="plan"))
    acted(staging, WORK.replace("a1b2c3", "ffffff"), "planned")
    for name, environment in ((WORK, None), (f"{WORK}-undo-2", "staging")):
        found = earlier.find(staging.store, name, environment)
        assert (found.work, [run.name for run in found.runs]) == (WORK, runs)
        assert {name: (one.state.value, one.run) for name, one in found.steps.items()} == {
            "a": ("applied", f"{WORK}-resume-1")
        }


def test_what_a_lost_process_left_open_is_closed_and_what_goes_on_is_waited_for(staging):
    process, run = forked(lambda: acted(staging, WORK, *APPLIED, closed=False), wait=True)
    with pytest.raises(Refused, match=f"{run} is still running"):
        earlier.find(staging.store, WORK)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    assert [one.name for one in earlier.find(staging.store, WORK).runs] == [run]
    assert staging.store.log.state(run) == "closed"


def test_nothing_is_built_on_a_record_that_is_not_what_was_sealed_or_that_a_stranger_signed(staging, tmp_path):
    run = acted(staging, WORK, *APPLIED)
    keys.create(tmp_path / "stranger")
    seq = staging.store.log.newest()
    signature = staging.store.folder / log.signature_of(seq)
    own = signature.read_bytes()
    data = (staging.store.folder / log.name_of(seq)).read_bytes()
    signature.write_bytes(sshsig.sign(data, keys.NAMESPACE, tmp_path / "stranger"))
    with pytest.raises(Refused) as refused:
        earlier.find(staging.store, run)
    assert refused.value.message == f"The record of {run} is not signed by a key that may sign here."
    signature.write_bytes(own)
    assert earlier.find(staging.store, run).last.name == run
    with (staging.store.folder / "runs" / run / "journal.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(Refused) as refused:
        earlier.find(staging.store, run)
    assert refused.value.message == f"The record of {run} is not what was sealed."
