from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from opslib.archive.store import Archive
from opslib.errors import ArchiveError
from opslib.redaction import Redactor
from tests.scale import NIGHTLY

from . import attack, build
from .tampering import Whole, grown


@pytest.fixture(scope="module")
def browser():  # type: ignore[no-untyped-def]
    """A real browser. Without one its tests are skipped where a person runs them, and fail where they must count.

    For one file: as long as it is there, an event loop is at work, in which no other may be started.
    """
    if attack.BROWSER is None:
        why = "no chromium or google-chrome on PATH: hostile reports are not opened"
        if NIGHTLY or os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=attack.BROWSER)
        yield started
        started.close()


@dataclass(frozen=True)
class Sample:
    """An archive with runs of every kind."""

    folder: Path
    first: str
    second: str
    interrupted: str
    quarantined: str
    last: str


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("pristine") / "archive"
    archive = Archive(folder)
    first = build.sealed(archive, 1)
    second = build.sealed(archive, 2, "CRITICAL")
    interrupted = build.killed(folder, 3, JOURNAL)
    leaking = build.asked(4)
    place = archive.open(leaking)
    build.fill(place)
    (place / "evidence" / "leak.txt").write_text(f"password={build.SECRET.reveal()}")
    with pytest.raises(ArchiveError):
        archive.close(leaking["run"], Redactor([build.SECRET]))
    last = build.sealed(archive, 5, "WARNING")
    return Sample(folder, first, second, interrupted, leaking["run"], last)


@pytest.fixture
def sample(pristine: Sample, tmp_path: Path) -> Sample:
    """A copy of the archive that a test may damage."""
    folder = tmp_path / "archive"
    shutil.copytree(pristine.folder, folder, symlinks=True)
    return Sample(**{**pristine.__dict__, "folder": folder})


@pytest.fixture(scope="session")
def whole(pristine: Sample, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The same archive grown on: more hosts' keys, one of them revoked, and a plan applied with two approvals."""
    said = {name: value for name, value in pristine.__dict__.items() if name not in ("folder", "last")}
    return grown(pristine.folder, tmp_path_factory.mktemp("whole"), **said)


@pytest.fixture
def copy(whole: Whole, tmp_path: Path) -> Whole:
    """A copy of the archive with keys and approvals that a test may damage."""
    shutil.copytree(whole.folder, tmp_path / "archive", symlinks=True)
    return Whole(**{**whole.__dict__, "folder": tmp_path / "archive"})


def _line(said: dict[str, object]) -> str:
    return json.dumps(said, separators=(",", ":"), sort_keys=True)


FIRST_LINE = _line({"cell": "look", "event": "opened", "prev": "0" * 64, "seq": 1, "time": "2026-11-01T00:03:07Z"})
JOURNAL = FIRST_LINE + '\n{"torn": "wr'
