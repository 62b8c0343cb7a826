from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from opslib import sshsig
from opslib.archive import keys, log
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import ArchiveError

from . import build


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    one = Archive(tmp_path / "archive")
    build.sealed(one, 1)
    return one


def highest(archive: Archive) -> int:
    return max(archive.log.numbers(), default=0)


def test_the_newest_number_is_that_of_the_highest_entry_from_the_first_on(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    assert archive.log.newest() == 0
    for number in range(3):
        archive.append("note", f"{number}")
        assert archive.log.newest() == highest(archive) == Archive(archive.folder).log.newest()


def remove(archive: Archive) -> None:
    (archive.folder / log.name_of(highest(archive))).unlink()


def bring(archive: Archive) -> None:
    shutil.copy(archive.folder / log.name_of(1), archive.folder / log.name_of(highest(archive) + 3))


def replace(archive: Archive) -> None:
    newest = archive.folder / log.name_of(highest(archive))
    newest.rename(archive.folder / log.name_of(highest(archive) + 2))


@pytest.mark.parametrize("change", [remove, bring, replace])
def test_what_came_or_went_past_the_program_is_seen(archive: Archive, change: Callable[[Archive], None]) -> None:
    change(archive)
    assert archive.log.newest() == highest(archive)


@pytest.mark.parametrize("hint", ["", "x", "5", "99 1", "-1 -1", "5 5 5", "\x00\xff", "9" * 90])
def test_a_hint_that_is_none_is_not_followed(archive: Archive, hint: str) -> None:
    (archive.folder / log.LOCK).write_text(hint)
    assert archive.log.newest() == highest(archive)
    archive.append("note", "goes on")
    assert verify(archive.folder).ok


def test_a_hint_for_an_entry_that_is_gone_is_not_followed(archive: Archive) -> None:
    newest = highest(archive)
    changed = archive.log.folder.stat().st_mtime_ns
    (archive.folder / log.LOCK).write_text(f"{newest + 7} {changed}")
    assert archive.log.newest() == newest


def test_no_hint_is_written_through_a_link(archive: Archive, tmp_path: Path) -> None:
    from opslib import files

    outside = tmp_path / "outside"
    outside.write_text("kept")
    (tmp_path / "link").symlink_to(outside)
    files.write_hint(tmp_path / "link", "lost")
    assert outside.read_text() == "kept"


def test_an_archive_that_was_copied_or_brought_back_goes_on_at_its_end(archive: Archive, tmp_path: Path) -> None:
    for name, how in (("kept", shutil.copy2), ("new", shutil.copy)):
        there = Archive(Path(shutil.copytree(archive.folder, tmp_path / name, copy_function=how)))
        os.utime(there.log.folder)
        newest = highest(there)
        assert there.append("note", "goes on").seq == newest + 1
        assert verify(there.folder).ok


RUN = "20261123T120000Z-diagnostics-database-a1b2c3"
TIME = "2026-11-23T12:00:00.000001Z"
BEFORE = ("a" * 64, log.name_of(6))
OPENED = ("b" * 64, f"runs/{RUN}/run.json")
CLOSED = ("c" * 64, f"runs/{RUN}/MANIFEST.sha256")


def entry(event: str = "open", run: str = RUN, sums: tuple[tuple[str, str], ...] = (BEFORE,), **said: str) -> log.Entry:
    return log.Entry(7, event, run, TIME, said.get("state", ""), said.get("text", ""), sums)


GOOD = [
    entry(sums=(BEFORE, OPENED)),
    entry("close", sums=(BEFORE, CLOSED), state="interrupted", text="t"),
    entry("note", state="quarantined"),
    entry("note", "-"),
    entry("redact"),
    entry("key", "-"),
    entry("heartbeat", "-"),
    log.Entry(1, "key", "-", TIME),
    log.Entry(999_999, "note", "-", TIME, sums=(("a" * 64, log.name_of(999_998)),)),
]


@pytest.mark.parametrize("good", GOOD, ids=lambda good: f"{good.seq} {good.event} {good.state}")
def test_every_entry_that_may_be_is_read_back_with_what_it_vouches_for(good: log.Entry) -> None:
    assert log.parse(good.encode()) == good
    sha, path = good.sums[-1] if good.event in ("open", "close") else ("", "")
    assert (good.sha256, good.file) == (sha, path)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (entry("opens", sums=(BEFORE,)), "has the unknown event opens"),
        (entry("open", "-", (BEFORE, OPENED)), "is of event open and names no run"),
        (entry("redact", "-"), "is of event redact and names no run"),
        (entry(run="20261123T120000Z", sums=(BEFORE, OPENED)), "names no valid run"),
        (entry(sums=(BEFORE,)), "does not name exactly its predecessor and its run's file"),
        (entry(sums=(OPENED, BEFORE)), "does not name exactly its predecessor and its run's file"),
        (entry(sums=(("a" * 64, log.name_of(5)), OPENED)), "does not name exactly its predecessor and its run's file"),
        (entry(sums=(BEFORE, CLOSED)), "does not name exactly its predecessor and its run's file"),
        (entry("note", sums=(BEFORE, OPENED)), "does not name exactly its predecessor and its run's file"),
        (log.Entry(1, "note", "-", TIME, sums=(BEFORE,)), "does not name exactly its predecessor and its run's file"),
        (entry("key"), "is of event key and names a run"),
        (entry(sums=(BEFORE, OPENED), state="interrupted"), "has the state interrupted, which no open has"),
        (entry("close", sums=(BEFORE, CLOSED), state="quarantined"), "has the state quarantined, which no close has"),
    ],
    ids=lambda said: said if isinstance(said, str) else "",
)
def test_an_entry_whose_parts_contradict_one_another_is_none(bad: log.Entry, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}$"):
        log.parse(bad.encode())


def test_an_entry_that_names_no_file_vouches_for_none() -> None:
    bare = log.Entry(1, "open", RUN, TIME)
    assert (bare.file, bare.sha256) == ("", "")


def test_what_would_be_no_entry_is_not_written(archive: Archive) -> None:
    with pytest.raises(ValueError, match="names no run"):
        archive.log.append("open", "-")
    assert highest(archive) == 3


def test_the_newest_entry_is_hinted_at_and_a_hint_that_a_killed_process_left_behind_is_seen_through(
    tmp_path: Path,
) -> None:
    archive = Archive(tmp_path / "archive")
    hint = archive.folder / log.LOCK
    for number in (2, 3):
        archive.append("note", "")
        assert hint.read_text().split() == [str(number), str(archive.log.folder.stat().st_mtime_ns)]
        # In the same tick of the folder's clock another entry came, and its process was killed before its hint.
        hint.write_text(f"{number - 1} {archive.log.folder.stat().st_mtime_ns}")
        assert archive.log.newest() == number


def test_an_entry_without_its_form_or_its_checksum_is_none() -> None:
    data = GOOD[0].encode()
    for bad in (b"", data[:-1], data + b"\n", data.replace(b"# run", b"# ran"), data.replace(b"# seq 7", b"# seq 07")):
        with pytest.raises(ValueError, match="form of an entry"):
            log.parse(bad)
    with pytest.raises(ValueError, match="checksum"):
        log.parse(data.replace(b"12:00:00", b"12:00:01"))


def test_a_full_log_takes_no_further_entry(archive: Archive) -> None:
    newest = archive.folder / log.name_of(highest(archive))
    shutil.copy(newest, archive.folder / log.name_of(log.LAST - 1))
    last = archive.append("note", "the last one")
    assert last.seq == log.LAST == 999_999
    with pytest.raises(ArchiveError, match=r"is full \(999999 entries\)"):
        archive.append("note", "one more")
    assert highest(archive) == log.LAST


def test_nothing_is_chained_to_an_entry_that_cannot_be_read(archive: Archive) -> None:
    newest = archive.folder / log.name_of(highest(archive))
    for damage in (lambda: newest.write_bytes(b"x" * (log.LARGEST + 1)), lambda: (newest.unlink(), newest.mkdir())):
        damage()
        with pytest.raises(ArchiveError, match=f"newest entry {log.name_of(3)} of .* cannot be read"):
            archive.append("note", "goes on")
        assert highest(archive) == 3


def test_an_entry_of_the_greatest_size_is_still_chained_to(archive: Archive) -> None:
    (archive.folder / log.name_of(highest(archive))).write_bytes(b"x" * log.LARGEST)
    assert archive.append("note", "goes on").sums[0][0] == build.sha256(b"x" * log.LARGEST)


def test_a_text_is_cut_and_has_no_sign_that_is_not_printed(archive: Archive) -> None:
    assert archive.append("note", "").text == ""
    assert archive.append("note", " ~\x7f\x1f" + "x" * 500).text == " ~??" + "x" * 396


def test_the_state_of_a_run_is_what_its_newest_entry_made_of_it(archive: Archive) -> None:
    sealed, lost = build.asked(1)["run"], build.killed(archive.folder, 2)
    going = build.asked(3)
    other = Archive(archive.folder)
    other.open(going)
    # What is only said of a run changes nothing.
    archive.log.append("note", sealed, text="looked at")
    archive.log.append("redact", going["run"])
    assert [archive.log.state(run) for run in (sealed, lost, going["run"], RUN)] == ["closed", "closed", "open", ""]
    assert archive.log.open_runs() == (going["run"],)
    archive.log.append("note", going["run"], state="quarantined")
    assert archive.log.state(going["run"]) == "quarantined"
    assert archive.log.open_runs() == ()


def test_entries_that_cannot_be_read_are_passed_over_and_the_others_come_newest_first(archive: Archive) -> None:
    build.sealed(archive, 2)
    (archive.folder / log.name_of(2)).write_text("no entry")
    (archive.folder / log.name_of(4)).unlink()
    (archive.folder / log.name_of(4)).symlink_to(archive.folder / log.name_of(3))
    assert [one.seq for one in archive.log.newest_first()] == [5, 3, 1]


def test_a_key_that_was_added_is_listed_though_a_crash_came_before_the_list(archive: Archive, tmp_path: Path) -> None:
    keys.create(tmp_path / "second")
    listed = archive.folder / keys.SIGNERS
    before = listed.read_bytes()
    keys.introduce(archive.log, sshsig.Signer(tmp_path / "second").public, "host@ops-2")
    after = listed.read_bytes()
    listed.write_bytes(before)
    archive.append("note", "goes on")
    assert listed.read_bytes() == after != before
    assert archive.log.list_keys() == after.decode().splitlines()


def test_a_list_that_lost_this_hosts_key_is_made_good_and_the_key_is_not_added_again(
    archive: Archive, tmp_path: Path
) -> None:
    keys.create(tmp_path / "second")
    keys.introduce(archive.log, sshsig.Signer(tmp_path / "second").public, "host@ops-2")
    archive.append("note", "")
    listed = archive.folder / keys.SIGNERS
    first, second = listed.read_text().splitlines(keepends=True)
    listed.write_text(second)
    assert archive.append("note", "goes on").seq == 6
    assert listed.read_text() == first + second
    assert verify(archive.folder).ok


def test_a_list_that_is_right_is_not_written_again_and_without_keys_none_is(archive: Archive, tmp_path: Path) -> None:
    listed = archive.folder / keys.SIGNERS
    before = listed.stat().st_ino
    archive.log.list_keys()
    assert listed.stat().st_ino == before
    (tmp_path / keys.SIGNERS).write_text("somebody's own")
    assert log.Log(tmp_path).list_keys() == []
    assert (tmp_path / keys.SIGNERS).read_text() == "somebody's own"


def test_key_entries_that_say_no_key_are_left_out_of_the_list(archive: Archive) -> None:
    before = (archive.folder / keys.SIGNERS).read_bytes()
    archive.log.append("key", "-", text="add nothing")
    assert (archive.folder / keys.SIGNERS).read_bytes() == before


def test_an_archive_without_keys_gets_no_list_of_them(tmp_path: Path) -> None:
    assert log.Log(tmp_path).list_keys() == []
    assert list(tmp_path.iterdir()) == []
