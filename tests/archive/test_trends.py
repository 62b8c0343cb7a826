"""How checks went, as the index has it: by area, with the limits of each run, of sealed runs alone."""

import pytest

from opslib.archive import trends
from opslib.archive.search_index import FILE, opened
from opslib.archive.store import Archive
from opslib.probes.observability_trends import MOST
from tests.archive.test_incident_record import sealed


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


def judged(check, value, verdict="OK", warning=70.0):
    held = {"warning": warning, "critical": 80.0, "unit": "%", "above": True}
    result = {"check": check, "title": "The disk", "summary": "said", "verdict": verdict, "value": value}
    return "result", {"result": result | {"threshold": held, "reading": {}}}


def rows(archive, area="database"):
    return {row["check"]: row for row in trends.rows(archive.folder, "lab", area)}


def test_an_archive_without_runs_has_none(archive):
    assert rows(archive) == {}


def test_a_check_is_told_run_by_run_with_its_limits(archive):
    for minutes, value, verdict in ((30, 50, "OK"), (20, 72, "WARNING"), (10, None, "UNKNOWN")):
        sealed(archive, minutes, "diagnostics/database", [judged("any-name", value, verdict)])
    found = rows(archive)["any-name"]
    assert (found["value"], found["verdict"]) == ([50, 72, None], ["OK", "WARNING", "UNKNOWN"])
    assert (found["warning"], found["critical"], found["above"], found["unit"]) == (70, 80, True, "%")
    assert (found["title"], found["moved"]) == ("The disk", False)
    assert found["at"] == sorted(found["at"])


def test_a_limit_that_was_moved_is_told(archive):
    for minutes, limit in ((30, 70.0), (20, 60.0)):
        sealed(archive, minutes, "diagnostics/database", [judged("any-name", 50, warning=limit)])
    assert rows(archive)["any-name"]["moved"] is True


def test_decisive_checks_count_whoever_made_them_and_others_only_in_their_own_notebook(archive):
    sealed(archive, 30, "diagnostics/triage", [judged("database-connection-use", 5), judged("cache-memory", 6)])
    sealed(archive, 20, "runbooks/maintain-cache", [judged("any-name", 7)])
    assert list(rows(archive)) == ["database-connection-use"]
    assert list(rows(archive, "cache")) == ["cache-memory"]


def test_runs_of_another_target_and_those_that_are_open_do_not_count(archive):
    sealed(archive, 30, "diagnostics/database", [judged("any-name", 5)], environment="staging")
    assert rows(archive) == {}


def test_the_newest_runs_are_told_and_an_index_of_another_form_is_made_anew(archive):
    sealed(archive, 30, "diagnostics/database", [judged("any-name", 5)])
    with opened(archive.folder) as index:
        index._base.execute("UPDATE state SET version = 1")
    assert rows(archive)["any-name"]["value"] == [5]
    assert (archive.folder / FILE).is_file()
    assert MOST >= 50


def test_each_area_has_its_probe_and_many_cells_are_one_look(archive):
    made = trends.probes(archive.folder)
    assert made["trends-cache"].by_executor
    target = type("Target", (), {"environment": "lab"})
    sealed(archive, 30, "diagnostics/cache", [judged("any-name", 5)])
    first = made["trends-cache"].read(target)
    assert made["trends-cache"].read(target) is first
