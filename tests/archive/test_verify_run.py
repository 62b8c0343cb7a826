"""Verifying one run's folder: each thing that can be wrong with it, told in its own words and nothing else told."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from opslib.archive import seal, verify_run
from opslib.archive.log import Entry
from opslib.archive.verify_run import Finding, shown
from opslib.redaction import Redactor

from . import build
from .tampering import socket_at

RUN = "20261101T000100Z-diagnostics-database-000001"
ZEROS = "0" * 64


class Kept:
    """A run's folder in an archive that holds nothing else, and the entries that would name it."""

    def __init__(self, archive: Path) -> None:
        self.archive, self.folder = archive, archive / "runs" / RUN
        (self.folder / "evidence").mkdir(parents=True)
        (self.folder / "run.json").write_text(json.dumps(build.asked(1)))
        build.fill(self.folder)
        self.opened = entry("open", seal.sha256(self.folder / "run.json"), "run.json")
        self.seal()

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    def seal(self) -> None:
        """Make manifest and closing entry fit what is there."""
        (self.folder / seal.MANIFEST).write_bytes(seal.scan(self.folder, Redactor()).manifest())
        self.closed = entry("close", seal.sha256(self.folder / seal.MANIFEST), seal.MANIFEST)

    def manifest(self, text: str) -> None:
        """Give the manifest another text that its closing entry names."""
        (self.folder / seal.MANIFEST).write_text(text)
        self.closed = entry("close", build.sha256(text.encode()), seal.MANIFEST)

    def said(self) -> list[str]:
        """What is found wrong with it as a sealed run."""
        return told(verify_run.run(self.archive, self.opened, self.closed)[0])

    def said_open(self) -> list[str]:
        """What is found wrong with it as a run that no entry closes."""
        return told(verify_run.run(self.archive, self.opened, None)[0])

    def aside(self, noted: bool = True) -> list[str]:
        """What is told of it as a run in quarantine."""
        return told(verify_run.quarantined(self.archive, self.opened, noted=noted))


def entry(event: str, sha256: str, file: str, state: str = "") -> Entry:
    return Entry(2, event, RUN, "2026-11-01T00:01:00.000000Z", state, "", ((sha256, f"runs/{RUN}/{file}"),))


def told(found: list[Finding]) -> list[str]:
    return [str(one).replace(f"runs/{RUN}", "R").replace(f"quarantine/{RUN}", "Q") for one in found]


OPEN = "warning: R: is open: still running, or cut off and closed by the next start"
SEALING = "warning: R: is open and holds a manifest: cut off while it was sealed, or the log's end was cut"


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_nothing_is_told_of_a_sealed_run_as_it_was_and_its_files_are_counted(kept: Kept) -> None:
    assert verify_run.run(kept.archive, kept.opened, kept.closed) == ([], 7)


def test_an_open_run_is_told_and_told_apart_when_it_holds_a_manifest(kept: Kept) -> None:
    assert kept.said_open() == [SEALING]
    (kept.folder / seal.MANIFEST).unlink()
    assert kept.said_open() == [OPEN]
    assert verify_run.run(kept.archive, kept.opened, None)[1] == 6


@pytest.mark.parametrize("what", ["nothing", "a file", "a link"])
def test_a_run_that_is_no_folder_is_told_and_nothing_of_it_is_read(kept: Kept, what: str) -> None:
    away = kept.folder.rename(kept.archive / "away")
    if what == "a file":
        kept.folder.write_text("")
    elif what == "a link":
        kept.folder.symlink_to(away)
    assert verify_run.run(kept.archive, kept.opened, kept.closed) == (
        [Finding("error", f"runs/{RUN}", "is no folder")],
        0,
    )


def test_files_that_are_others_than_what_names_them_are_told(kept: Kept) -> None:
    (kept.folder / "run.json").write_text("{}")
    (kept.folder / "report.html").write_text("")
    assert kept.said() == [
        "error: R/run.json: is not what its open entry names",
        "error: R/report.html: is not what the manifest names",
        "error: R/run.json: is not what the manifest names",
    ]
    kept.seal()
    assert kept.said() == ["error: R/run.json: is not what its open entry names"]
    assert kept.said_open() == ["error: R/run.json: is not what its open entry names", SEALING]


def test_files_that_are_gone_are_told(kept: Kept) -> None:
    (kept.folder / "run.json").unlink()
    (kept.folder / "evidence" / "take-backup.json").unlink()
    assert kept.said() == [
        "error: R/run.json: is missing or no plain, readable file",
        "error: R/evidence/take-backup.json: is in the manifest and missing",
        "error: R/run.json: is in the manifest and missing",
    ]


def test_files_that_the_manifest_leaves_out_are_told_in_order_and_printable(kept: Kept) -> None:
    (kept.folder / "z").write_text("")
    (kept.folder / "a\x1b[31m").write_text("")
    assert kept.said() == ["error: R/a?[31m: is not in the manifest", "error: R/z: is not in the manifest"]
    assert kept.said_open() == [SEALING]


def test_a_manifest_that_leaves_out_what_was_asked_is_told(kept: Kept) -> None:
    rows = (kept.folder / seal.MANIFEST).read_text().splitlines(keepends=True)
    kept.manifest("".join(row for row in rows if not row.endswith(" run.json\n")))
    assert kept.said() == [
        f"error: R/{seal.MANIFEST}: does not name run.json",
        "error: R/run.json: is not in the manifest",
    ]


def test_a_manifest_that_is_none_is_told_with_the_reason_and_nothing_is_held_against_it(kept: Kept) -> None:
    whole = (kept.folder / seal.MANIFEST).read_text()
    kept.manifest(f"# fine\n{whole}")
    assert kept.said() == [f"error: R/{seal.MANIFEST}: is no manifest: not sorted, or lines of another form"]
    (kept.folder / seal.MANIFEST).write_text("")
    assert kept.said()[0] == f"error: R/{seal.MANIFEST}: is not what its close entry names"
    (kept.folder / seal.MANIFEST).unlink()
    assert kept.said() == [
        f"error: R/{seal.MANIFEST}: is missing or no plain, readable file",
        f"error: R/{seal.MANIFEST}: cannot be read",
    ]


@pytest.mark.parametrize(
    ("add", "said"),
    [
        (lambda folder: (folder / "more").symlink_to(folder / "run.json"), "more: is a link"),
        (lambda folder: (folder / "more").symlink_to(folder / "evidence"), "more: is a link"),
        (lambda folder: (folder / "more").symlink_to("nowhere"), "more: is a link"),
        (lambda folder: os.mkfifo(folder / "more"), "more: is no plain file"),
        (socket_at, "s: is no plain file"),
        (lambda folder: (folder / "more").mkdir(), "more: is an empty folder that no run has"),
        (lambda folder: (folder / "evidence/d\n").mkdir(), "evidence/d?: is an empty folder that no run has"),
    ],
)
def test_what_no_run_holds_is_told_whether_it_is_sealed_or_open(
    kept: Kept, add: Callable[[Path], object], said: str
) -> None:
    add(kept.folder)
    assert kept.said() == [f"error: R/{said}"]
    assert kept.said_open() == [f"error: R/{said}", SEALING]


def test_a_folder_with_something_in_it_and_evidence_without_anything_are_no_strangers(kept: Kept) -> None:
    (kept.folder / "more").mkdir()
    (kept.folder / "more" / "file").write_text("")
    (kept.folder / "evidence" / "take-backup.json").unlink()
    kept.seal()
    assert kept.said() == []


def written(kept: Kept, text: str) -> None:
    kept.journal.write_text(text)
    kept.seal()


def line(seq: int, prev: str, **more: object) -> str:
    return json.dumps({"seq": seq, "prev": prev, **more})


FIRST = line(1, ZEROS)
SECOND = line(2, build.sha256(FIRST.encode()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]\n", "line 1 is no object"),
        ("{\n", "line 1 is no JSON"),
        ("\n", "line 1 is no JSON"),
        (FIRST + " {}\n", "line 1 is no JSON"),
        ("[" * 200_000 + "\n", "line 1 is no JSON"),
        (line(2, ZEROS) + "\n", "line 1 does not have the number 1"),
        (line(1, "x") + "\n", "line 1 does not name the line before it"),
        (f"{FIRST}\n{line(1, ZEROS)}\n", "line 2 does not have the number 2"),
        (f"{FIRST}\n{line(2, ZEROS)}\n", "line 2 does not name the line before it"),
        (f"{FIRST}\n{SECOND}\n3\n4\n", "line 3 is no object"),
    ],
)
def test_the_first_line_of_a_journal_that_is_wrong_is_told_whatever_became_of_the_run(
    kept: Kept, text: str, said: str
) -> None:
    written(kept, text)
    assert kept.said() == [f"error: R/journal.jsonl: {said}"]
    assert kept.said_open() == [f"error: R/journal.jsonl: {said}", SEALING]


def test_what_only_the_strict_reader_of_json_takes_is_no_fault(kept: Kept) -> None:
    """Half a character, a depth of 500, and white space around the value are JSON."""
    half = line(1, ZEROS, text="\ud800")
    deep = line(2, build.sha256(half.encode()))[:-1] + ', "deep": ' + "[" * 500 + "]" * 500 + "}\t"
    spaced = line(3, build.sha256(deep.encode())) + " \r"
    written(kept, f"{half}\n{deep}\n{spaced}\n{line(4, build.sha256(spaced.encode()))}\n")
    assert kept.said() == []


def interrupted(kept: Kept) -> list[str]:
    kept.closed = entry("close", kept.closed.sha256, seal.MANIFEST, "interrupted")
    return kept.said()


def test_a_torn_last_line_is_an_error_only_of_a_run_that_was_not_cut_off(kept: Kept) -> None:
    written(kept, f"{FIRST}\n{SECOND}")
    assert kept.said() == ["error: R/journal.jsonl: line 2 is torn"]
    assert interrupted(kept) == []
    assert kept.said_open() == [SEALING]


def test_a_run_without_journal_is_told_only_when_it_was_not_cut_off(kept: Kept) -> None:
    kept.journal.unlink()
    kept.seal()
    assert kept.said() == ["warning: R/journal.jsonl: is missing: the run kept no journal"]
    assert interrupted(kept) == []
    assert kept.said_open() == [SEALING]


def test_a_journal_that_is_no_plain_file_is_an_error_also_of_a_run_that_was_cut_off(kept: Kept) -> None:
    kept.journal.rename(kept.folder / "evidence" / "journal.jsonl")
    kept.journal.symlink_to("evidence/journal.jsonl")
    assert kept.said_open() == [
        "error: R/journal.jsonl: is a link",
        "error: R/journal.jsonl: is no plain, readable file",
        SEALING,
    ]


def test_of_a_run_in_quarantine_is_told_that_it_is_there_and_whether_the_log_says_so(kept: Kept) -> None:
    (kept.archive / "quarantine").mkdir()
    aside = kept.folder.rename(kept.archive / "quarantine" / RUN)
    noted = "warning: Q: in quarantine, not sealed: a known secret stands in its files"
    assert kept.aside() == [noted]
    assert kept.aside(noted=False) == ["warning: Q: in quarantine, and the log does not say so yet"]
    (aside / "run.json").write_text("{}")
    assert kept.aside() == [noted, "error: Q/run.json: is not what its open entry names"]
    (aside / "run.json").unlink()
    assert kept.aside() == [noted]
    (aside / "run.json").symlink_to("nowhere")
    assert kept.aside() == [noted, "error: Q/run.json: is missing or no plain, readable file"]
    aside.rename(kept.archive / "away")
    assert kept.aside() == ["warning: Q: was in quarantine, and its folder was removed"]


def test_a_name_is_shown_as_so_many_printable_signs() -> None:
    assert shown("a b\x7f~!\u202e\n") == "a?b?~!??"
    assert shown("x" * 300) == "x" * 200
