"""Retention and legal hold: what may leave this machine, when, and how the record tells it from a deletion by hand."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opslib.archive import holding, holds, pull, push, retention, stored
from opslib.archive.search_index import FILE, opened
from opslib.archive.search_wanted import Wanted
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import ArchiveError, Refused, UsageError
from opslib.model import now
from opslib.settings import Settings
from opslib.systems.sealed_store import SealedStore
from tests.conftest import LabInUse

from . import build, stores

BY = "ann@ops-1"
ONE, TWO = (build.asked(number)["run"] for number in (1, 2))


@pytest.fixture
def settings(lab: LabInUse) -> Iterator[Settings]:
    with stores.bucket(lab.settings) as other:
        yield other


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Two sealed runs of diagnostics, a year and more old, and one of a runbook."""
    one = stores.archive(tmp_path / "archive")
    build.sealed(one, 6, notebook="runbooks/restore-database")
    stores.aged(one, 400)
    return one


def due(archive: Archive, settings: Settings) -> list[str]:
    return [one.run for one in retention.plan(archive.folder, settings, now()).due]


def removed(archive: Archive, settings: Settings) -> retention.Removed:
    planned = retention.plan(archive.folder, settings, now())
    return retention.remove(Archive(archive.folder), settings, planned.digest, BY)


def errors(archive: Archive) -> list[str]:
    return [str(finding) for finding in verify(archive.folder).findings if finding.severity == "error"]


def both(archive: Archive, *words: str) -> None:
    """Both verifiers say each of ``words``, or that all is well where there are none."""
    code, said = build.shell(archive.folder)
    assert (code == 0, verify(archive.folder).ok) == (not words, not words), (said, errors(archive))
    for word in words:
        assert word in said
        assert any(word in line for line in errors(archive))


def words(archive: Archive) -> list[tuple[object, ...]]:
    """Every word of the search's index, and in how many runs and places it stands."""
    with closing(sqlite3.connect(archive.folder / FILE)) as base:
        base.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab (main, words, row)")
        return base.execute("SELECT term, doc, cnt FROM temp.terms ORDER BY 1").fetchall()


def test_what_is_old_and_stored_leaves_and_the_record_says_so(archive: Archive, settings: Settings) -> None:
    assert due(archive, settings) == [ONE, TWO]
    push.push(archive.folder, settings)
    with opened(archive.folder) as index:
        assert len(index.search(Wanted())) == 3 + 1
    done = removed(archive, settings)
    assert (done.runs, done.faults) == ((ONE, TWO), ())
    assert not (archive.folder / "runs" / ONE).exists()
    assert ONE not in (archive.folder / "index.html").read_text()
    both(archive)
    assert "2 removed by retention" in build.shell(archive.folder)[1]
    assert "2 removed by retention" in str(verify(archive.folder))
    with opened(archive.folder) as index:
        assert index.added == 0, "it is taken out of the index, which is not made anew"
        assert ONE not in [one.run for one in index.search(Wanted())]
    made = words(archive)
    (archive.folder / FILE).unlink()
    with opened(archive.folder):
        pass
    assert made == words(archive), "no word is left that only a removed run had"
    assert removed(archive, settings) == retention.Removed((), ())
    push.push(archive.folder, settings)
    report = stored.compare(archive.folder, settings)
    assert (stores.told(report), report.runs, report.removed) == ([], 3, 2)
    said = pull.pull(archive.folder, ONE, settings, archive.folder.parent / "back")
    assert said == (ONE, 7)
    build.sealed(archive, 9)
    both(archive)


def test_a_folder_that_went_by_hand_is_an_error_and_one_that_is_still_here_a_warning(
    archive: Archive, settings: Settings, tmp_path: Path
) -> None:
    push.push(archive.folder, settings)
    shutil.copytree(archive.folder / "runs" / ONE, tmp_path / "kept")
    removed(archive, settings)
    shutil.copytree(tmp_path / "kept", archive.folder / "runs" / ONE)
    both(archive)
    assert any("is still here" in str(finding) for finding in verify(archive.folder).findings)
    (archive.folder / "runs" / ONE / "report.html").write_text("changed")
    assert not verify(archive.folder).ok
    removed(archive, settings)
    assert not (archive.folder / "runs" / ONE).exists()
    both(archive)
    shutil.rmtree(next((archive.folder / "runs").glob("*restore*")))
    both(archive, "its folder is gone")


def test_a_copy_that_is_not_whole_or_not_locked_for_long_keeps_the_run_here(
    archive: Archive, settings: Settings
) -> None:
    assert all("none is what the log names" in fault for fault in removed(archive, settings).faults)
    short = settings.model_copy(update={"store_days": 30})
    push.push(archive.folder, short)
    done = removed(archive, settings)
    assert done.runs == ()
    assert all("is locked in the store until" in fault for fault in done.faults)
    assert (archive.folder / "runs" / ONE).is_dir()
    both(archive)


def test_a_copy_of_which_one_byte_differs_keeps_the_run_here(archive: Archive, settings: Settings) -> None:
    prefix, store = push.prefix_of(archive.folder), SealedStore(settings)
    data = (archive.folder / "runs" / ONE / "report.html").read_bytes()
    push.push(archive.folder, settings)
    other = settings.model_copy(update={"store_bucket": f"o-{settings.store_bucket}"})
    there = SealedStore(other)
    there.call("create_bucket", ObjectLockEnabledForBucket=True)
    for one in store.objects(prefix):
        body = store.read(one.key)
        there.put(one.key, data[:-1] + b"?" if one.key.endswith(f"{ONE}/report.html") else body)
    done = removed(archive, other)
    assert done.runs == (TWO,)
    assert done.faults[0].startswith(f"{ONE} stays: s3://")
    there.close()
    store.close()


def test_each_kind_stays_for_its_own_years_and_only_an_environments_own_runs_are_looked_at(
    archive: Archive, settings: Settings
) -> None:
    long = settings.model_copy(update={"keep_diagnostics_years": 2})
    assert due(archive, long) == []
    short = settings.model_copy(update={"keep_changing_years": 1})
    assert len(due(archive, short)) == 3
    assert due(archive, settings.model_copy(update={"environment": "production"})) == []
    kinds = {name: retention.kind_of(name) for name in ("diagnostics/cache", "reviews/trends", "routines/daily")}
    assert set(kinds.values()) == {"diagnostics", "reviews"}
    assert {retention.kind_of(name) for name in ("runbooks/x", "disaster/x", "", "diagnosticsx")} == {"changing"}


def test_the_runs_of_one_work_leave_together_or_not_at_all(tmp_path: Path, settings: Settings) -> None:
    archive = Archive(tmp_path / "archive")
    first = build.sealed(archive, 1)
    stores.aged(archive, 400)
    build.opened_and_closed(archive, build.asked(1) | {"run": f"{first}-resume-1"}, lambda _: None)
    planned = retention.plan(archive.folder, settings, now())
    assert planned.due == ()
    ((run, why),) = planned.staying
    assert (run, "of the same work" in why) == (first, True)


def test_another_plan_than_the_one_that_was_seen_is_refused(archive: Archive, settings: Settings) -> None:
    push.push(archive.folder, settings)
    planned = retention.plan(archive.folder, settings, now())
    holding.hold(archive.folder, [ONE], BY, "a case at court")
    with pytest.raises(Refused, match="changed since"):
        retention.remove(Archive(archive.folder), settings, planned.digest, BY)
    assert retention.plan(archive.folder, settings, now()).digest != planned.digest
    morning = datetime.now(UTC).replace(hour=1)
    days = [retention.plan(archive.folder, settings, morning + timedelta(hours=hours)).digest for hours in (0, 20, 40)]
    assert days[0] == days[1]


def test_a_hold_keeps_a_run_here_is_set_in_the_store_and_is_released(archive: Archive, settings: Settings) -> None:
    push.push(archive.folder, settings)
    assert holding.hold(archive.folder, [ONE, ONE], BY, "a case  at court") == (ONE,)
    assert holding.hold(archive.folder, [ONE], BY, "again") == ()
    assert due(archive, settings) == [TWO]
    assert retention.plan(archive.folder, settings, now()).staying == ((ONE, "under legal hold: a case at court"),)
    warned = stores.told(stored.compare(archive.folder, settings))
    assert sum("has a legal hold not on" in line for line in warned) == 7
    assert holding.mark(archive.folder, settings, [ONE]) == 7
    push.push(archive.folder, settings)
    assert stores.told(stored.compare(archive.folder, settings)) == []
    store = SealedStore(settings)
    (row,) = next(store.objects(f"{push.prefix_of(archive.folder)}runs/{ONE}/")).versions
    assert store.head(row.key).held  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="no legal hold"):
        holding.release(archive.folder, [TWO], BY, "over")
    assert holding.release(archive.folder, [ONE], BY, "over") == (ONE,)
    push.push(archive.folder, settings)
    assert not store.head(row.key).held, "a push tells the store what nobody told it"  # type: ignore[union-attr]
    store.close()
    assert due(archive, settings) == [ONE, TWO]
    both(archive)


def test_a_run_that_is_held_before_it_is_stored_is_held_there_from_the_first(
    archive: Archive, settings: Settings
) -> None:
    holding.hold(archive.folder, [TWO], BY, "a case")
    push.push(archive.folder, settings)
    assert stores.told(stored.compare(archive.folder, settings)) == []


def test_what_cannot_be_held_is_wrong_usage_and_writes_nothing(archive: Archive, settings: Settings) -> None:
    before = archive.log.newest()
    for given, why in (
        ([build.asked(4)["run"]], "x"),
        (["nothing"], "x"),
        ([ONE], ""),
        ([ONE], "ü"),
        ([ONE], "x" * 201),
    ):
        with pytest.raises(UsageError):
            holding.hold(archive.folder, given, BY, why)
    assert archive.log.newest() == before


def test_the_runs_of_an_incident_are_those_that_name_it(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    mine = build.sealed(archive, 1, notebook="reviews/incident-workbench", parameters={"incident": "INC-1"})
    build.sealed(archive, 2, notebook="reviews/incident-workbench", parameters={"incident": "INC-2"})
    build.sealed(archive, 3, parameters={"reason": "INC-1"})
    assert holding.of_incident(archive.folder, "INC-1") == (mine,)
    with pytest.raises(UsageError, match="No sealed run names"):
        holding.of_incident(archive.folder, "INC-3")


FORGED = {
    "was not sealed": (4, holds.removed(300, "diagnostics", BY)),
    "before the retention that it names was over": (2, holds.removed(500, "diagnostics", BY)),
    "is under legal hold": (1, holds.removed(300, "diagnostics", BY)),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_removal_that_the_log_itself_contradicts_is_an_error(archive: Archive, what: str) -> None:
    number, text = FORGED[what]
    run = str(build.asked(number)["run"])
    holding.hold(archive.folder, [ONE], BY, "a case")
    archive.log.append("redact", run, text=text)
    assert any(what in line for line in errors(archive))
    assert (what in build.shell(archive.folder)[1]) == ("before" not in what), "the script compares no times"


@pytest.mark.parametrize(
    "text",
    ["removed by retention", "removed by retention of 0 days as diagnostics by x", "removed by hand", ""],
)
def test_only_the_exact_words_let_a_folder_be_gone(archive: Archive, text: str) -> None:
    archive.log.append("redact", ONE, text=text)
    shutil.rmtree(archive.folder / "runs" / ONE)
    both(archive, "its folder is gone")


@pytest.mark.parametrize("by", ["a:b", "a b", ""])
def test_both_verifiers_read_a_hold_alike(archive: Archive, by: str) -> None:
    archive.log.append("note", ONE, text=f"legal hold by {by}: a case")
    archive.log.append("redact", ONE, text=holds.removed(300, "diagnostics", BY))
    shutil.rmtree(archive.folder / "runs" / ONE)
    both(archive)


def test_a_second_removal_is_an_error(archive: Archive) -> None:
    for _ in range(2):
        archive.log.append("redact", TWO, text=holds.removed(300, "diagnostics", BY))
    both(archive, "a second time")


def test_what_a_removal_left_half_done_is_taken_away_by_the_next(archive: Archive, settings: Settings) -> None:
    push.push(archive.folder, settings)
    archive.log.append("redact", ONE, text=holds.removed(366, "diagnostics", BY))
    left = archive.folder / "running" / f".{TWO}.removed"
    shutil.copytree(archive.folder / "runs" / TWO, left)
    assert removed(archive, settings).runs == (TWO,)
    assert not left.exists()
    assert not (archive.folder / "runs" / ONE).exists()
    both(archive)


def test_nothing_is_removed_where_a_new_entry_cannot_be_read(archive: Archive, settings: Settings) -> None:
    push.push(archive.folder, settings)
    planned = retention.plan(archive.folder, settings, now())
    (archive.folder / "log" / f"{archive.log.newest():06d}.entry").write_text("damage")
    with pytest.raises((ArchiveError, Refused)):
        retention.remove(Archive(archive.folder), settings, planned.digest, BY)
    assert (archive.folder / "runs" / ONE).is_dir()
