"""What is refused before a plan is applied or undone, without any run; whole runs are in test_loop and test_undo."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from opslib.archive import record
from opslib.archive.store import Archive
from opslib.errors import Refused, UsageError
from opslib.headless import agreement, earlier, notebooks, origin
from opslib.headless.asked import target_digest
from opslib.headless.earlier import Earlier
from opslib.runs.saved_plan import sha256
from opslib.runs.undoing import UNDO
from tests.archive.build import asked as run_json
from tests.archive.build import sealed
from tests.descriptions import description
from tests.signing import WORK, plan

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
    with pytest.raises(UsageError):
        agreement.apply(name, "production", store.folder)


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
