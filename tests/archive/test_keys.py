"""The host's key: where it comes from, who may read it, and how further keys are added and revoked."""

from __future__ import annotations

import stat
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from opslib import sshsig
from opslib.archive import keys, log
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import ArchiveError, UsageError

from . import build

MAKE = """
import sys
from pathlib import Path
from opslib.archive import keys
print("ready", flush=True)
sys.stdin.readline()
print(keys.load(Path(sys.argv[1])).public, flush=True)
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("OPS_ARCHIVE_KEY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "opslib" / "archive-key"


def made(path: Path) -> Path:
    keys.create(path)
    return path


def events(folder: Path) -> list[str]:
    return [log.parse((folder / log.name_of(seq)).read_bytes()).event for seq in sorted(log.Log(folder).numbers())]


def test_the_key_is_made_at_first_use_for_its_owner_alone_and_ssh_keygen_reads_it(state: Path, tmp_path: Path) -> None:
    public = keys.load(tmp_path / "archive").public
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700
    assert list(state.parent.iterdir()) == [state]
    said = subprocess.run(["ssh-keygen", "-y", "-f", state], capture_output=True, text=True, check=True).stdout
    assert said.split()[:2] == public.split()
    assert keys.load(tmp_path / "archive").public == public


def test_processes_that_race_to_make_the_key_end_with_one(state: Path, tmp_path: Path) -> None:
    swarm = [build.child(MAKE, tmp_path / "archive", stdin=subprocess.PIPE) for _ in range(8)]
    for process in swarm:
        assert process.stdout is not None
        process.stdout.readline()
    said = Counter(process.communicate("go\n")[0] for process in swarm)
    assert list(said.values()) == [8]
    assert list(state.parent.iterdir()) == [state]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused_and_no_run_starts(state: Path, tmp_path: Path, mode: int) -> None:
    made(state).chmod(mode)
    with pytest.raises(ArchiveError, match="Others can read"):
        Archive(tmp_path / "archive").open(build.asked(1))
    assert events(tmp_path / "archive") == []
    assert list((tmp_path / "archive" / "runs").iterdir()) == []


def test_a_key_in_the_archive_is_refused(state: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    made(archive / "key")
    (tmp_path / "link").symlink_to(archive / "key")
    for file in (archive / "key", tmp_path / "link"):
        with pytest.raises(ArchiveError, match="lies in the archive"):
            keys.load(archive, file)


@pytest.mark.parametrize("content", [None, "", "no key"])
def test_a_named_key_that_is_none_is_refused_and_not_made(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    monkeypatch.setenv("OPS_ARCHIVE_KEY", str(tmp_path / "named"))
    if content is not None:
        (tmp_path / "named").write_text(content)
        (tmp_path / "named").chmod(0o600)
    with pytest.raises(ArchiveError, match="cannot be used"):
        keys.load(tmp_path / "archive")
    assert (tmp_path / "named").exists() == (content is not None)
    assert not state.exists()


def test_the_first_entry_introduces_the_key_that_signs_it(state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    build.sealed(Archive(folder), 1)
    assert events(folder) == ["key", "open", "close"]
    change = keys.parse(log.parse((folder / log.name_of(1)).read_bytes()).text)
    assert change.public == keys.load(folder).public
    assert (folder / keys.SIGNERS).read_text() == f"{change.line}\n"
    for seq in (1, 2, 3):
        armour = (folder / log.signature_of(seq)).read_bytes()
        assert sshsig.verify((folder / log.name_of(seq)).read_bytes(), armour, "opslib-archive") == change.public


def test_a_second_host_is_introduced_writes_and_is_revoked(state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    build.sealed(Archive(folder), 1)
    second = sshsig.Signer(made(tmp_path / "second"))
    keys.introduce(log.Log(folder), f"{second.public} a comment", "host@ops-2")
    build.sealed(Archive(folder, tmp_path / "second"), 2)
    assert events(folder) == ["key", "open", "close", "key", "open", "close"]
    assert verify(folder).ok
    keys.revoke(log.Log(folder), sshsig.fingerprint(second.public))
    with pytest.raises(ArchiveError, match="is revoked"):
        Archive(folder, tmp_path / "second").open(build.asked(3))
    build.sealed(Archive(folder), 4)
    report = verify(folder)
    assert report.ok, str(report)
    assert f"{sshsig.fingerprint(second.public)}" in report.statement
    assert (folder / keys.SIGNERS).read_text().endswith(f"# revoked {sshsig.fingerprint(second.public)}\n")


def test_a_key_is_changed_for_another(state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    build.sealed(Archive(folder), 1)
    old = keys.load(folder).public
    new = sshsig.Signer(made(tmp_path / "new"))
    keys.introduce(log.Log(folder), new.public, "host@ops-1")
    keys.revoke(log.Log(folder, tmp_path / "new"), sshsig.fingerprint(old))
    build.sealed(Archive(folder, tmp_path / "new"), 2)
    assert verify(folder).ok
    assert build.shell(folder)[0] == 0


def test_the_list_of_keys_is_written_anew_from_the_log_when_it_is_lost(state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    build.sealed(Archive(folder), 1)
    before = (folder / keys.SIGNERS).read_bytes()
    (folder / keys.SIGNERS).unlink()
    assert not verify(folder).ok
    build.sealed(Archive(folder), 2)
    assert (folder / keys.SIGNERS).read_bytes() == before
    assert events(folder).count("key") == 1
    assert verify(folder).ok


def test_a_list_that_lacks_the_newest_key_after_a_crash_is_a_warning_and_made_good(state: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    build.sealed(Archive(folder), 1)
    before = (folder / keys.SIGNERS).read_bytes()
    keys.introduce(log.Log(folder), sshsig.Signer(made(tmp_path / "second")).public, "host@ops-2")
    (folder / keys.SIGNERS).write_bytes(before)
    report = verify(folder)
    assert report.ok
    assert any("lacks the newest entry's key" in finding.what for finding in report.findings)
    assert build.shell(folder)[0] == 0
    log.Log(folder).append("note", "-")
    assert verify(folder).findings == ()


@pytest.mark.parametrize(
    ("public", "principal"),
    [("", "host@a"), ("ssh-rsa AAAA", "host@a"), ("KEY", "host a"), ("KEY", "*"), ("KEY", "-x"), ("KEY", "a\nb")],
)
def test_a_key_or_name_that_is_none_is_not_introduced(state: Path, tmp_path: Path, public: str, principal: str) -> None:
    given = sshsig.Signer(made(tmp_path / "second")).public if public == "KEY" else public
    with pytest.raises(UsageError):
        keys.introduce(log.Log(tmp_path / "archive"), given, principal)
    with pytest.raises(UsageError):
        keys.revoke(log.Log(tmp_path / "archive"), "SHA256:short")
    assert not (tmp_path / "archive").exists()


def test_signing_starts_no_other_program(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH")
    folder = tmp_path / "archive"
    for name in ("log", "running"):
        (folder / name).mkdir(parents=True)
    log.Log(folder).append("note", "-")
    assert events(folder) == ["key", "note"]


def test_a_signers_file_names_the_keys_that_are_for_archives(state: Path, tmp_path: Path) -> None:
    publics = [sshsig.Signer(made(tmp_path / name)).public for name in "abcd"]
    (tmp_path / "signers").write_text(
        "# a comment\n\n"
        f"host@a {publics[0]}\n"
        f'host@b,*@c namespaces="git,opslib-archive" {publics[1]} a comment\n'
        f'host@c namespaces="opslib-approve" {publics[2]}\n'
        f"#host@d {publics[3]}\n"
    )
    assert keys.read_signers(tmp_path / "signers") == {sshsig.fingerprint(public) for public in publics[:2]}


def test_a_signers_file_that_cannot_be_obeyed_is_refused_with_its_line(state: Path, tmp_path: Path) -> None:
    public = sshsig.Signer(made(tmp_path / "a")).public
    (tmp_path / "signers").write_text(f"host@a {public}\n\nhost@b cert-authority {public}\n")
    with pytest.raises(UsageError, match="signers line 3 is not of the form"):
        keys.read_signers(tmp_path / "signers")
    with pytest.raises(UsageError, match="cannot be read"):
        keys.read_signers(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "does not say which key"),
        ("revoke SHA256:short", "does not say which key"),
        ("add OTHER host@a PUBLIC", "another fingerprint"),
        ("add PRINT host a PUBLIC", "does not say which key"),
        ("add PRINT host@a PUBLIC more", "does not say which key"),
    ],
)
def test_a_text_that_says_no_key_is_none(state: Path, tmp_path: Path, text: str, why: str) -> None:
    public = sshsig.Signer(made(tmp_path / "a")).public
    own, other = sshsig.fingerprint(public), f"SHA256:{'A' * 43}"
    for word, value in {"PRINT": own, "OTHER": other, "PUBLIC": public}.items():
        text = text.replace(word, value)
    with pytest.raises(ValueError, match=why):
        keys.parse(text)
    good = keys.Change(own, "host@a", public)
    for change in (good, keys.Change(own)):
        assert keys.parse(change.text) == change


def test_the_key_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPS_ARCHIVE_KEY", "named")
    assert keys.path() == tmp_path / "named"
    monkeypatch.setenv("OPS_ARCHIVE_KEY", "")
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert keys.path() == tmp_path / "state" / "opslib" / "archive-key"
    monkeypatch.setenv("XDG_STATE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert keys.path() == tmp_path / "home" / ".local" / "state" / "opslib" / "archive-key"


def test_a_key_that_a_caller_names_is_not_made_and_why_it_cannot_be_used_is_told(state: Path, tmp_path: Path) -> None:
    for name, why in (("named", "No such file or directory"), ("folder", "it is no plain file")):
        (tmp_path / "folder").mkdir(mode=0o700, exist_ok=True)
        with pytest.raises(ArchiveError, match=f"key {tmp_path / name} cannot be used: {why}"):
            keys.load(tmp_path / "archive", tmp_path / name)
    assert not (tmp_path / "named").exists()
    assert not state.exists()


def test_a_name_that_is_none_is_told_with_the_beginning_of_the_key(state: Path, tmp_path: Path) -> None:
    public = sshsig.Signer(made(tmp_path / "a")).public
    with pytest.raises(UsageError) as caught:
        keys.introduce(log.Log(tmp_path / "archive"), public, "*")
    assert f"* with {public[:40]}… does not say" in str(caught.value)
