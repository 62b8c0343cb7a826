"""The files of due times: created once, by one of many, held as long as their process lives."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from opslib.archive.due_times import Records
from opslib.errors import ArchiveError

DUE = datetime(2026, 11, 30, 1, tzinfo=UTC)
CLAIM = """
import sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from opslib.archive.due_times import Records
records = Records(Path(sys.argv[1]), "hourly")
first = datetime(2026, 11, 30, tzinfo=UTC)
mine = [n for n in range(200) if records.claim(first + timedelta(hours=n), {"word": "run"})]
print(*mine, flush=True)
time.sleep(60)
"""


def test_of_many_processes_one_has_each_claim_and_holds_it_until_it_is_killed(tmp_path):
    command = [sys.executable, "-c", CLAIM, str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        got = [[int(word) for word in process.stdout.readline().split()] for process in processes]
        records = Records(tmp_path, "hourly")
        assert sorted(number for mine in got for number in mine) == list(range(200))
        hours = [datetime(2026, 11, 30, tzinfo=UTC) + timedelta(hours=n) for n in range(200)]
        assert all(records.held(hour) for hour in hours)
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait()
        assert [n for n in range(200) if not records.held(hours[n])] == got[0]
        assert records.claim(hours[(got[0] or [0])[0]], {"word": "run"}) is None
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()


def test_a_claim_says_from_its_first_moment_what_it_is_for_and_leaves_nothing_beside(tmp_path):
    records = Records(tmp_path, "hourly")
    handle = records.claim(DUE, {"word": "run", "run": "a"})
    assert records.said(DUE)[0] == {"schedule": "hourly", "due": "2026-11-30T01:00:00Z", "word": "run", "run": "a"}
    assert records.claim(DUE, {"word": "run", "run": "b"}) is None
    records.end(DUE, {"word": "ran"})
    os.close(handle)
    assert records.said(DUE)[1]["word"] == "ran"
    assert sorted(path.name for path in records.folder.iterdir()) == ["20261130T010000Z.claim", "20261130T010000Z.end"]
    assert records.claimed() == (DUE,)


@pytest.mark.parametrize("left", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_a_file_that_cannot_be_read_still_keeps_its_due_time_from_running_again(tmp_path, left):
    records = Records(tmp_path, "hourly")
    os.close(records.claim(DUE, {"word": "run"}))
    (records.folder / "20261130T010000Z.claim").write_bytes(left)
    assert records.said(DUE) == ({}, {})
    assert records.claimed() == (DUE,)
    assert records.claim(DUE, {"word": "run"}) is None


def test_other_files_in_the_folder_are_no_due_times(tmp_path):
    records = Records(tmp_path, "hourly")
    records.folder.mkdir(parents=True)
    for name in ("20261130T010000Z.claim.bak", ".20261130T010000Z.claim.1.2", "x.claim", "20261130T010000Z"):
        (records.folder / name).write_text(json.dumps({}))
    assert (records.claimed(), records.force()) == ((), ())


def test_an_expression_that_is_in_force_already_is_written_once(tmp_path):
    records = Records(tmp_path, "hourly")
    assert records.put_in_force(DUE, "", "") is False
    assert records.put_in_force(DUE, "0 * * * *", "UTC") is True
    assert records.put_in_force(DUE + timedelta(hours=1), "0 * * * *", "UTC") is False
    assert records.put_in_force(DUE + timedelta(hours=1), "0 * * * *", "Europe/Berlin") is True
    assert records.put_in_force(DUE + timedelta(hours=2), "", "") is True
    assert records.put_in_force(DUE + timedelta(hours=3), "", "") is False
    assert [(one.since.hour, one.cron, one.zone) for one in records.force()] == [
        (1, "0 * * * *", "UTC"),
        (2, "0 * * * *", "Europe/Berlin"),
        (3, "", ""),
    ]


def test_where_nothing_can_be_written_nothing_is_claimed(tmp_path):
    (tmp_path / "schedules").write_text("no folder")
    with pytest.raises(ArchiveError, match="could not be written"):
        Records(tmp_path, "hourly").claim(DUE, {"word": "run"})
    with pytest.raises(ArchiveError):
        Records(tmp_path, "hourly").put_in_force(DUE, "0 * * * *", "UTC")
