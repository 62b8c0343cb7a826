"""What both verifiers say: the Python one, and the packaged shell script. Tampering has a file of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib import sshsig
from opslib.archive import keys, log, seal
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.archive.verify_report import NOT_ANCHORED
from opslib.errors import UsageError
from opslib.model import now
from tests.scale import first

from . import build
from .conftest import Sample
from .tampering import Whole, edit, key_added, remade, resealed

Tamper = Callable[[Sample], object]


def run_of(sample: Sample) -> Path:
    return sample.folder / "runs" / sample.first


def entry_of(sample: Sample, seq: int) -> Path:
    return sample.folder / log.name_of(seq)


def own_key() -> str:
    return sshsig.fingerprint(keys.load(Path("/nowhere")).public)


def test_an_untouched_archive_verifies_and_says_what_it_cannot_prove(sample: Sample) -> None:
    report = verify(sample.folder)
    assert report.ok, str(report)
    assert report.sealed == (sample.first, sample.second, sample.interrupted, sample.last)
    assert report.quarantined == (sample.quarantined,)
    assert report.entries == 11
    assert report.statement == (
        f"SIGNED by key {own_key()}: that it is the right key only a signers file from elsewhere can show. "
        + NOT_ANCHORED
    )
    assert report.statement in str(report)
    code, said = build.shell(sample.folder)
    assert code == 0, said
    assert report.statement in said
    assert f"head {report.head}\n" in said
    assert f"head {report.head}\n" in str(report)


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
    for seq in (10, 11):
        entry_of(sample, seq).unlink()
        (sample.folder / log.signature_of(seq)).unlink()
    shutil.rmtree(sample.folder / "runs" / sample.last)


def test_a_cut_seal_leaves_a_run_that_looks_open_and_is_told_apart_from_one_that_runs(sample: Sample) -> None:
    entry_of(sample, 11).unlink()
    report = verify(sample.folder)
    assert report.open == (sample.last,)
    assert any("the newest entry was removed" in finding.what for finding in report.findings)
    assert any("the log's end was cut" in finding.what for finding in report.findings)


def rewritten(sample: Sample) -> None:
    """Change a sealed verdict and make everything after it anew, with the key that signs."""
    edit(sample.folder / "runs" / sample.second / "result.json", "CRITICAL", "OK")
    resealed(sample.folder / "runs" / sample.second)
    build.rechain(sample.folder, key=keys.path())


@pytest.mark.parametrize("act", [cut, rewritten])
def test_a_cut_tail_and_a_rewrite_are_not_excluded_without_a_noted_head_and_are_found_with_one(
    sample: Sample, act: Tamper
) -> None:
    noted = verify(sample.folder).head
    held = verify(sample.folder, noted)
    assert held.ok
    assert "ANCHORED up to entry 11 of 11." in str(held)
    assert held.statement in build.shell(sample.folder, noted)[1]
    act(sample)
    report, (code, said) = verify(sample.folder), build.shell(sample.folder)
    assert report.ok, "an archive alone cannot show this"
    assert code == 0
    assert NOT_ANCHORED in str(report)
    assert NOT_ANCHORED in said
    report, (code, said) = verify(sample.folder, noted), build.shell(sample.folder, noted)
    assert not report.ok
    assert code == 1
    assert "cut or rewritten" in str(report)
    assert "cut or rewritten" in said


@pytest.mark.parametrize(
    "noted", first(3, "$(ls)", "5:" + "0" * 64, "1:12", "x", "5", ":", "0:" + "0" * 64, "9999999:" + "0" * 64)
)
def test_a_noted_head_that_is_none_is_an_error(sample: Sample, noted: str) -> None:
    assert not verify(sample.folder, noted).ok
    assert build.shell(sample.folder, noted)[0] == 1


def test_a_clock_that_went_backwards_is_a_warning(sample: Sample) -> None:
    remade(sample.folder, 11, time="2019-01-01T00:00:00.000000Z")
    build.rechain(sample.folder, 11, keys.path())
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
    steps = text.split("## Verify with `sha256sum` and `ssh-keygen` alone")[1].split("\n## ")[0].split("```\n")[1::2]
    assert len(steps) == 7
    done = subprocess.run(["/bin/sh", "-c", "\n".join(steps)], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_steps_with_plain_tools_alone_find_what_they_say(sample: Sample) -> None:
    said = by_hand(sample.folder)
    assert said.count("FAILED") == 1
    assert f"runs/{sample.quarantined}/run.json: FAILED open or read" in said
    assert said.count("# event open") == 4
    assert said.count("# event close") == 4
    assert f'11 Good "opslib-archive" signature with ED25519 key {own_key()}\n' in said
    assert "Could not verify" not in said
    edit(run_of(sample) / "report.html", "title", "tilte")
    (run_of(sample) / "report.htm").write_text("x")
    remade(sample.folder, 5, time="2019-01-01T00:00:00.000000Z")
    said = by_hand(sample.folder)
    assert "report.html: FAILED" in said
    assert f"runs/{sample.first}/./report.htm\n" in said
    assert "log/000005.entry: FAILED" in said
    assert '10 Good "opslib-archive" signature' in said
    assert "Could not verify" in said


def unsigned(folder: Path, runs: int) -> None:
    """Make an archive as it was before entries were signed."""
    archive = Archive(folder)
    for number in range(1, runs + 1):
        build.sealed(archive, number)
    entries = [log.parse((folder / log.name_of(seq)).read_bytes()) for seq in range(2, 2 * runs + 2)]
    for path in [*(folder / "log").iterdir(), folder / keys.SIGNERS]:
        path.unlink()
    for seq, entry in enumerate(entries, 1):
        before = [(seal.sha256(folder / log.name_of(seq - 1)), log.name_of(seq - 1))] if seq > 1 else []
        new = log.Entry(**{**entry.__dict__, "seq": seq, "sums": (*before, (entry.sha256, entry.file))})
        (folder / log.name_of(seq)).write_bytes(new.encode())


def test_an_archive_older_than_its_signatures_verifies_and_says_which_entries_are_unsigned(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    unsigned(folder, 2)
    report = verify(folder)
    assert report.ok, str(report)
    assert report.statement.startswith("NOT SIGNED: ")
    assert report.statement in build.shell(folder)[1]
    build.sealed(Archive(folder), 3)
    report = verify(folder)
    assert report.ok, str(report)
    assert "Entries 1 to 4 are unsigned; entry 5 vouches for them as they are." in report.statement
    code, said = build.shell(folder)
    assert code == 0, said
    assert report.statement in said
    edit(folder / log.name_of(2), "# time 20", "# time 19")
    assert not verify(folder).ok
    assert build.shell(folder)[0] == 1


def test_a_signature_that_a_crash_left_is_told_and_replaced_by_the_next_entry(sample: Sample) -> None:
    shutil.copy(sample.folder / log.signature_of(11), sample.folder / log.signature_of(12))
    report = verify(sample.folder)
    assert report.ok
    assert any("cut off before it was written" in finding.what for finding in report.findings)
    code, said = build.shell(sample.folder)
    assert code == 0
    assert "cut off before it was written" in said
    log.Log(sample.folder).append("note", "-", text="after the crash")
    report = verify(sample.folder)
    assert report.ok
    assert not any(finding.where.endswith(".sig") for finding in report.findings)


def test_an_entry_by_a_host_that_nobody_introduced_is_an_error_unless_the_auditor_knows_it(
    sample: Sample, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger"
    keys.create(stranger)
    log.Log(sample.folder, stranger).append("note", "-", text="hello")
    public = sshsig.Signer(stranger).public
    report = verify(sample.folder)
    (finding,) = [found for found in report.findings if found.severity == "error"]
    assert finding.where == "log/000012.entry.sig"
    assert "which no earlier entry adds" in finding.what
    code, said = build.shell(sample.folder)
    assert code == 1
    assert str(finding) in said
    signers = tmp_path / "signers"
    shutil.copy(sample.folder / keys.SIGNERS, signers)
    assert verify(sample.folder, signers=signers).ok
    assert build.shell(sample.folder, signers=signers)[0] == 0
    assert f"{sshsig.fingerprint(public)}: named by the signers file given." in str(
        verify(sample.folder, signers=signers)
    )


def test_a_key_that_a_key_unknown_to_the_auditor_adds_is_not_trusted(copy: Whole) -> None:
    key_added(copy, copy.own)
    assert not verify(copy.folder).ok
    assert not verify(copy.folder, signers=copy.signers).ok


@pytest.mark.parametrize(
    "line", ["host@vm", 'host@vm valid-before="20300101" ssh-ed25519 AAAA', "host@vm ssh-rsa AAAA", "\xff"]
)
def test_a_signers_file_that_cannot_be_obeyed_is_refused_by_both(sample: Sample, tmp_path: Path, line: str) -> None:
    signers = tmp_path / "signers"
    signers.write_bytes((sample.folder / keys.SIGNERS).read_bytes() + f"{line}\n".encode("latin-1"))
    with pytest.raises(UsageError):
        verify(sample.folder, signers=signers)
    assert build.shell(sample.folder, signers=signers)[0] == 1


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
    assert log.Log(tmp_path).append("note", "-").seq == 2
    entry = log.Log(tmp_path).append("note", "-", text="fine\n# state quarantined\nü")
    assert log.parse((tmp_path / log.name_of(3)).read_bytes()) == entry
    assert entry.text == "fine?# state quarantined??"
    assert entry.text.isascii()


def test_names_in_a_hostile_archive_neither_steer_the_terminal_nor_start_anything(whole: Whole, tmp_path: Path) -> None:
    shutil.copytree(whole.folder, folder := tmp_path / "archive")
    run = folder / "runs" / whole.applied
    touch = "touch started"
    for name in (
        "\x1b]0;owned\x07\x1b[2K.approval",
        f"$({touch}).approval",
        f"`{touch}`;{touch}.approval",
        "-rf.approval",
    ):
        (run / "approvals" / name).write_text("# opslib approval 1\n")
        (folder / "log" / name).write_text("x")
        (folder / "runs" / name).mkdir()
    code, said = build.shell(folder)
    assert code == 1
    report = verify(folder)
    assert not report.ok
    assert not [char for char in said + str(report) if ord(char) < 32 and char != "\n"]
    assert not [path for path in tmp_path.rglob("*") if path.name == "started"]


def test_of_a_run_in_quarantine_what_was_asked_is_checked_while_it_is_there(sample: Sample) -> None:
    asked = sample.folder / "quarantine" / sample.quarantined / "run.json"
    asked.write_text("{}")
    assert not verify(sample.folder).ok
    asked.unlink()
    assert verify(sample.folder).ok


def test_keys_that_are_added_or_revoked_out_of_order_are_errors(sample: Sample, tmp_path: Path) -> None:
    keys.create(tmp_path / "second")
    public = sshsig.Signer(tmp_path / "second").public
    book = log.Log(sample.folder)
    keys.revoke(book, sshsig.fingerprint(public))
    keys.introduce(book, public, "host@ops-2")
    keys.introduce(book, public, "host@ops-2")
    found = [str(one) for one in verify(sample.folder).findings if one.severity == "error"]
    assert found == [
        "error: log/000012.entry: revokes a key that no earlier entry adds, or a second time",
        "error: log/000013.entry: adds a key that an earlier entry adds or revokes",
        "error: log/000014.entry: adds a key that an earlier entry adds or revokes",
    ]
    code, said = build.shell(sample.folder)
    assert code == 1
    assert all(line in said for line in found)
