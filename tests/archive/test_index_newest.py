"""The first page by what was known before, held against what listing all folders gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.archive.index import PER_PAGE, older_pages
from opslib.archive.index_newest import KEPT, Known, listed
from opslib.archive.log import INDEXED, Log
from opslib.archive.store import Archive

from . import build


def run(number: int) -> str:
    return f"{number:06d}"


@given(
    there=st.integers(0, 1300),
    spread=st.integers(1, 3),
    come=st.lists(st.integers(0, 4000), max_size=8, unique=True),
)
def test_what_is_known_is_what_listing_gives_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, there: int, spread: int, come: list[int]
) -> None:
    log = Log(tmp_path_factory.getbasetemp())
    before = [run(number * spread) for number in range(there)]
    after = sorted({*before, *map(run, come)})
    said = listed(log, 1, before).more(2, "", [run(number) for number in come])
    if said is not None:
        assert said == Known(2, "", len(after), tuple(after[-KEPT:]))
    # It is given up only where an older page has other runs than before, or is one more or less: never in general.
    older = older_pages(len(before))
    pages_alike = older == older_pages(len(after)) and after[: older * PER_PAGE] == before[: older * PER_PAGE]
    assert (said is not None) == pages_alike or any(name in before[:-KEPT] for name in map(run, come))


def pages(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("index*.html")}


def known(folder: Path) -> Known:
    said = json.loads((folder / INDEXED).read_text())
    return Known(said["seq"], said["sum"], said["count"], tuple(said["newest"]))


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive(tmp_path / "archive")
    for number in (1, 2, 3):
        build.sealed(made, number)
    return made


def stray(archive: Archive) -> str:
    """Make the folder of a run that no entry names, and that only listing finds."""
    name = str(build.asked(9)["run"])
    (archive.folder / "runs" / name).mkdir()
    return name


def test_a_run_that_ends_lists_no_folders_and_its_page_is_what_listing_gives(archive: Archive) -> None:
    name = stray(archive)
    build.sealed(archive, 4, "CRITICAL")
    page = pages(archive.folder)
    assert name.encode() not in page["index.html"]
    (archive.folder / "runs" / name).rmdir()
    archive.index()
    assert page == pages(archive.folder)
    assert known(archive.folder) == listed(archive.log, archive.log.newest(), archive.ids())


def test_runs_of_other_processes_come_in_by_the_log(archive: Archive) -> None:
    other = Archive(archive.folder)
    other.open(build.asked(5))
    build.sealed(archive, 4)
    assert known(archive.folder).newest == tuple(archive.ids())
    assert len(archive.ids()) == 5


NO_SEQ = b'{"seq": "x", "sum": "", "count": 0, "newest": []}'


@pytest.mark.parametrize("said", [b"", b"{", b"[]", b'{"seq": 1}', NO_SEQ])
def test_what_cannot_be_read_is_listed_anew(archive: Archive, said: bytes) -> None:
    name = stray(archive)
    (archive.folder / INDEXED).write_bytes(said)
    build.sealed(archive, 4)
    assert name.encode() in pages(archive.folder)["index.html"]
    assert known(archive.folder).newest == tuple(archive.ids())


def test_what_was_known_of_another_log_does_not_count(archive: Archive, tmp_path: Path) -> None:
    fresh = Archive(tmp_path / "fresh")
    for number in (5, 6, 7, 8):
        build.sealed(fresh, number)
    shutil.copyfile(archive.folder / INDEXED, fresh.folder / INDEXED)
    last = build.sealed(fresh, 10)
    assert last in known(fresh.folder).newest
    assert known(fresh.folder).newest == tuple(fresh.ids())


def test_after_a_removal_all_are_listed(archive: Archive) -> None:
    first = archive.ids()[0]
    archive.log.append("redact", first, text="its retention is over")
    shutil.rmtree(archive.folder / "runs" / first)
    build.sealed(archive, 4)
    assert known(archive.folder).newest == tuple(archive.ids())
    assert first not in known(archive.folder).newest


def test_an_older_run_that_ends_late_is_listed(archive: Archive) -> None:
    said = known(archive.folder)
    (archive.folder / INDEXED).write_text(
        json.dumps({"seq": said.seq, "sum": said.sum, "count": said.count, "newest": said.newest[1:]})
    )
    archive.index(said.newest[0])
    assert known(archive.folder).newest == tuple(archive.ids())
