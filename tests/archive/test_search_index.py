"""The index here: what it lacks is read first, a lost or foreign one is made anew. What it finds: test_search.py."""

from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from opslib.archive import search_index
from opslib.archive.log import Log
from opslib.archive.search_index import FILE, opened
from opslib.archive.search_wanted import Wanted
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import ArchiveError
from opslib.redaction import Redactor
from opslib.runs.journal import Journal

from . import build

DISK = "database-disk"


def judged(check: str, verdict: str, value: float | None, summary: str) -> dict[str, Any]:
    threshold = {"unit": "percent", "warning": 80, "critical": 90}
    said = {"check": check, "title": "The disk has room", "verdict": verdict, "value": value, "summary": summary}
    return {"event": "result", "cell": "disk", "result": {**said, "threshold": threshold, "rows": []}}


def ran(archive: Archive, number: int, *lines: dict[str, Any], verdict: str = "OK", **said: Any) -> str:
    """Archive one run whose journal has these lines."""
    run = build.asked(number, **said)
    folder = archive.open(run)
    journal = Journal(folder / "journal.jsonl", Redactor())
    journal.append("opened", run=folder.name)
    for line in lines:
        journal.append(line["event"], **{name: value for name, value in line.items() if name != "event"})
    journal.append("closed", state="finished", verdict=verdict)
    journal.close()
    build.fill_result(folder, verdict)
    archive.close(run["run"], Redactor())
    return str(run["run"])


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


@pytest.fixture
def kept(archive):
    """Three runs on two environments."""
    planned = {"event": "planned", "cell": "drop", "step": "drop-index", "plan": {"title": "Drop the broken index"}}
    return [
        ran(archive, 1, judged(DISK, "OK", 41.5, "41.5 % is used.")),
        ran(archive, 2, judged(DISK, "CRITICAL", 93.0, "93 % is used by wal."), verdict="CRITICAL"),
        ran(
            archive, 3, planned, notebook="runbooks/maintain-database", environment="staging", parameters={"why": "Öl"}
        ),
    ]


def test_only_what_is_new_is_read(archive, kept):
    with opened(archive.folder) as index:
        assert index.added == 3
    late = ran(archive, 9, judged(DISK, "OK", 12.0, "12 % is used."))
    archive.append("heartbeat", "all is well")
    with opened(archive.folder) as index:
        assert index.added == 1
        assert index.search(Wanted(words=("used",)))[0].run == late
    with opened(archive.folder) as index:
        assert index.added == 0


@pytest.mark.parametrize("damage", ["gone", "another version", "another log", "a redaction"])
def test_an_index_that_cannot_be_gone_on_with_is_made_anew(archive, kept, damage, monkeypatch):
    with opened(archive.folder):
        pass
    if damage == "gone":
        (archive.folder / FILE).unlink()
    elif damage == "another version":
        monkeypatch.setattr(search_index, "VERSION", search_index.VERSION + 1)
    elif damage == "another log":
        with sqlite3.connect(archive.folder / FILE) as base:
            base.execute("UPDATE state SET sum = 'that of another archive'")
    else:
        Log(archive.folder).append("redact", kept[0])
    with opened(archive.folder) as index:
        assert index.added == 3
        assert len(index.search(Wanted(words=("used",)))) == 2


def test_a_file_that_is_no_index_is_named_with_what_to_do(archive, kept):
    (archive.folder / FILE).write_bytes(b"this is no database, but long enough to be looked at as if it were one" * 20)
    with pytest.raises(ArchiveError, match="not a database") as said, opened(archive.folder):
        pass
    assert f"{FILE} may be removed" in said.value.next_step


def test_where_no_archive_is_nothing_is_made(tmp_path):
    with pytest.raises(ArchiveError, match="no archive"), opened(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_is_open_quarantined_or_damaged_says_nothing_of_its_content(sample):
    with opened(sample.folder) as index:
        states = {one.run: one.state for one in index.search(Wanted())}
        assert states[sample.quarantined] == "quarantined"
        assert states[sample.interrupted] == "interrupted"
        assert index.search(Wanted(words=("password*",))) == []
    assert build.SECRET.reveal().encode() not in (sample.folder / FILE).read_bytes()


def test_the_archive_verifies_as_before_and_only_its_owner_reads_the_index(archive, kept):
    with opened(archive.folder):
        pass
    assert verify(archive.folder).ok
    assert (archive.folder / FILE).stat().st_mode & 0o777 == 0o600


def _opened(folder: Path) -> int:
    with opened(folder) as index:
        return len(index.search(Wanted()))


def test_many_processes_that_find_it_stale_at_once_read_each_run_once(archive, kept):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert pool.map(_opened, [archive.folder] * 8) == [3] * 8


def test_the_index_belongs_to_an_archive_and_verification_says_nothing_of_it(archive, kept):
    with opened(archive.folder):
        pass
    assert [finding for finding in verify(archive.folder).findings if FILE in finding.where] == []
