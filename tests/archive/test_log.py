from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from opslib.archive import log
from opslib.archive.store import Archive
from opslib.archive.verify import verify

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
