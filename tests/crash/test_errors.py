"""A run whose disk or files fail it: nothing is done twice or without its announcement, and a later run goes on.

The limits are the system's own (no room for a file to grow, no file to be opened, a file system that is full);
only EIO, which needs a broken disk, is raised in the call's place.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from opslib.archive.verify import verify
from opslib.runs.gate import RESERVE
from tests.crash.bench import Case, working
from tests.crash.test_kills import MOST, points
from tests.scale import count

KINDS = ("EIO once", "EFBIG once", "EFBIG sticky", "EMFILE once", "EMFILE sticky", "short once", "short sticky")
SCENARIOS = ("retention", "back-up", "restore")[: count(1, 3)]


def intents(case):
    """Return the steps whose intent is on the disk, by any run of the case."""
    found = set()
    for path in case.archive.glob("runs/*/journal.jsonl"):
        lines = path.read_bytes().split(b"\n")[:-1]
        found |= {said["step"] for said in map(json.loads, lines) if said["event"] == "intent"}
    return found


def goes_on(driver, case, fault):
    """Run with the fault, then without it until the work has finished; returns what each process told."""
    told = [driver.run(case, fault)]
    unannounced = bool(told[0].did) and not intents(case)
    while told[-1].ended != "finished" and len(told) <= MOST:
        told.append(driver.run(case, go_on=True))
        if "nothing to resume" in told[-1].reason:
            told.pop()
            break
    else:
        if told[-1].ended != "finished":
            return told, [f"it did not finish: {told[-1].ended} {told[-1].reason}"]
    return told, ["an effect had no intent"] if unannounced else []


@pytest.mark.parametrize("kind", KINDS[:: count(2, 1)])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_run_whose_calls_fail_does_nothing_twice(base, driver, undisturbed, tmp_path, scenario, kind):
    expected, last = undisturbed[scenario]
    wrong = []
    for at in points(scenario + kind, count(1, 18), last):
        with working(Case(base, scenario, tmp_path / str(at))) as case:
            fault = {"kind": kind.removesuffix(" once") if kind.startswith("EIO") else kind, "at": at}
            told, faults = goes_on(driver, case, fault)
            faults += case.faults(told, expected, finished=not faults)
            wrong += [f"{kind} at point {at} ({told[0].ended} {told[0].reason}): {fault}" for fault in faults]
    assert wrong == []


@pytest.fixture
def room(tmp_path):
    """Return a function that mounts a file system of so many bytes and returns its folder."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a small file system takes root")
    mounted = []

    def mount(size):
        folder = tmp_path / f"room-{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
        if done.returncode:
            pytest.skip("no file system may be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


SIZES = [65536 + n * (4 * 2**20 - 65536) // 63 for n in range(64)]


def test_however_little_room_there_is_the_archive_is_whole_and_nothing_is_changed(base, driver, room, tmp_path):
    wrong = []
    for size in SIZES[:: count(16, 1)]:
        folder = room(size)
        with working(Case(base, "retention", folder)) as case:
            before = case.state()
            told = driver.run(case)
            if told.ended == "finished" or told.did or case.state() != before:
                wrong.append(f"{size}: a destructive step was begun ({told.ended})")
            wrong += [f"{size}: {path} is cut off" for path in unreadable(case.archive)]
            if told.opened and not verify(case.archive).ok:
                wrong.append(f"{size}: {verify(case.archive)}")
    assert wrong == []


def test_a_disk_that_fills_up_in_the_middle_leaves_a_run_that_can_go_on(base, driver, room, undisturbed):
    expected, last = undisturbed["retention"]
    wrong = []
    for at in points("full", count(2, 36), last):
        with working(Case(base, "retention", room(RESERVE * 2))) as case:
            told = [driver.run(case, {"kind": "ENOSPC sticky", "at": at})]
            (case.folder / "ballast").unlink(missing_ok=True)
            wrong += [f"{at}: {path} is cut off" for path in unreadable(case.archive)]
            if told[0].did and not intents(case):
                wrong.append(f"{at}: an effect had no intent")
            while told[-1].ended != "finished" and len(told) <= MOST:
                told.append(driver.run(case, go_on=True))
                if "nothing to resume" in told[-1].reason:
                    told.pop()
                    break
            wrong += [f"{at}: {fault}" for fault in case.faults(told, expected)]
    assert wrong == []


def unreadable(archive: Path):
    """Yield the JSON files of the archive that are not whole; a journal may end in a torn line."""
    for path in archive.glob("runs/*/*.json"):
        try:
            json.loads(path.read_bytes())
        except ValueError:
            yield path.name
