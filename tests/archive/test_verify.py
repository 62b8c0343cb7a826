"""What is done to an archive, and that both verifiers find it: the Python one, and the packaged shell script."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.archive import log, seal
from opslib.archive.verify import STATEMENT, verify
from opslib.model import now

from . import build
from .conftest import Sample

Tamper = Callable[[Sample], object]


def run_of(sample: Sample) -> Path:
    return sample.folder / "runs" / sample.first


def entry_of(sample: Sample, seq: int) -> Path:
    return sample.folder / log.name_of(seq)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def lines(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


def swap(one: Path, other: Path) -> None:
    held = one.with_name("held")
    one.rename(held)
    other.rename(one)
    held.rename(other)


def linked(path: Path) -> None:
    away = path.parents[2] / "away"
    path.rename(away)
    path.symlink_to(away)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def resealed(sample: Sample, run: str) -> None:
    """Make the manifest of a changed run fit again."""
    folder = sample.folder / "runs" / run
    sums = {path: seal.sha256(folder / path) for path in seal.parse((folder / seal.MANIFEST).read_bytes())}
    (folder / seal.MANIFEST).write_bytes(seal.Scan(sums, ()).manifest())


def remade(sample: Sample, seq: int, **said: object) -> None:
    """Write an entry anew, with a right checksum, so that only what it says can betray it."""
    entry = log.parse(entry_of(sample, seq).read_bytes())
    entry_of(sample, seq).write_bytes(log.Entry(**{**entry.__dict__, **said}).encode())


def renumbered(sample: Sample, gone: int) -> None:
    """Take one entry out and move the others up, each with its new number and a right checksum."""
    entry_of(sample, gone).unlink()
    for seq in range(gone + 1, 11):
        entry = log.parse(entry_of(sample, seq).read_bytes())
        sums = tuple((sha, log.name_of(seq - 2) if path.startswith("log/") else path) for sha, path in entry.sums)
        entry_of(sample, seq).unlink()
        moved = log.Entry(**{**entry.__dict__, "seq": seq - 1, "sums": sums})
        entry_of(sample, seq - 1).write_bytes(moved.encode())


def edited_journal(sample: Sample, run: str = "") -> None:
    edit(sample.folder / "runs" / (run or sample.first) / "journal.jsonl", "line 1", "line 7")


def added(sample: Sample, event: str, run: str, file: str, sha: str = "0" * 64, **said: str) -> None:
    log.Log(sample.folder).append(event, run, file=(sha, file), **said)


TAMPERINGS: dict[str, Tamper] = {
    "a byte of the report is changed": lambda s: edit(run_of(s) / "report.html", "title", "tilte"),
    "a byte of the result is changed": lambda s: edit(run_of(s) / "result.json", "OK", "KO"),
    "a verdict is changed": lambda s: edit(s.folder / "runs" / s.second / "result.json", "CRITICAL", "OK"),
    "run.json says another person": lambda s: edit(run_of(s) / "run.json", "ada@", "bob@"),
    "a line of the journal is edited": edited_journal,
    "a line of the journal is edited and the manifest made anew": lambda s: (edited_journal(s), resealed(s, s.first)),
    "a line of the journal is removed": lambda s: lines(run_of(s) / "journal.jsonl", lambda rows: rows[:2] + rows[3:]),
    "a line of the journal is doubled": lambda s: lines(run_of(s) / "journal.jsonl", lambda rows: [rows[0], *rows]),
    "two lines of the journal change places": lambda s: lines(
        run_of(s) / "journal.jsonl", lambda rows: [rows[0], rows[2], rows[1], *rows[3:]]
    ),
    "the journal is cut": lambda s: lines(run_of(s) / "journal.jsonl", lambda rows: rows[:-1]),
    "the journal's last line is torn": lambda s: os.truncate(run_of(s) / "journal.jsonl", 200),
    "the journal is chained wrongly, with manifest and entries made anew": lambda s: (
        edited_journal(s),
        resealed(s, s.first),
        build.rechain(s.folder),
    ),
    "the journal is torn, with manifest and entries made anew": lambda s: (
        os.truncate(run_of(s) / "journal.jsonl", 200),
        resealed(s, s.first),
        build.rechain(s.folder),
    ),
    "the notebook is emptied": lambda s: os.truncate(run_of(s) / "notebook.ipynb", 0),
    "the report is removed": lambda s: (run_of(s) / "report.html").unlink(),
    "run.json is removed": lambda s: (run_of(s) / "run.json").unlink(),
    "the manifest is removed": lambda s: (run_of(s) / "MANIFEST.sha256").unlink(),
    "evidence is removed": lambda s: shutil.rmtree(run_of(s) / "evidence"),
    "a line of the manifest is removed with its file": lambda s: (
        (run_of(s) / "report.html").unlink(),
        lines(run_of(s) / "MANIFEST.sha256", lambda rows: [line for line in rows if "report" not in line]),
    ),
    "a line is added to the manifest with its file": lambda s: (
        (run_of(s) / "z.txt").write_text("z"),
        lines(run_of(s) / "MANIFEST.sha256", lambda rows: [*rows, f"{seal.sha256(run_of(s) / 'z.txt')}  z.txt\n"]),
    ),
    "the manifest is sorted otherwise": lambda s: lines(run_of(s) / "MANIFEST.sha256", lambda rows: rows[::-1]),
    "the manifest gets a comment": lambda s: lines(run_of(s) / "MANIFEST.sha256", lambda rows: ["# fine\n", *rows]),
    "the manifest points out of the run, with entries made anew": lambda s: (
        (run_of(s) / "MANIFEST.sha256").write_bytes(
            f"{seal.sha256(s.folder / 'verify.sh')}  ../../verify.sh\n".encode()
            + (run_of(s) / "MANIFEST.sha256").read_bytes()
        ),
        build.rechain(s.folder),
    ),
    "the manifest leaves run.json out, with entries made anew": lambda s: (
        lines(run_of(s) / "MANIFEST.sha256", lambda rows: [line for line in rows if "run.json" not in line]),
        build.rechain(s.folder),
    ),
    "a file is added to a run": lambda s: (run_of(s) / "extra.txt").write_text("x"),
    "a file is added to the evidence": lambda s: (run_of(s) / "evidence" / "extra.json").write_text("{}"),
    "a hidden file is added to a run": lambda s: (run_of(s) / ".extra").write_text(""),
    "a file with a strange name is added": lambda s: (run_of(s) / "a\n\x1b[31mb").write_text("x"),
    "a folder is added to a run": lambda s: (run_of(s) / "more").mkdir(),
    "a file is renamed": lambda s: (run_of(s) / "report.html").rename(run_of(s) / "report.htm"),
    "two files change names": lambda s: swap(run_of(s) / "report.html", run_of(s) / "notebook.ipynb"),
    "a file is replaced by a link to its content": lambda s: linked(run_of(s) / "report.html"),
    "a file is replaced by a pipe": lambda s: pipe(run_of(s) / "journal.jsonl"),
    "a file is replaced by a folder": lambda s: (
        (run_of(s) / "report.html").unlink(),
        (run_of(s) / "report.html").mkdir(),
    ),
    "a socket is added": lambda s: socket_at(run_of(s)),
    "a link is added": lambda s: (run_of(s) / "evidence" / "link").symlink_to("/etc/hostname"),
    "a dangling link is added": lambda s: (run_of(s) / "link").symlink_to("nowhere"),
    "reports of two runs are swapped": lambda s: swap(
        run_of(s) / "report.html", s.folder / "runs" / s.second / "report.html"
    ),
    "two runs are swapped": lambda s: swap(run_of(s), s.folder / "runs" / s.second),
    "a run is removed": lambda s: shutil.rmtree(run_of(s)),
    "a run is renamed": lambda s: run_of(s).rename(run_of(s).with_name(build.asked(77)["run"])),
    "a run is replaced by a link": lambda s: linked(run_of(s)),
    "a run is copied": lambda s: shutil.copytree(run_of(s), run_of(s).with_name(build.asked(77)["run"])),
    "a file lies beside the runs": lambda s: (s.folder / "runs" / "extra").write_text(""),
    "a sealed run is moved to quarantine": lambda s: run_of(s).rename(s.folder / "quarantine" / s.first),
    "a quarantined run is moved back": lambda s: (s.folder / "quarantine" / s.quarantined).rename(
        s.folder / "runs" / s.quarantined
    ),
    "run.json of a quarantined run is edited": lambda s: edit(
        s.folder / "quarantine" / s.quarantined / "run.json", "ada@", "bob@"
    ),
    "an unknown run lies in quarantine": lambda s: (s.folder / "quarantine" / build.asked(77)["run"]).mkdir(),
    "an entry is edited": lambda s: edit(entry_of(s, 4), "# event close", "# event open"),
    "an entry's run is edited": lambda s: edit(entry_of(s, 3), s.second, s.first),
    "an entry's hash is edited": lambda s: lines(
        entry_of(s, 4), lambda rows: [*rows[:-2], rows[-2][::-1].strip() + "\n", rows[-1]]
    ),
    "an entry gets a checksum anew after an edit": lambda s: remade(s, 4, text="all is well"),
    "an entry is backdated": lambda s: edit(entry_of(s, 4), "# time 20", "# time 19"),
    "an entry is backdated with a checksum made anew": lambda s: remade(s, 4, time="2019-01-01T00:00:00.000000Z"),
    "the newest entry is backdated": lambda s: edit(entry_of(s, 10), "# time 20", "# time 19"),
    "the newest entry loses its last byte": lambda s: os.truncate(entry_of(s, 10), 100),
    "the newest entry gets a byte that ends strings": lambda s: entry_of(s, 10).write_bytes(
        entry_of(s, 10).read_bytes().replace(b"# event", b"# ev\0ent")
    ),
    "the newest entry gets a line": lambda s: entry_of(s, 10).write_bytes(entry_of(s, 10).read_bytes() + b"\n"),
    "an entry gets Windows line ends": lambda s: entry_of(s, 4).write_bytes(
        entry_of(s, 4).read_bytes().replace(b"\n", b"\r\n")
    ),
    "an entry is removed": lambda s: entry_of(s, 4).unlink(),
    "the first entry is removed": lambda s: entry_of(s, 1).unlink(),
    "an entry is removed and the others move up": lambda s: renumbered(s, 8),
    "an entry is emptied": lambda s: os.truncate(entry_of(s, 4), 0),
    "an entry is doubled under the next number": lambda s: shutil.copy(entry_of(s, 10), entry_of(s, 11)),
    "two entries are swapped": lambda s: swap(entry_of(s, 3), entry_of(s, 5)),
    "an entry is renamed": lambda s: entry_of(s, 4).rename(entry_of(s, 4).with_suffix(".bak")),
    "a file lies beside the entries": lambda s: (s.folder / "log" / "000004.entry~").write_text(""),
    "an entry number 0 is added": lambda s: shutil.copy(entry_of(s, 1), entry_of(s, 0)),
    "an entry is a link": lambda s: linked(entry_of(s, 4)),
    "an entry is a folder": lambda s: (entry_of(s, 10).unlink(), entry_of(s, 10).mkdir()),
    "an entry is a pipe": lambda s: pipe(entry_of(s, 10)),
    "a run is closed twice": lambda s: added(
        s, "close", s.first, f"runs/{s.first}/MANIFEST.sha256", seal.sha256(run_of(s) / "MANIFEST.sha256")
    ),
    "a run is opened twice": lambda s: added(
        s, "open", s.first, f"runs/{s.first}/run.json", seal.sha256(run_of(s) / "run.json")
    ),
    "a run is closed that was never opened": lambda s: added(
        s, "close", build.asked(77)["run"], f"runs/{build.asked(77)['run']}/MANIFEST.sha256"
    ),
    "a run is opened that has no folder": lambda s: added(
        s, "open", build.asked(77)["run"], f"runs/{build.asked(77)['run']}/run.json"
    ),
    "a sealed run is said to be in quarantine": lambda s: log.Log(s.folder).append(
        "note", s.first, state="quarantined"
    ),
    "the log is removed": lambda s: shutil.rmtree(s.folder / "log"),
    "the log is emptied": lambda s: [path.unlink() for path in (s.folder / "log").iterdir()],
    "the runs are removed": lambda s: shutil.rmtree(s.folder / "runs"),
    "the runs are elsewhere": lambda s: (
        (s.folder / "runs").rename(s.folder.parent / "elsewhere"),
        (s.folder / "runs").symlink_to(s.folder.parent / "elsewhere"),
    ),
}


def socket_at(folder: Path) -> None:
    here = Path.cwd()
    os.chdir(folder)
    try:
        socket.socket(socket.AF_UNIX).bind("s")
    finally:
        os.chdir(here)


def test_an_untouched_archive_verifies_and_says_what_it_cannot_prove(sample: Sample) -> None:
    report = verify(sample.folder)
    assert report.ok, str(report)
    assert report.sealed == (sample.first, sample.second, sample.interrupted, sample.last)
    assert report.quarantined == (sample.quarantined,)
    assert report.entries == 10
    assert STATEMENT in str(report)
    code, said = build.shell(sample.folder)
    assert code == 0, said
    assert STATEMENT in said
    assert f"head {report.head}\n" in said
    assert f"head {report.head}\n" in str(report)


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_both_verifiers_find_that(sample: Sample, tampering: str) -> None:
    TAMPERINGS[tampering](sample)
    report = verify(sample.folder)
    assert not report.ok, str(report)
    assert str(report).isascii()
    code, said = build.shell(sample.folder)
    assert code == 1, said
    assert "FAILED" in said


def test_verification_changes_nothing(sample: Sample) -> None:
    def state() -> dict[Path, tuple[int, bytes]]:
        found = sample.folder.rglob("*")
        return {path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in found}

    before = state()
    verify(sample.folder)
    build.shell(sample.folder)
    assert state() == before


def cut(sample: Sample) -> None:
    """Remove the newest run with all its entries: what whoever owns the folder can always do."""
    for seq in (9, 10):
        entry_of(sample, seq).unlink()
    shutil.rmtree(sample.folder / "runs" / sample.last)


def test_a_cut_seal_leaves_a_run_that_looks_open_and_is_told_apart_from_one_that_runs(sample: Sample) -> None:
    entry_of(sample, 10).unlink()
    report = verify(sample.folder)
    assert report.open == (sample.last,)
    assert any("the log's end was cut" in finding.what for finding in report.findings)


def rewritten(sample: Sample) -> None:
    """Change a sealed verdict and make everything after it anew."""
    edit(sample.folder / "runs" / sample.second / "result.json", "CRITICAL", "OK")
    resealed(sample, sample.second)
    build.rechain(sample.folder)


@pytest.mark.parametrize("act", [cut, rewritten])
def test_a_cut_tail_and_a_rewrite_are_not_excluded_without_a_noted_head_and_are_found_with_one(
    sample: Sample, act: Tamper
) -> None:
    noted = verify(sample.folder).head
    held = verify(sample.folder, noted)
    assert held.ok
    assert f"It holds the noted head {noted}" in str(held)
    assert f"It holds the noted head {noted}" in build.shell(sample.folder, noted)[1]
    act(sample)
    report, (code, said) = verify(sample.folder), build.shell(sample.folder)
    assert report.ok, "an archive alone cannot show this"
    assert code == 0
    assert "NOT SIGNED, NOT ANCHORED" in str(report)
    assert "NOT SIGNED, NOT ANCHORED" in said
    report, (code, said) = verify(sample.folder, noted), build.shell(sample.folder, noted)
    assert not report.ok
    assert code == 1
    assert "cut or rewritten" in str(report)
    assert "cut or rewritten" in said


@pytest.mark.parametrize(
    "noted", ["x", "5", ":", "0:" + "0" * 64, "1:12", "5:" + "0" * 64, "9999999:" + "0" * 64, "$(ls)"]
)
def test_a_noted_head_that_is_none_is_an_error(sample: Sample, noted: str) -> None:
    assert not verify(sample.folder, noted).ok
    assert build.shell(sample.folder, noted)[0] == 1


def test_a_clock_that_went_backwards_is_a_warning(sample: Sample) -> None:
    remade(sample, 10, time="2019-01-01T00:00:00.000000Z")
    report = verify(sample.folder)
    assert report.ok
    assert any("a clock went backwards" in finding.what for finding in report.findings)


def test_an_open_run_is_a_warning_and_its_journal_is_checked(sample: Sample) -> None:
    run = build.killed(sample.folder, 9, '{"prev":"' + "0" * 64 + '","seq":1}\n{"torn')
    report = verify(sample.folder)
    assert report.ok
    assert report.open == (run,)
    assert build.shell(sample.folder)[0] == 0
    edit(sample.folder / "runs" / run / "journal.jsonl", '"seq":1', '"seq":2')
    assert not verify(sample.folder).ok
    assert build.shell(sample.folder)[0] == 1


def test_a_quarantined_run_may_be_removed(sample: Sample) -> None:
    shutil.rmtree(sample.folder / "quarantine" / sample.quarantined)
    assert verify(sample.folder).ok
    assert build.shell(sample.folder)[0] == 0


def test_a_file_that_belongs_to_no_archive_is_a_warning(sample: Sample) -> None:
    (sample.folder / "notes.txt").write_text("mine")
    report = verify(sample.folder)
    assert report.ok
    assert [finding.where for finding in report.findings if "does not belong" in finding.what] == ["notes.txt"]


@pytest.mark.parametrize("name", ["nothing", "file", "empty"])
def test_what_is_no_archive_does_not_verify(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    assert not verify(tmp_path / name).ok


def by_hand(folder: Path) -> str:
    """Do what docs/archive.md says under its heading on sha256sum; returns all that it prints."""
    text = (build.ROOT / "docs" / "archive.md").read_text()
    steps = text.split("## Verify with `sha256sum` alone")[1].split("\n## ")[0].split("```\n")[1::2]
    assert len(steps) == 6
    done = subprocess.run(["/bin/sh", "-c", "\n".join(steps)], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_steps_with_sha256sum_alone_find_what_they_say(sample: Sample) -> None:
    said = by_hand(sample.folder)
    assert said.count("FAILED") == 1
    assert f"runs/{sample.quarantined}/run.json: FAILED open or read" in said
    assert said.count("# event open") == 4
    assert said.count("# event close") == 4
    edit(run_of(sample) / "report.html", "title", "tilte")
    (run_of(sample) / "report.htm").write_text("x")
    remade(sample, 5, time="2019-01-01T00:00:00.000000Z")
    said = by_hand(sample.folder)
    assert "report.html: FAILED" in said
    assert f"runs/{sample.first}/./report.htm\n" in said
    assert "log/000005.entry: FAILED" in said


def mutated(data: bytes, dice: random.Random) -> bytes | None:
    """Return ``data`` changed at random, or None for "remove the file"."""
    at = dice.randrange(len(data) + 1)
    to = min(len(data), at + dice.choice((1, 1, 2, 16, 64)))
    rows = data.splitlines(keepends=True)
    dice.shuffle(rows)
    return dice.choice(
        (
            lambda: data[:at] + bytes((byte ^ 1 << dice.randrange(8)) for byte in data[at:to]) + data[to:],
            lambda: data[:at],
            lambda: data[:at] + data[to:],
            lambda: data[:at] + dice.randbytes(to - at + 1) + data[at:],
            lambda: data[:to] + data[at:],
            lambda: data[:at] + bytes(to - at) + data[to:],
            lambda: b"".join(rows),
            lambda: data + data,
            lambda: data[:at] + b"[" * 3000 + data[at:],
            lambda: None,
        )
    )()


def test_of_thousands_of_random_damages_none_is_unseen_and_none_stops_the_verifier(sample: Sample) -> None:
    dice = random.Random(20261123)
    covered = [path for name in ("log", "runs") for path in (sample.folder / name).rglob("*") if path.is_file()]
    unseen = []
    for turn in range(3000):
        path = dice.choice(covered)
        before = path.read_bytes()
        after = mutated(before, dice)
        if after == before:
            continue
        path.unlink() if after is None else path.write_bytes(after)
        report = verify(sample.folder)
        # The newest entry gone is the cut tail that no archive can show by itself.
        if report.ok and (after is not None or path != entry_of(sample, 10)):
            unseen.append((turn, path))
        assert not any("could not be verified" in finding.what for finding in report.findings), str(report)
        path.write_bytes(before)
    assert unseen == []
    assert verify(sample.folder).ok


def test_both_verifiers_agree_on_random_damage(sample: Sample) -> None:
    dice = random.Random(8)
    covered = [path for name in ("log", "runs") for path in (sample.folder / name).rglob("*") if path.is_file()]
    for _ in range(40):
        path = dice.choice(covered)
        before = path.read_bytes()
        after = mutated(before, dice)
        path.unlink() if after is None else path.write_bytes(after)
        assert build.shell(sample.folder)[0] == (0 if verify(sample.folder).ok else 1), (path, after)
        path.write_bytes(before)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_reading_an_entry_or_a_manifest_never_ends_in_another_error(data: bytes) -> None:
    for parse in (log.parse, seal.parse):
        with suppress(ValueError):
            assert parse(data) is not None


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 999_999), st.sampled_from(["heartbeat", "note"]), st.text(max_size=500))
def test_an_entry_is_read_back_as_it_was_written(seq: int, event: str, text: str) -> None:
    time = now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    sums = (("a" * 64, log.name_of(seq - 1)),) if seq > 1 else ()
    entry = log.Entry(seq, event, "-", time, "", log._plain(text), sums)
    assert log.parse(entry.encode()) == entry


def test_a_line_end_in_a_text_cannot_forge_a_line_of_an_entry(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "running").mkdir()
    entry = log.Log(tmp_path).append("note", "-", text="fine\n# state quarantined\nü")
    assert log.parse((tmp_path / log.name_of(1)).read_bytes()) == entry
    assert entry.text == "fine?# state quarantined??"
    assert json.dumps(entry.text).isascii()
