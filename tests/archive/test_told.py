"""The record of who was told what: added to and never changed, whole after a crash, one teller at a time."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from opslib.archive.told import Told
from opslib.errors import ArchiveError

NOW = datetime(2026, 11, 30, 5, 0, tzinfo=UTC)
HOLDS = """import sys, time
from pathlib import Path
from opslib.archive.told import Told
with Told(Path(sys.argv[1]), "lab-slack-C0OPS").held(0) as held:
    print(held, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def told(tmp_path):
    return Told(tmp_path, "lab-slack-C0OPS")


def test_lines_are_added_month_by_month_and_read_in_order(told):
    assert told.lines() == []
    assert not told.folder.exists()
    with told.held(0) as held:
        assert held
        told.add(NOW, did="begun", facts=["a"])
        told.add(datetime(2026, 12, 1, tzinfo=UTC), did="told")
        told.add(datetime(2027, 1, 1, tzinfo=UTC), did="begun")
    assert [line["did"] for line in told.lines()] == ["begun", "told", "begun"]
    assert sorted(path.name for path in told.folder.glob("*.jsonl")) == [
        "2026-11.jsonl",
        "2026-12.jsonl",
        "2027-01.jsonl",
    ]


def test_half_a_line_that_a_crash_left_counts_as_none_and_swallows_no_other(told):
    with told.held(0):
        told.add(NOW, did="begun")
        path = told.folder / "2026-11.jsonl"
        whole = path.read_bytes()
        path.write_bytes(whole + b'{"did": "to')
        assert [line["did"] for line in told.lines()] == ["begun"]
        told.add(NOW, did="told")
    assert [line["did"] for line in told.lines()] == ["begun", "told"]
    assert path.read_bytes().startswith(whole)


def test_what_is_no_line_says_nothing(told):
    with told.held(0):
        told.add(NOW, did="told")
    path = told.folder / "2026-11.jsonl"
    path.write_bytes(b"[1]\n" + b"[" * 100_000 + b"\n\xff\n" + path.read_bytes() + b"null\n")
    assert [line["did"] for line in told.lines()] == ["told"]


def test_a_link_in_a_files_place_is_neither_read_nor_written(told, tmp_path):
    other = tmp_path / "other"
    other.write_text(json.dumps({"did": "told"}) + "\n")
    with told.held(0):
        (told.folder / "2026-11.jsonl").symlink_to(other)
        assert told.lines() == []
        with pytest.raises(ArchiveError):
            told.add(NOW, did="told")
    assert other.read_text() == '{"did": "told"}\n'


def test_one_process_at_a_time_tells_and_a_killed_one_holds_nothing(told, tmp_path):
    other = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "True\n"
        with told.held(0) as held:
            assert not held
    finally:
        other.kill()
        other.communicate()
    with told.held(0) as held:
        assert held


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "told").write_text("")
    with pytest.raises(ArchiveError), Told(tmp_path, "x").held(0):
        pass
