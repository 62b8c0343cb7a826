"""Verifying the log and what lies in an archive: each harm told in its own words and nothing else told."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from opslib import sshsig
from opslib.archive import keys, log, seal
from opslib.archive.log import Entry
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.archive.verify_report import NOT_ANCHORED
from opslib.archive.verify_runs import AHEAD

from . import build
from .tampering import edit

FIRST, SECOND = (str(build.asked(number)["run"]) for number in (1, 2))
STRANGE = str(build.asked(77)["run"])
ZEROS = "0" * 64


class Small:
    """An archive of five entries: this host's key, and two runs opened and closed."""

    def __init__(self, folder: Path, key: Path) -> None:
        self.folder, self.key = folder, key

    def path(self, seq: int) -> Path:
        return self.folder / log.name_of(seq)

    def signature(self, seq: int) -> Path:
        return self.folder / log.signature_of(seq)

    def entry(self, seq: int) -> Entry:
        return log.parse(self.path(seq).read_bytes())

    def write(self, seq: int, entry: Entry) -> None:
        """Put a signed entry there, whatever it says."""
        self.path(seq).write_bytes(entry.encode())
        self.signature(seq).write_bytes(sshsig.sign(entry.encode(), keys.NAMESPACE, self.key))

    def remade(self, seq: int, **said: object) -> None:
        """Write an entry anew with other parts, and chain those after it to it."""
        self.write(seq, Entry(**{**self.entry(seq).__dict__, **said}))
        while self.path(seq + 1).exists():
            seq += 1
            entry = self.entry(seq)
            sums = ((seal.sha256(self.path(seq - 1)), log.name_of(seq - 1)), *entry.sums[1:])
            self.write(seq, Entry(**{**entry.__dict__, "sums": sums}))

    def add(self, event: str, run: str, file: str = "", state: str = "", sha256: str = "") -> None:
        """Append an entry that fits the log."""
        seq = max(log.Log(self.folder).numbers()) + 1
        before = (seal.sha256(self.path(seq - 1)), log.name_of(seq - 1))
        named = ((sha256 or seal.sha256(self.folder / file), file),) if file else ()
        self.write(seq, Entry(seq, event, run, self.entry(seq - 1).time, state, "", (before, *named)))

    def cut(self, *seqs: int) -> None:
        """Remove entries with their signatures."""
        for seq in seqs:
            self.path(seq).unlink()
            self.signature(seq).unlink()

    def run(self, name: str = FIRST) -> Path:
        return self.folder / "runs" / name

    def aside(self, name: str) -> Path:
        """Move a run to quarantine."""
        return self.run(name).rename(self.folder / "quarantine" / name)

    @property
    def head(self) -> str:
        seq = max(log.Log(self.folder).numbers())
        return f"{seq}:{seal.sha256(self.path(seq))}"

    def found(self) -> list[str]:
        """What is found wrong, with short names for the runs."""
        told = [str(one) for one in verify(self.folder).findings]
        return [one.replace(FIRST, "A").replace(SECOND, "B").replace(STRANGE, "X") for one in told]


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Small:
    place = tmp_path_factory.mktemp("small")
    keys.create(place / "key")
    archive = Archive(place / "archive", place / "key")
    for number in (1, 2):
        build.sealed(archive, number)
    return Small(archive.folder, place / "key")


@pytest.fixture
def small(pattern: Small, tmp_path: Path) -> Small:
    shutil.copytree(pattern.folder, tmp_path / "archive")
    return Small(tmp_path / "archive", pattern.key)


def test_nothing_is_told_of_an_archive_as_it_was_and_what_was_read_is_counted(small: Small) -> None:
    report = verify(small.folder)
    assert report.findings == ()
    assert (report.entries, report.files, report.head) == (5, 14, small.head)
    assert (report.sealed, report.open, report.quarantined) == ((FIRST, SECOND), (), ())
    assert report.statement.startswith("SIGNED by key ")
    assert report.statement.endswith(f" {NOT_ANCHORED}")


def test_an_archive_that_is_not_there_is_told_and_nothing_of_it_is_counted(tmp_path: Path) -> None:
    report = verify(tmp_path / "no\x1bwhere")
    assert [str(one).replace(str(tmp_path), "") for one in report.findings] == [
        "error: /no?where: could not be verified further (FileNotFoundError)",
        "error: log: is missing or no folder",
        "error: quarantine: is missing or no folder",
        "error: runs: is missing or no folder",
    ]
    assert (report.entries, report.files, report.head) == (0, 0, "")
    assert report.statement.endswith(NOT_ANCHORED)


def test_an_archive_without_entries_is_told_and_needs_no_list_of_keys(small: Small) -> None:
    small.cut(1, 2, 3, 4, 5)
    (small.folder / keys.SIGNERS).unlink()
    assert small.found() == [
        "error: log: holds no entry, so there is nothing to hold the runs against",
        "error: runs/A: is not in the log",
        "error: runs/B: is not in the log",
    ]


@pytest.mark.parametrize(
    ("seqs", "said"),
    [
        ((1,), "log/000001.entry: is missing (1 missing in all)"),
        ((4,), "log/000004.entry: is missing (1 missing in all)"),
        ((2, 3), "log/000002.entry: is missing (2 missing in all)"),
        ((2, 4), "log/000002.entry: is missing (2 missing in all)"),
    ],
)
def test_entries_that_are_missing_are_told_with_the_first_and_their_number(
    small: Small, seqs: tuple[int, ...], said: str
) -> None:
    small.cut(*seqs)
    assert [one for one in small.found() if "missing in all" in one] == [f"error: {said}"]


def test_a_missing_entry_leaves_the_next_without_the_predecessor_that_it_names(small: Small) -> None:
    small.add("note", "-")
    small.add("note", "-")
    small.cut(6)
    assert small.found() == [
        "error: log/000006.entry: is missing (1 missing in all)",
        "error: log/000007.entry: names another predecessor than log/000006.entry",
    ]


def test_an_entry_that_names_another_predecessor_is_told_with_the_one_it_has(small: Small) -> None:
    first = small.entry(1)
    small.write(1, Entry(**{**first.__dict__, "time": "2026-11-01T00:00:00.000000Z"}))
    assert small.found() == ["error: log/000002.entry: names another predecessor than log/000001.entry"]


def test_an_entry_under_another_number_is_told_by_what_it_says(small: Small) -> None:
    small.add("note", "-")
    shutil.copy(small.path(6), small.path(7))
    shutil.copy(small.signature(6), small.signature(7))
    assert small.found() == ["error: log/000007.entry: says that it is entry 6"]


def test_what_is_no_entry_is_told_with_the_reason_and_does_not_count(small: Small) -> None:
    small.add("note", "-")
    small.path(6).write_text("rubbish")
    report = verify(small.folder)
    assert [str(one) for one in report.findings] == [
        "error: log/000006.entry: does not have the form of an entry",
        "error: log/000006.entry.sig: is of other content",
    ]
    assert (report.entries, report.head) == (5, f"5:{seal.sha256(small.path(5))}")


@pytest.mark.parametrize("what", ["a folder", "too large"])
def test_an_entry_that_cannot_be_read_is_told(small: Small, what: str) -> None:
    small.add("note", "-")
    small.path(6).unlink()
    if what == "a folder":
        small.path(6).mkdir()
    else:
        small.path(6).write_text("x" * (log.LARGEST + 1))
    assert small.found() == ["error: log/000006.entry: is no plain, readable file of an entry's size"]


def test_names_that_no_entry_has_are_told(small: Small) -> None:
    for name in ("000000.entry", "000000.entry.sig", "000004.entry~", "x\x1b"):
        (small.folder / "log" / name).write_text("")
    assert small.found() == [
        "error: log/000000.entry: is no entry's name",
        "error: log/000000.entry.sig: is no entry's name",
        "error: log/000004.entry~: is no entry's name",
        "error: log/x?: is no entry's name",
    ]


def test_a_signature_without_entry_is_told(small: Small) -> None:
    shutil.copy(small.signature(5), small.signature(7))
    assert small.found() == ["error: log/000007.entry.sig: has no entry"]


def test_entries_of_one_moment_are_fine_and_one_dated_before_another_is_a_warning(small: Small) -> None:
    small.add("note", "-")
    assert small.found() == []
    small.remade(3, time="2039-01-01T00:00:00.000000Z")
    times = [f"is dated {small.entry(seq).time}, before its predecessor: a clock went backwards" for seq in (4, 5, 6)]
    assert small.found() == [f"warning: log/00000{seq}.entry: {said}" for seq, said in enumerate(times, 4)]


def test_a_run_that_is_opened_a_second_time_stays_what_it_was(small: Small) -> None:
    small.add("open", FIRST, f"runs/{FIRST}/run.json", sha256=ZEROS)
    assert small.found() == ["error: log/000006.entry: opens A a second time"]


def test_a_run_that_ends_a_second_time_or_was_never_opened_is_told(small: Small) -> None:
    small.add("close", FIRST, f"runs/{FIRST}/{seal.MANIFEST}", sha256=ZEROS)
    small.add("note", FIRST, state="quarantined")
    small.add("close", STRANGE, f"runs/{STRANGE}/{seal.MANIFEST}", sha256=ZEROS)
    assert small.found() == [
        "error: log/000006.entry: ends A a second time",
        "error: log/000007.entry: ends A a second time",
        "error: log/000008.entry: ends X, which was never opened",
    ]


def quarantined(small: Small) -> None:
    """Make the second run one that the log says is in quarantine, and put it there."""
    small.remade(5, event="note", state="quarantined", sums=small.entry(5).sums[:1])
    small.aside(SECOND)


QUARANTINED = "warning: quarantine/B: in quarantine, not sealed: a known secret stands in its files"


def test_a_run_in_quarantine_is_told_and_is_neither_sealed_nor_open(small: Small) -> None:
    quarantined(small)
    assert small.found() == [QUARANTINED]
    report = verify(small.folder)
    assert (report.sealed, report.open, report.quarantined) == ((FIRST,), (), (SECOND,))
    shutil.rmtree(small.folder / "quarantine" / SECOND)
    gone = "warning: quarantine/B: was in quarantine, and its folder was removed"
    assert small.found() == [gone]
    small.add("note", SECOND, state="quarantined")
    assert small.found() == ["error: log/000006.entry: ends B a second time", gone]


def test_a_run_in_quarantine_that_lies_with_the_others_too_is_told(small: Small) -> None:
    quarantined(small)
    shutil.copytree(small.folder / "quarantine" / SECOND, small.run(SECOND))
    assert small.found() == ["error: runs/B: is there although the run is in quarantine", QUARANTINED]


def test_an_open_run_in_quarantine_is_one_that_the_log_does_not_have_there_yet(small: Small) -> None:
    small.cut(5)
    small.aside(SECOND)
    assert small.found() == ["warning: quarantine/B: in quarantine, and the log does not say so yet"]
    report = verify(small.folder)
    assert (report.sealed, report.open, report.quarantined) == ((FIRST,), (SECOND,), ())


def test_an_open_run_is_told_and_is_not_sealed(small: Small) -> None:
    small.cut(5)
    (small.run(SECOND) / seal.MANIFEST).unlink()
    assert small.found() == ["warning: runs/B: is open: still running, or cut off and closed by the next start"]
    report = verify(small.folder)
    assert (report.sealed, report.open, report.files) == ((FIRST,), (SECOND,), 13)


def test_a_sealed_run_that_is_in_quarantine_or_gone_is_told(small: Small) -> None:
    small.aside(FIRST)
    shutil.rmtree(small.run(SECOND))
    assert small.found() == [
        "error: quarantine/A: is there although the run was sealed",
        "error: runs/A: is in the log and its folder is gone",
        "error: runs/B: is in the log and its folder is gone",
    ]
    assert verify(small.folder).sealed == ()


def test_a_changed_run_is_not_sealed_and_one_without_journal_is(small: Small) -> None:
    edit(small.run() / "result.json", "OK", "KO")
    journal = small.run(SECOND) / "journal.jsonl"
    manifest = small.run(SECOND) / seal.MANIFEST
    edit(manifest, f"{seal.sha256(journal)}  journal.jsonl\n", "")
    journal.unlink()
    small.remade(5, sums=(small.entry(5).sums[0], (seal.sha256(manifest), f"runs/{SECOND}/{seal.MANIFEST}")))
    assert small.found() == [
        "error: runs/A/result.json: is not what the manifest names",
        "warning: runs/B/journal.jsonl: is missing: the run kept no journal",
    ]
    assert verify(small.folder).sealed == (SECOND,)


def test_of_more_runs_than_are_read_ahead_each_is_judged_in_the_logs_order(small: Small) -> None:
    archive, count = Archive(small.folder, small.key), AHEAD + 4
    for number in range(3, count + 1):
        build.sealed(archive, number)
    runs = [str(build.asked(number)["run"]) for number in range(1, count + 1)]
    edit(small.run(runs[1]) / "result.json", "OK", "KO")
    edit(small.run(runs[-1]) / "result.json", "OK", "KO")
    report = verify(small.folder)
    assert report.sealed == (runs[0], *runs[2:-1])
    assert [one.where for one in report.findings] == [f"runs/{runs[at]}/result.json" for at in (1, -1)]
    assert report.files == 7 * count


def test_of_a_plan_that_two_runs_apply_the_second_is_told(small: Small) -> None:
    for number, run in enumerate((build.asked(3), build.asked(4))):
        name = f"{run['run']}-apply"
        small.run(name).mkdir()
        (small.run(name) / "run.json").write_text(f'{{"applies":"{ZEROS}"}}')
        small.add("open", name, f"runs/{name}/run.json")
        told = [one for one in small.found() if one.startswith("error")]
        assert [one.endswith("-apply applied") for one in told] == [True] * number


def test_what_the_log_does_not_name_is_told(small: Small) -> None:
    small.run(STRANGE).mkdir()
    (small.folder / "quarantine" / "a\x1b").write_text("")
    assert small.found() == ["error: quarantine/a?: is not in the log", "error: runs/X: is not in the log"]


@pytest.mark.parametrize("name", ["runs", "quarantine", "log"])
def test_a_folder_of_an_archive_that_is_gone_or_a_link_is_told(small: Small, name: str) -> None:
    away = (small.folder / name).rename(small.folder.parent / "away")
    said = f"error: {name}: is missing or no folder"
    assert said in small.found()
    assert not [one for one in small.found() if "could not be verified" in one]
    (small.folder / name).symlink_to(away)
    assert said in small.found()


def test_what_belongs_to_no_archive_is_a_warning_and_what_a_disk_brings_is_not(small: Small) -> None:
    for name in (".DS_Store", "index.html", "index-2026.html", "lost+found", "timestamps", "approvals"):
        (small.folder / name).write_text("")
    assert small.found() == []
    (small.folder / "a\x1b.txt").write_text("")
    assert small.found() == ["warning: a?.txt: does not belong to an archive; nothing covers it"]


def test_a_script_that_is_gone_or_another_is_a_warning(small: Small) -> None:
    said = "warning: verify.sh: is not the script of this version; the next run that starts brings it"
    (small.folder / "verify.sh").write_text("exit 0\n")
    assert small.found() == [said]
    (small.folder / "verify.sh").unlink()
    assert small.found() == [said]


def test_the_list_of_keys_is_the_logs_and_a_plain_file_of_no_great_size(small: Small) -> None:
    listed = small.folder / keys.SIGNERS
    text = listed.read_text()
    other, unreadable = (
        [f"error: {keys.SIGNERS}: is not the list of keys that the log gives"],
        [f"error: {keys.SIGNERS}: is no plain, readable file"],
    )
    listed.write_text(text.ljust(1_000_000))
    assert small.found() == other
    listed.write_text(text.ljust(1_000_001))
    assert small.found() == unreadable
    listed.unlink()
    assert small.found() == other
    listed.mkdir()
    assert small.found() == unreadable


def test_a_signers_file_from_elsewhere_counts(small: Small, tmp_path: Path) -> None:
    shutil.copy(small.folder / keys.SIGNERS, signers := tmp_path / "signers")
    report = verify(small.folder, signers=signers)
    assert report.ok
    assert "named by the signers file given." in report.statement
    keys.create(tmp_path / "own")
    signers.write_text(f"host@vm {sshsig.Signer(tmp_path / 'own').public}\n")
    assert "which the signers file does not name" in str(verify(small.folder, signers=signers))


def test_a_noted_head_must_be_one_and_be_held(small: Small) -> None:
    report = verify(small.folder, small.head)
    assert report.findings == ()
    assert report.statement.endswith(" ANCHORED up to entry 5 of 5.")
    for noted, said in [
        ("5", "the noted head does not have the form seq:sha256"),
        (f"5:{ZEROS}", "entry 5 is not the one that was noted: the archive was cut or rewritten"),
        (f"6:{ZEROS}", "entry 6 is not the one that was noted: the archive was cut or rewritten"),
    ]:
        report = verify(small.folder, noted)
        assert [str(one) for one in report.findings] == [f"error: head: {said}"]
        assert report.statement.endswith(NOT_ANCHORED)


def test_every_published_head_must_be_held_and_the_newest_that_is_counts(small: Small) -> None:
    sums = {seq: seal.sha256(small.path(seq)) for seq in range(1, 6)}
    report = verify(small.folder, anchored=[(4, sums[4], "on Monday"), (2, sums[2], "before")])
    assert report.findings == ()
    assert " ANCHORED up to entry 4 of 5; " in report.statement
    report = verify(small.folder, f"2:{sums[2]}", anchored=[(3, sums[3], "before"), (4, ZEROS, "on Monday")])
    assert [str(one) for one in report.findings] == [
        "error: head: entry 4 is not the one that was published (on Monday): the archive was cut or rewritten"
    ]
    assert " ANCHORED up to entry 3 of 5; " in report.statement


def test_a_run_deeper_than_can_be_followed_is_a_finding_and_hides_no_other(small: Small) -> None:
    deep = small.run() / "evidence"
    handle = os.open(deep, os.O_RDONLY)
    for _ in range(1_100):
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)
    try:
        report = verify(small.folder)
    finally:
        subprocess.run(["rm", "-rf", deep], check=True)
    assert [str(one) for one in report.findings] == [f"error: runs/{FIRST}: could not be verified (RecursionError)"]
    assert (report.sealed, report.files) == ((SECOND,), 7)


def test_an_archive_that_is_written_to_is_verified_when_the_writer_is_done(small: Small) -> None:
    small.add("note", "-")
    away = small.path(6).rename(small.folder / "running" / "entry")
    with (small.folder / log.LOCK).open() as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        reports = []
        reader = threading.Thread(target=lambda: reports.append(verify(small.folder)))
        reader.start()
        time.sleep(0.3)
        away.rename(small.path(6))
    reader.join()
    assert [(report.findings, report.entries) for report in reports] == [((), 6)]


def test_who_writes_for_ever_keeps_nobody_from_looking(small: Small) -> None:
    with (small.folder / log.LOCK).open() as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert small.found() == []


def nothing(lock: Path) -> None:
    """Leave it as it is."""


@pytest.mark.parametrize("harm", [nothing, Path.unlink, lambda lock: (lock.unlink(), lock.mkdir())])
def test_nobody_is_kept_out_afterwards_and_nothing_is_made_where_no_lock_is(
    small: Small, harm: Callable[[Path], object]
) -> None:
    lock = small.folder / log.LOCK
    harm(lock)
    was = [lock.exists(), lock.is_dir()]
    assert small.found() == []
    assert [lock.exists(), lock.is_dir()] == was
    if lock.is_file():
        with lock.open() as writer:
            fcntl.flock(writer, fcntl.LOCK_EX | fcntl.LOCK_NB)
