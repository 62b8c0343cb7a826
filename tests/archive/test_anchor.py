from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opslib import sshsig
from opslib.archive import anchor, log
from opslib.archive import keys as archive_keys
from opslib.archive.anchor import Head
from opslib.archive.keys import NAMESPACE
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import ArchiveError, Unreachable
from opslib.settings import Settings
from opslib.systems.anchor_store import AnchorStore
from tests.conftest import LabInUse

from . import build

LAST = 5
"""The newest entry: after the key's, two runs with two each."""


class Keys:
    """Three private keys: the archive's own, one that the archive may introduce, and a stranger's."""

    def __init__(self, folder: Path) -> None:
        self.own, self.second, self.strange = folder / "own", folder / "second", folder / "strange"
        for path in (self.own, self.second, self.strange):
            path.write_bytes(sshsig.generate())
            path.chmod(0o600)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def settings(lab: LabInUse) -> Settings:
    return lab.settings


@pytest.fixture
def store(settings: Settings) -> Iterator[AnchorStore]:
    one = AnchorStore(settings)
    yield one
    one.close()


@pytest.fixture
def folder(tmp_path: Path, keys: Keys) -> Path:
    """An archive of a key and two runs, of its own for every test: its name in the store is its first entry's."""
    archive = Archive(tmp_path / "archive", keys.own)
    build.sealed(archive, 1)
    build.sealed(archive, 2)
    return archive.folder


def entry(folder: Path, seq: int) -> bytes:
    return (folder / log.name_of(seq)).read_bytes()


def noted(head: Head) -> str:
    return f"{head.seq}:{head.sha256}"


def forge(folder: Path, seq: int, **said: str) -> bytes:
    """An entry of the right form that the archive does not hold."""
    return replace(log.parse(entry(folder, seq)), time="2026-11-01T00:00:00.000001Z", **said).encode()  # type: ignore[arg-type]


def put(store: AnchorStore, folder: Path, seq: int, data: bytes, content: bytes | None = None) -> None:
    """Publish ``content`` under the name that ``data`` would have."""
    key = f"heads/{anchor.identity(folder)}/{seq:06d}-{hashlib.sha256(data).hexdigest()}"
    store.call("put_object", Key=key, Body=data if content is None else content)


def test_the_newest_head_is_published_once_however_often_and_read_back(
    folder: Path, settings: Settings, store: AnchorStore
) -> None:
    before = datetime.now(UTC)
    said = anchor.publish(folder, settings)
    assert anchor.publish(folder, settings) == said
    assert (said.seq, said.sha256) == (LAST, hashlib.sha256(entry(folder, LAST)).hexdigest())
    assert said.where.startswith(f"s3://{settings.anchor_bucket}/heads/{hashlib.sha256(entry(folder, 1)).hexdigest()}/")
    [row] = store.versions(f"heads/{anchor.identity(folder)}/")
    assert store.content(row).startswith(entry(folder, LAST))
    found = anchor.published(folder, settings)
    assert [(head.seq, head.sha256) for head in found.heads] == [(LAST, said.sha256)]
    assert abs(found.heads[0].at - before) < timedelta(minutes=1)
    assert found.findings == ()
    assert verify(folder, noted(found.heads[0])).ok
    assert found.anchored == ((LAST, said.sha256, f"{found.heads[0].at:%Y-%m-%dT%H:%M:%SZ}"),)
    assert verify(folder, anchored=found.anchored).ok


def test_the_published_copy_holds_the_signature_and_proves_itself_without_the_entry(
    folder: Path, settings: Settings, store: AnchorStore
) -> None:
    anchor.publish(folder, settings)
    [row] = store.versions(f"heads/{anchor.identity(folder)}/")
    signature = (folder / log.signature_of(LAST)).read_bytes()
    assert store.content(row) == entry(folder, LAST) + signature
    assert sshsig.verify(entry(folder, LAST), signature, NAMESPACE)
    (folder / log.name_of(LAST)).unlink()
    assert [head.seq for head in anchor.published(folder, settings).heads] == [LAST]


def test_a_head_by_a_key_that_the_archive_no_longer_names_is_still_known(
    folder: Path, settings: Settings, keys: Keys
) -> None:
    archive_keys.introduce(log.Log(folder, keys.own), sshsig.Signer(keys.second).public, "host@ops-2")
    build.sealed(Archive(folder, keys.second), 3)
    anchor.publish(folder, settings)
    last = log.Log(folder).newest()
    was = (last, hashlib.sha256(entry(folder, last)).hexdigest())
    for seq in range(LAST + 1, last + 1):
        (folder / log.name_of(seq)).unlink()
        (folder / log.signature_of(seq)).unlink()
    build.sealed(Archive(folder, keys.own), 4)
    found = anchor.published(folder, settings)
    assert [(head.seq, head.sha256) for head in found.heads] == [was]
    assert found.findings == ()


def cut(folder: Path, _key: Path) -> None:
    last = log.parse(entry(folder, LAST)).run
    for seq in (4, 5):
        (folder / log.name_of(seq)).unlink()
        (folder / log.signature_of(seq)).unlink()
    shutil.rmtree(folder / "runs" / last)


def rewrite(folder: Path, key: Path) -> None:
    run = log.parse(entry(folder, LAST)).run
    (folder / "runs" / run / "report.html").write_text("all is well")
    manifest = folder / "runs" / run / "MANIFEST.sha256"
    lines = [line for line in manifest.read_text().splitlines() if not line.endswith("  report.html")]
    sha = hashlib.sha256(b"all is well").hexdigest()
    manifest.write_text("".join(f"{line}\n" for line in sorted([*lines, f"{sha}  report.html"], key=lambda x: x[66:])))
    build.rechain(folder)
    for seq in log.Log(folder).numbers():
        (folder / log.signature_of(seq)).write_bytes(sshsig.sign(entry(folder, seq), NAMESPACE, key))


@pytest.mark.parametrize("harm", [cut, rewrite])
def test_a_tail_cut_or_rewritten_by_the_holder_of_folder_and_key_contradicts_what_was_published(
    folder: Path, settings: Settings, keys: Keys, harm: Callable[[Path, Path], None]
) -> None:
    anchor.publish(folder, settings)
    harm(folder, keys.own)
    assert verify(folder).ok, "the archive alone cannot tell"
    [head] = anchor.published(folder, settings).heads
    report = verify(folder, noted(head))
    assert not report.ok
    assert any("cut or rewritten" in finding.what for finding in report.findings)


def test_an_archive_made_anew_does_not_pass_for_the_one_that_was_published(folder: Path, settings: Settings) -> None:
    anchor.publish(folder, settings)
    was = anchor.identity(folder)
    shutil.rmtree(folder)
    build.sealed(Archive(folder), 1)
    found = anchor.published(folder, settings)
    assert found.heads == ()
    [finding] = found.findings
    assert finding.severity == "error"
    assert "holds no head of this archive" in finding.what
    assert "is this the archive it was?" in finding.what
    assert was != found.archive


def test_an_archive_without_a_readable_first_entry_is_an_error(folder: Path, settings: Settings) -> None:
    anchor.publish(folder, settings)
    (folder / log.name_of(1)).unlink()
    [finding] = anchor.published(folder, settings).findings
    assert (finding.severity, "first entry cannot be read" in finding.what) == ("error", True)


@pytest.mark.parametrize("what", ["rubbish", "large", "unsigned", "stranger", "copied", "number", "other", "name"])
def test_what_the_publishing_key_alone_can_add_is_told_and_not_trusted(
    folder: Path, settings: Settings, store: AnchorStore, keys: Keys, what: str
) -> None:
    anchor.publish(folder, settings)
    data, signed = forge(folder, LAST), sshsig.sign(entry(folder, LAST), NAMESPACE, keys.own)
    content = {
        "rubbish": b"\x00 no entry",
        "large": b"x" * 100_000,
        "unsigned": data,
        "stranger": data + sshsig.sign(data, NAMESPACE, keys.strange),
        "copied": data + signed,
        "number": entry(folder, LAST) + signed,
        "other": entry(folder, 3) + sshsig.sign(entry(folder, 3), NAMESPACE, keys.own),
        "name": b"",
    }[what]
    if what == "name":
        store.call("put_object", Key=f"heads/{anchor.identity(folder)}/000005-\u202eabc", Body=content)
    elif what == "number":
        put(store, folder, 9, entry(folder, LAST), content)
    else:
        put(store, folder, LAST, data, content)
    found = anchor.published(folder, settings)
    assert [noted(head) for head in found.heads] == [f"{LAST}:{hashlib.sha256(entry(folder, LAST)).hexdigest()}"]
    assert [finding.severity for finding in found.findings] == ["warning"]
    assert str(found.findings[0]).isascii()
    assert verify(folder, noted(found.heads[0])).ok


def test_a_name_put_again_keeps_its_first_content_and_time(
    folder: Path, settings: Settings, store: AnchorStore, keys: Keys
) -> None:
    data = forge(folder, LAST)
    put(store, folder, LAST, data, data + sshsig.sign(data, NAMESPACE, keys.own))
    [first] = anchor.published(folder, settings).heads
    put(store, folder, LAST, data, b"something else")
    store.call("delete_object", Key=store.versions(f"heads/{anchor.identity(folder)}/")[0].key)
    found = anchor.published(folder, settings)
    assert found.heads == (first,)
    assert [finding.what for finding in found.findings] == ["was put 2 times; every version is kept"]


def test_two_proven_heads_of_one_number_are_a_fork(
    folder: Path, settings: Settings, store: AnchorStore, keys: Keys
) -> None:
    anchor.publish(folder, settings)
    data = forge(folder, LAST)
    put(store, folder, LAST, data, data + sshsig.sign(data, NAMESPACE, keys.own))
    found = anchor.published(folder, settings)
    assert len(found.heads) == 2
    [finding] = found.findings
    assert (finding.severity, finding.where, "forked" in finding.what) == ("error", "log/000005.entry", True)


def test_more_rubbish_than_is_read_is_an_error_and_the_list_stays_short(
    folder: Path, settings: Settings, store: AnchorStore, keys: Keys
) -> None:
    for number in range(25):
        put(store, folder, 100 + number, b"%d" % number, b"rubbish")
    anchor.publish(folder, settings)
    found = anchor.published(folder, settings)
    assert [head.seq for head in found.heads] == [LAST]
    assert len(found.findings) == anchor.TOLD + 1
    assert found.findings[-1].what == "5 more of this kind"
    few = anchor.published(folder, settings, most=10)
    assert [head.seq for head in few.heads] == [LAST]
    assert [str(finding) for finding in few.findings if finding.severity == "error"] == [
        "error: published: 15 copies that do not fit were not looked at"
    ]


def test_a_name_that_somebody_else_took_is_not_taken_for_published(
    folder: Path, settings: Settings, store: AnchorStore
) -> None:
    put(store, folder, LAST, entry(folder, LAST), b"something else")
    with pytest.raises(ArchiveError, match="holds something else"):
        anchor.publish(folder, settings)


def test_nothing_and_damage_are_not_published(tmp_path: Path, folder: Path, settings: Settings) -> None:
    with pytest.raises(ArchiveError, match="no entry to publish"):
        anchor.publish(tmp_path / "nothing", settings)
    (folder / log.name_of(LAST)).write_bytes(entry(folder, LAST)[:-1])
    with pytest.raises(ArchiveError, match="cannot be published"):
        anchor.publish(folder, settings)


def test_a_store_that_does_not_answer_is_told_and_the_archive_stays_as_it_is(folder: Path, settings: Settings) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    closed = settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"})
    for act in (anchor.publish, anchor.published):
        with pytest.raises(Unreachable, match="no connection"):
            act(folder, closed)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_in_an_archive_without_keys_a_head_is_known_by_its_form_alone(
    tmp_path: Path, settings: Settings, store: AnchorStore
) -> None:
    folder = tmp_path / "unsigned"
    time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    first = log.Entry(1, "note", "-", time).encode()
    (folder / "log").mkdir(parents=True)
    (folder / "running").mkdir()
    (folder / log.name_of(1)).write_bytes(first)
    said = anchor.publish(folder, settings)
    other = log.Entry(2, "note", "-", time, sums=((said.sha256, log.name_of(1)),)).encode()
    put(store, folder, 2, other)
    put(store, folder, 3, b"rubbish")
    found = anchor.published(folder, settings)
    assert [(head.seq, head.sha256) for head in found.heads] == [
        (1, said.sha256),
        (2, hashlib.sha256(other).hexdigest()),
    ]
    assert [finding.where for finding in found.findings] == [
        f"published 000003-{hashlib.sha256(b'rubbish').hexdigest()[:12]}"
    ]


def test_a_store_that_holds_nothing_at_all_says_so_and_of_no_other_archive(folder: Path, settings: Settings) -> None:
    name = f"empty-{anchor.identity(folder)[:12]}"
    empty = settings.model_copy(update={"anchor_bucket": name})
    one = AnchorStore(empty)
    one.call("create_bucket")
    one.close()
    [finding] = anchor.published(folder, empty).findings
    assert finding.what == f"s3://{name} holds no head of this archive ({anchor.identity(folder)[:12]})"


def published_keys(store: AnchorStore, folder: Path) -> list[int]:
    """The numbers of the key entries that the store holds, each once for every version."""
    rows = store.versions(f"keys/{anchor.identity(folder)}/")
    return sorted(int(row.key.split("/")[2][:6]) for row in rows)


@pytest.mark.parametrize("hint", [None, "", "x", "0", "-1", "999", "1"])
def test_entries_that_add_or_revoke_keys_are_published_once_whatever_the_hint_says(
    folder: Path, settings: Settings, store: AnchorStore, keys: Keys, hint: str | None
) -> None:
    where = folder / anchor.HINT
    where.write_text("999")
    anchor.publish(folder, settings)
    assert published_keys(store, folder) == [1]
    archive_keys.introduce(log.Log(folder, keys.own), sshsig.Signer(keys.second).public, "host@ops-2")
    assert where.read_text() == "5"
    if hint is None:
        where.unlink()
    else:
        where.write_text(hint)
    anchor.publish(folder, settings)
    anchor.publish(folder, settings)
    assert published_keys(store, folder) == [1, 6]
    assert where.read_text() == "6"


def test_a_key_right_after_what_was_looked_through_is_published(
    folder: Path, settings: Settings, store: AnchorStore, keys: Keys
) -> None:
    anchor.publish(folder, settings)
    archive_keys.introduce(log.Log(folder, keys.own), sshsig.Signer(keys.second).public, "host@ops-2")
    Archive(folder, keys.own).append("note", "")
    archive_keys.revoke(log.Log(folder, keys.own), sshsig.fingerprint(sshsig.Signer(keys.second).public))
    anchor.publish(folder, settings)
    assert published_keys(store, folder) == [1, 6, 8]


def test_just_so_many_copies_that_do_not_fit_are_read_as_may_be(
    folder: Path, settings: Settings, store: AnchorStore, keys: Keys
) -> None:
    anchor.publish(folder, settings)
    data = forge(folder, LAST)
    put(store, folder, LAST, data, data + sshsig.sign(data, NAMESPACE, keys.own))
    assert len(anchor.published(folder, settings, most=1).heads) == 2
    put(store, folder, 7, b"rubbish", b"rubbish")
    two = anchor.published(folder, settings, most=2)
    assert [str(finding) for finding in two.findings if "prove itself" in finding.what] == [
        f"warning: published 000007-{hashlib.sha256(b'rubbish').hexdigest()[:12]}: "
        "does not prove itself and is not trusted"
    ]
    assert not any("not looked at" in finding.what for finding in two.findings)
    none = anchor.published(folder, settings, most=0)
    assert len(none.heads) == 1
    assert [finding.what for finding in none.findings] == ["2 copies that do not fit were not looked at"]
    assert anchor.MOST == 1000


def test_many_findings_are_told_with_how_many_more_there_are() -> None:
    many = [anchor.Finding("error", "a", str(number)) for number in range(22)]
    assert anchor.few(many[:20]) == many[:20]
    assert anchor.few(many[:21]) == [*many[:20], anchor.Finding("warning", "published", "1 more of this kind")]
    assert anchor.few([]) == []


def test_which_other_archives_a_store_holds_is_told(folder: Path, settings: Settings, tmp_path: Path) -> None:
    name = f"other-{anchor.identity(folder)[:12]}"
    there = settings.model_copy(update={"anchor_bucket": name})
    one = AnchorStore(there)
    one.call("create_bucket", ObjectLockEnabledForBucket=True)
    one.close()
    anchor.publish(folder, there)
    build.sealed(Archive(tmp_path / "new"), 1)
    [finding] = anchor.published(tmp_path / "new", there).findings
    own = anchor.identity(tmp_path / "new")
    assert finding.what == (
        f"s3://{name} holds no head of this archive ({own[:12]}), "
        f"but of {anchor.identity(folder)[:12]}: is this the archive it was?"
    )
