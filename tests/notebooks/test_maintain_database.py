"""A database's upkeep as people run it: planned, applied as approved, taken back; and what was worn is mended."""

import json
from pathlib import Path

import psycopg
import pytest

from opslib.archive.verify import verify
from opslib.headless import agreement
from opslib.headless.undo import undo
from opslib.runs.saved_plan import parse
from opslib.systems.postgres import connect

NAME = "runbooks/maintain-database"


def ask(house, text):
    with connect(house.settings.database_url, "test") as session:
        return session.execute(text).fetchall()


def indexes(house):
    rows = ask(house, "SELECT indexname AS name FROM pg_indexes WHERE schemaname IN ('public', 'auth') ORDER BY 1")
    return [row["name"] for row in rows]


def invalid(house):
    return [
        row["name"]
        for row in ask(house, "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid")
    ]


@pytest.fixture(scope="module")
def worn(house):
    """The house after some hard weeks: dead rows, an index that a broken-off build left, a stale view."""
    with connect(house.settings.database_url, "test") as session:
        session.execute("ALTER TABLE public.cases SET (autovacuum_enabled = off)")
        session.execute("UPDATE public.cases SET title = title || ''")
        with pytest.raises(psycopg.errors.UniqueViolation):
            session.execute("CREATE UNIQUE INDEX CONCURRENTLY broken_off ON public.cases (status)")
        session.execute(
            "CREATE MATERIALIZED VIEW public.by_status AS SELECT status, count(*) AS n FROM cases GROUP BY 1"
        )
        session.execute("CREATE UNIQUE INDEX by_status_status ON public.by_status (status)")
        session.execute("UPDATE public.cases SET status = 'closed' WHERE status = 'archived'")
    return house


def steps(folder):
    return {path.stem: json.loads(path.read_text()) for path in (folder / "evidence").glob("*.json")}


def test_the_plan_names_what_is_worn_and_changes_nothing(worn, run, fingerprint):
    before = fingerprint(), indexes(worn)
    result, folder = run(NAME, mode="plan")
    assert (fingerprint(), indexes(worn)) == before
    assert result["state"] == "finished", result["reason"]
    saved = parse((folder / "plan.json").read_bytes())
    assert [step.step for step in saved.steps] == [
        "vacuum-tables",
        "drop-invalid-indexes",
        "create-index",
        "refresh-views",
    ]
    assert "public.cases" in saved.step("vacuum-tables").after
    assert saved.step("drop-invalid-indexes").after == {"public.broken_off": "dropped"}
    assert saved.step("create-index").after["index"] == "idx_cases_user_id_status"
    assert saved.step("refresh-views").after == {"public.by_status": "as of this step"}
    worn.planned = result["run"]


def test_what_was_planned_is_applied_and_verified_and_no_row_is_another(worn, fingerprint):
    before = json.loads(fingerprint())
    made = indexes(worn)
    result = agreement.apply(worn.planned, "lab", worn.archive)
    folder = Path(result["report"]).parent
    # The new index makes an older one superfluous, which the look before could not know.
    assert result["state"] == "finished", result["reason"]
    assert json.loads(fingerprint())[0] == before[0]
    assert invalid(worn) == []
    assert sorted(set(indexes(worn)) ^ set(made)) == ["broken_off", "idx_cases_user_id_status"]
    assert {row["status"] for row in ask(worn, "SELECT status FROM public.by_status")} == {
        row["status"] for row in ask(worn, "SELECT DISTINCT status FROM public.cases")
    }
    (row,) = ask(worn, "SELECT n_dead_tup AS n FROM pg_stat_user_tables WHERE relname = 'cases'")
    assert row["n"] == 0
    said = steps(folder)
    assert {name: one["verification"]["verdict"] for name, one in said.items()} == dict.fromkeys(said, "OK")
    assert set(said) == {"vacuum-tables", "drop-invalid-indexes", "create-index", "refresh-views"}
    worn.applied = result["run"]


def test_the_undo_drops_the_index_that_was_made_and_says_that_the_rest_needs_none(worn):
    result = undo(worn.applied, worn.archive)
    assert (result["state"], result["exit_code"]) == ("finished", 0), result["reason"]
    assert "idx_cases_user_id_status" not in indexes(worn)
    assert "by_status_status" in indexes(worn)
    assert verify(worn.archive).ok


def test_a_table_that_is_not_there_is_refused_before_anything_starts(worn, run):
    with pytest.raises(Exception, match=r"did you mean public\.cases"):
        run(NAME, "vacuum=public.casez")
