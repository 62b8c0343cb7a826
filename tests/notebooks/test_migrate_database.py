"""Migrations as people run them: rehearsed, planned, applied as approved, taken back; failed, and gone on with."""

import json
import shutil
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.errors import Refused
from opslib.headless import agreement
from opslib.headless.resume import resume
from opslib.headless.undo import undo
from opslib.probes import database_rehearsals
from opslib.runs.saved_plan import parse
from opslib.systems.postgres import connect
from tests import backup_place
from tests.scale import nightly

NAME = "runbooks/migrate-database"
NOTES, DUE = "20260401090000", "20260408103000"
STEPS = ["rehearse-migrations", "apply-migrations", "roll-back-migration"]


def ask(house, text):
    with connect(house.settings.database_url, "test") as session:
        return session.execute(text).fetchall()


def versions(house):
    rows = ask(house, "SELECT version FROM supabase_migrations.schema_migrations ORDER BY 1")
    return [row["version"] for row in rows][8:]


def databases(house):
    return sorted(row["datname"] for row in ask(house, "SELECT datname FROM pg_database"))


def results(folder):
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [(line["result"]["check"], line["result"]["verdict"]) for line in lines if line["event"] == "result"]


@pytest.fixture(scope="module", autouse=True)
def backed_up(house):
    """A proven backup of this hour, and the checkout as the lab wrote it."""
    shutil.rmtree(database_rehearsals.folder(), ignore_errors=True)  # another file's tests may have rehearsed here
    files = Path(house.settings.migrations)
    kept = shutil.copytree(files, files.parent.parent / "kept-supabase")
    with backup_place.backed_up(house.settings):
        yield
    shutil.rmtree(files)
    shutil.move(kept, files)


def test_a_plan_before_any_rehearsal_says_what_is_not_known_and_changes_nothing(house, run, fingerprint):
    before = fingerprint()
    result, folder = run(NAME, "act=apply", mode="plan")
    assert fingerprint() == before
    assert result["state"] == "finished", result["reason"]
    saved = parse((folder / "plan.json").read_bytes())
    assert [step.step for step in saved.steps] == STEPS
    applied = saved.step("apply-migrations")
    assert [file[0] for file in applied.fingerprint["files"]] == [NOTES, DUE]
    assert applied.unknown == ("way back",)
    assert "if the rehearsal before this step proves them" in applied.undo
    assert saved.step("roll-back-migration").touches == 0


def test_a_rehearsal_changes_nothing_and_proves_the_way_back(house, run, fingerprint):
    before = fingerprint()
    result, folder = run(NAME)
    assert fingerprint() == before
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    said = json.loads((folder / "evidence" / "rehearse-migrations.json").read_text())
    assert [one["proven"] for one in said["values"]["rehearsals"]] == [True, True]
    assert said["verification"]["verdict"] == "OK"
    assert ("database-migration-lint", "OK") in results(folder)
    assert dict(results(folder))["database-migration-edits"] == "OK"


def test_after_it_the_plan_names_locks_and_way_back_and_is_applied_exactly(house, run):
    result, folder = run(NAME, "act=apply", mode="plan")
    saved = parse((folder / "plan.json").read_bytes()).step("apply-migrations")
    assert saved.fingerprint["way back"] == {NOTES: "proven", DUE: "proven"}
    assert saved.observed["rehearsal"][DUE]["locks"] == {"public.cases": "AccessExclusiveLock"}
    done = agreement.apply(result["run"], "lab", house.archive)
    assert (done["state"], done["exit_code"]) == ("finished", 0), done["reason"]
    assert versions(house) == [NOTES, DUE]
    assert ask(house, "SELECT relrowsecurity AS on FROM pg_class WHERE relname = 'case_notes'") == [{"on": True}]
    house.applied = done["run"]


def test_the_undo_runs_the_rollbacks_in_reverse_and_everything_is_as_before(house, run):
    result = undo(house.applied, house.archive)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert versions(house) == []
    assert ask(house, "SELECT FROM pg_class WHERE relname = 'case_notes'") == []


@nightly
def test_a_run_that_is_locked_out_fails_and_goes_on_where_it_stopped(house, run):
    with connect(house.settings.database_url, "the-report") as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM public.cases")
        result, _ = run(NAME, "act=apply")
        assert (result["state"], result["exit_code"]) == ("failed", 5)
        assert "lock timeout" in result["reason"]
    assert versions(house) == [NOTES]
    again = resume(result["run"], house.archive)
    assert (again["state"], again["exit_code"]) == ("finished", 0), again["reason"]
    assert versions(house) == [NOTES, DUE]
    kept = [
        json.loads(line)["step"]
        for line in (Path(again["report"]).parent / "journal.jsonl").read_text().splitlines()
        if '"event":"kept"' in line
    ]
    assert kept == ["rehearse-migrations"]


@nightly
def test_only_the_newest_is_rolled_back_and_only_by_name(house, run):
    for given, why in ((("act=roll-back",), "is not said"), (("act=roll-back", f"version={NOTES}"), "not the newest")):
        result, _ = run(NAME, *given)
        assert (result["state"], result["exit_code"]) == ("refused", 4)
        assert why in result["reason"]
    result, _ = run(NAME, "act=roll-back", f"version={DUE}")
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert versions(house) == [NOTES]
    back = undo(result["run"], house.archive)
    assert (back["state"], back["exit_code"]) == ("finished", 0), back["reason"]
    assert versions(house) == [NOTES, DUE]


@nightly
def test_with_nothing_pending_nothing_is_done_and_a_backup_of_before_is_no_ground_to_rehearse_on(
    house, run, fingerprint
):
    files = Path(house.settings.migrations)
    result, _ = run(NAME, "act=apply")
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    (files / "migrations" / "20260501000000_next.sql").write_text("CREATE TYPE public.next AS ENUM ('a');\n")
    before, names = fingerprint(), databases(house)
    result, _ = run(NAME, "act=apply")
    assert (result["state"], result["exit_code"]) == ("failed", 5)
    assert "has other migrations than the database" in result["reason"]
    assert (fingerprint(), databases(house)) == (before, names)


@nightly
def test_what_may_destroy_needs_its_own_word_and_a_bad_version_is_no_parameter(house, run, fingerprint):
    files = Path(house.settings.migrations)
    (files / "migrations" / "20260501000000_next.sql").write_text("DROP TABLE public.case_notes;\n")
    before = fingerprint()
    result, _ = run(NAME, "act=apply", mode="plan")
    assert (result["state"], result["exit_code"]) == ("refused", 4)
    assert "apply-destructive" in result["reason"]
    result, folder = run(NAME, "act=apply-destructive", mode="plan")
    assert result["state"] == "finished", result["reason"]
    saved = parse((folder / "plan.json").read_bytes()).step("apply-migrations")
    assert (saved.action, str(saved.effect)) == ("apply-destructive-migrations", "destructive")
    assert dict(results(folder))["database-migration-rollbacks"] == "WARNING"
    with pytest.raises(Exception, match="version: "):
        run(NAME, "version=2026")
    assert fingerprint() == before
    assert verify(house.archive).ok


def test_a_run_that_finished_is_not_gone_on_with(house):
    with pytest.raises(Refused):
        resume(house.applied, house.archive)
