"""Runs are found by what stands in them; what the index lacks is read first, a lost or foreign one is made anew."""

from __future__ import annotations

import json
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


@pytest.fixture
def find(archive):
    def find(*words, **said):
        with opened(archive.folder) as index:
            return [one.run for one in index.search(Wanted(words=words, **said))]

    return find


def test_words_are_found_newest_first_whole_in_any_case_and_by_their_beginning(find, kept):
    one, two, three = kept
    assert find("DISK") == [two, one]
    assert find("used", "wal") == [two]
    assert find("dis") == []
    assert find("dis*") == [two, one]
    assert find("broken") == [three]
    assert find("öl") == [three]
    assert find("ada") == [three, two, one]
    assert find() == [three, two, one]
    assert find("41.5") == [one]


@pytest.mark.parametrize("word", ['"', "wal OR broken", "text:wal", "NEAR(", "facts : f*", "'; DROP TABLE runs", "*"])
def test_a_word_is_never_a_query(find, kept, word):
    assert find(word) == []
    assert len(find("used")) == 2


def test_facts_are_filtered_by_whole_and_together(find, kept):
    one, two, three = kept
    assert find(notebook="diagnostics/database") == [two, one]
    assert find(notebook="diagnostics") == []
    assert find("used", verdict="CRITICAL") == [two]
    assert find(environment="staging") == [three]
    assert find(name="drop-index") == [three]
    assert find(name="drop") == []
    assert find(name=DISK, verdict="OK", environment="lab") == [one]
    # What stands in a text is no fact.
    assert find(verdict="used") == []


def test_time_is_counted_from_the_first_moment_on_and_up_to_the_last(find, kept):
    one, two, three = kept
    assert find(since="2026-11-01T00:02:00Z") == [three, two]
    assert find(until="2026-11-01T00:02:00Z") == [one]
    assert find("used", since="2026-11-01T00:02:00Z", until="2026-11-01T00:03:00Z") == [two]
    assert find(since="2026-11-02") == []
    assert find("used", until="2026-10-01") == []


def test_a_long_run_that_ended_among_later_ones_is_of_the_time_at_which_it_began(archive, find):
    long = archive.open(build.asked(1))
    build.fill(long)
    short = [ran(archive, number) for number in (5, 6)]
    archive.close(long.name, Redactor())
    assert find(since="2026-11-01T00:02:00Z") == short[::-1]
    assert find(until="2026-11-01T00:06:00Z") == [long.name, short[0]]


def test_a_hit_shows_the_lines_in_which_it_stands(archive, kept):
    with opened(archive.folder) as index:
        (found,) = index.search(Wanted(words=("wal",)))
        (named,) = index.search(Wanted(name="drop-index"))
    assert [(line.kind, line.name, line.verdict, line.value) for line in found.lines] == [
        ("check", DISK, "CRITICAL", 93.0)
    ]
    assert (found.who, found.state, found.verdict) == ("ada@ops-1", "finished", "CRITICAL")
    assert [(line.kind, line.text) for line in named.lines] == [("step", "Drop the broken index")]


def test_a_checks_history_is_its_values_oldest_first_in_one_environment(archive, kept):
    ran(archive, 4, judged(DISK, "UNKNOWN", None, "Could not look."), environment="staging")
    with opened(archive.folder) as index:
        assert [(one.run, one.verdict, one.value, one.unit) for one in index.history(DISK, "lab")] == [
            (kept[0], "OK", 41.5, "percent"),
            (kept[1], "CRITICAL", 93.0, "percent"),
        ]
        assert [one.run for one in index.history(DISK, "lab", most=1)] == [kept[1]]
        assert [one.value for one in index.history(DISK, "staging")] == [None]
        assert index.checks("lab") == [DISK]


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


def test_a_long_text_is_cut_and_what_is_no_number_is_none(archive):
    run = ran(archive, 1, judged(DISK, "OK", None, "x" * 5000), judged("odd", "OK", True, "a truth is no number"))  # type: ignore[arg-type]
    folder = archive.folder / "runs" / run
    assert len(json.loads((folder / "journal.jsonl").read_text().splitlines()[1])["result"]["summary"]) == 5000
    with opened(archive.folder) as index:
        lines = {line.name: line for line in index.search(Wanted(words=("disk", "truth")))[0].lines}
    assert len(lines[DISK].text) == 2000
    assert lines["odd"].value is None


def test_the_index_belongs_to_an_archive_and_verification_says_nothing_of_it(archive, kept):
    with opened(archive.folder):
        pass
    assert [finding for finding in verify(archive.folder).findings if FILE in finding.where] == []
