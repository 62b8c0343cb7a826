"""A verification that was broken off is gone on with, and nothing that lies in the archive can make a run pass."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from opslib.archive import verify_progress
from opslib.archive.audit import audit
from opslib.archive.verify import verify
from opslib.archive.verify_progress import Progress
from opslib.archive.verify_report import VerifyReport
from opslib.cli import main
from opslib.errors import ArchiveError
from opslib.model import now

from .conftest import Sample
from .tampering import Whole


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of this user; the key stays where it was."""
    from opslib.archive import keys

    monkeypatch.setenv("OPS_ARCHIVE_KEY", str(keys.path()))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "opslib" / "verified"


def broken_off(folder: Path) -> VerifyReport:
    """Verify in a process that is killed with everything read and nothing ended; returns what a whole look says."""
    process = os.fork()
    if not process:
        verify(folder, progress=Progress(folder, every=1))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)
    return verify(folder)


def resumed(folder: Path) -> VerifyReport:
    return audit(folder, moment=now(), resume=True)


def test_what_was_read_is_not_read_again_and_the_report_is_the_same(sample: Sample, state: Path) -> None:
    before = broken_off(sample.folder)
    (path,) = state.iterdir()
    assert len(path.read_text().splitlines()) == 1 + len(before.sealed)
    seen = resumed(sample.folder)
    assert (seen.findings, seen.files, seen.sealed, seen.head) == (
        before.findings,
        before.files,
        before.sealed,
        before.head,
    )
    assert f"CONTINUED: {len(before.sealed)} runs were read by a part that began" in str(seen)
    assert list(state.iterdir()) == [], "what came to its end is not gone on with"
    assert resumed(sample.folder).continued == ""


def test_one_that_is_not_asked_to_go_on_begins_anew(sample: Sample, state: Path) -> None:
    broken_off(sample.folder)
    assert audit(sample.folder, moment=now()).continued == ""
    assert list(state.iterdir()) == []


def same_size(path: Path) -> None:
    """Change a file's content, and give it back the size and the time that it had."""
    about = path.stat()
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def exchanged(path: Path) -> None:
    """Put another file in its place, with its size and time."""
    about, other = path.stat(), path.with_name("other")
    other.write_bytes(path.read_bytes()[:-2] + b"x\n")
    os.utime(other, ns=(about.st_atime_ns, about.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize(
    "change", [same_size, exchanged, Path.unlink, lambda path: path.with_name("more").write_text("x")]
)
def test_what_was_changed_since_is_read_again(sample: Sample, change) -> None:  # type: ignore[no-untyped-def]
    before = broken_off(sample.folder)
    time.sleep(0.02)  # a file system's clock ticks in steps of some milliseconds
    change(sample.folder / "runs" / sample.first / "report.html")
    seen = resumed(sample.folder)
    assert not seen.ok
    assert f"CONTINUED: {len(before.sealed) - 1} runs" in seen.continued


def test_a_log_that_was_changed_since_is_an_error(sample: Sample) -> None:
    broken_off(sample.folder)
    (sample.folder / "log" / "000003.entry").write_text("changed")
    assert not resumed(sample.folder).ok


def test_a_run_that_did_not_hold_and_one_that_applied_a_plan_are_read_each_time(copy: Whole, state: Path) -> None:
    bad = copy.run()
    (bad / "report.html").write_text("changed")
    broken_off(copy.folder)
    (path,) = state.iterdir()
    held = [line.split(" ")[0] for line in path.read_text().splitlines()[1:]]
    assert not {bad.name, copy.applied} & set(held)
    assert copy.last in held


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("verification 1", "verification 2"),
        ("opslib", "other"),
        (" 20", " 19"),
        (" 2026", " 2926"),
        ("\n20", "\nx 20"),
        ("+00:00", ""),
    ],
)
def test_a_record_of_something_else_or_of_another_day_is_not_gone_on_with(
    sample: Sample, state: Path, old: str, new: str
) -> None:
    broken_off(sample.folder)
    (path,) = state.iterdir()
    path.write_text(path.read_text().replace(old, new, 1))
    seen = resumed(sample.folder)
    assert (seen.ok, seen.continued) == (True, "")


def test_a_record_that_was_torn_counts_as_far_as_it_is_whole(sample: Sample, state: Path) -> None:
    before = broken_off(sample.folder)
    (path,) = state.iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    assert f"CONTINUED: {len(before.sealed) - 1} runs" in resumed(sample.folder).continued
    path.write_bytes(b"")
    assert resumed(sample.folder).continued == ""


def test_a_place_that_others_can_write_to_is_refused(
    sample: Sample, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_off(sample.folder)
    state.chmod(0o770)
    with pytest.raises(ArchiveError, match="Others can write"):
        resumed(sample.folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(sample.folder / "running"))
    with pytest.raises(ArchiveError, match="lies in the archive"):
        resumed(sample.folder)


def test_another_archive_in_the_same_place_is_read_whole(sample: Sample, state: Path) -> None:
    broken_off(sample.folder)
    (path,) = state.iterdir()
    first = sample.folder / "log" / "000001.entry"
    first.write_bytes(first.read_bytes().replace(b"# seq 1", b"# seq 2"))
    assert resumed(sample.folder).continued == ""
    assert not path.exists()


def test_a_folder_that_cannot_be_looked_at_is_never_left_out(sample: Sample) -> None:
    assert verify_progress._as_it_is(sample.folder / "nowhere", *(2 * [_entry()])) == ""


def _entry():  # type: ignore[no-untyped-def]
    from opslib.archive.log import Entry

    return Entry(1, "close", "20261101T000000Z-a", "")


def test_the_command_goes_on(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_ARCHIVE", str(sample.folder))
    broken_off(sample.folder)
    said = CliRunner().invoke(main, ["archive", "verify", "--resume"])
    assert said.exit_code == 0, said.output
    assert "CONTINUED: " in said.stdout
    assert "CONTINUED: " not in CliRunner().invoke(main, ["archive", "verify", "--resume"]).stdout
