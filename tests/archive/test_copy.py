from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from opslib.archive import anchor, copy, timestamp
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.errors import ArchiveError, Refused, Unreachable
from opslib.redaction import Redactor
from opslib.settings import Settings
from opslib.systems.anchor_store import AnchorStore
from tests.conftest import LabInUse

from . import build


@pytest.fixture
def settings(lab: LabInUse) -> Settings:
    return lab.settings


@pytest.fixture
def store(settings: Settings) -> Iterator[AnchorStore]:
    one = AnchorStore(settings)
    yield one
    one.close()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Sealed runs, one in quarantine, and one that is open."""
    one = Archive(tmp_path / "archive")
    build.sealed(one, 1)
    build.sealed(one, 2, "CRITICAL")
    leaking = build.asked(3)
    place = one.open(leaking)
    build.fill(place)
    (place / "evidence" / "leak.txt").write_text(build.SECRET.reveal())
    with pytest.raises(ArchiveError):
        one.close(leaking["run"], Redactor([build.SECRET]))
    one.open(build.asked(4))
    return one


def content(folder: Path, *trees: str) -> dict[str, bytes]:
    found = (path for tree in trees for path in (folder / tree).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def heads(folder: Path, settings: Settings) -> list[str]:
    return [f"{head.seq}:{head.sha256}" for head in anchor.published(folder, settings).heads]


def test_the_drill_an_archive_is_fetched_to_an_empty_folder_and_verified_with_plain_tools(
    archive: Archive, settings: Settings, tmp_path: Path
) -> None:
    anchor.publish(archive.folder, settings)
    said = copy.copy(archive.folder, settings)
    assert said.seq == archive.log.newest()
    here = tmp_path / "fresh machine"
    fetched = copy.fetch(said.archive, settings, here)
    assert fetched == copy.Fetched(said.seq, 2, ())
    noted = heads(here, settings)
    assert len(noted) == 1
    assert (here / "verify.sh").read_bytes() == (archive.folder / "verify.sh").read_bytes()
    assert build.shell(here, *noted)[0] == 0
    assert "ANCHORED up to entry" in build.shell(here, *noted)[1]
    report = verify(here, anchored=anchor.published(here, settings).anchored)
    assert report.ok
    assert [len(report.sealed), len(report.open), len(report.quarantined)] == [2, 1, 1]
    closed = [f"runs/{run}" for run in report.sealed]
    assert content(here, "log", *closed) == content(archive.folder, "log", *closed)
    assert not any(build.SECRET.reveal().encode() in data for data in content(here, ".").values())


def test_the_copies_unpack_with_tar_alone(
    archive: Archive, settings: Settings, store: AnchorStore, tmp_path: Path
) -> None:
    said = copy.copy(archive.folder, settings)
    for row in store.versions(f"copies/{said.archive}/"):
        data = b"".join(store.stream(row.key, row.version))
        subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=data, check=True)
    assert content(tmp_path, "log") == content(archive.folder, "log")


def test_copying_again_adds_what_is_new_and_nothing_else(archive: Archive, settings: Settings, tmp_path: Path) -> None:
    first = copy.copy(archive.folder, settings)
    assert copy.copy(archive.folder, settings) == copy.Copied(first.archive, first.seq, 0)
    run = build.asked(4)["run"]
    build.fill(archive.folder / "runs" / run)
    archive.close(run, Redactor())
    again = copy.copy(archive.folder, settings)
    assert again == copy.Copied(first.archive, first.seq + 1, 2)
    fetched = copy.fetch(first.archive, settings, tmp_path / "here")
    assert (fetched.entries, fetched.runs, fetched.faults) == (again.seq, 3, ())
    assert verify(tmp_path / "here").ok


def test_the_fetched_archive_goes_on_as_the_first_would(archive: Archive, settings: Settings, tmp_path: Path) -> None:
    said = copy.copy(archive.folder, settings)
    copy.fetch(said.archive, settings, tmp_path / "here")
    there = Archive(tmp_path / "here")
    build.sealed(there, 9)
    report = verify(there.folder)
    assert report.ok
    assert report.open == ()


def tar(**members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("log/000077.entry")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(link)
    return out.getvalue()


def test_what_is_added_to_the_store_writes_nothing_outside_and_replaces_nothing(
    archive: Archive, settings: Settings, store: AnchorStore, tmp_path: Path
) -> None:
    said = copy.copy(archive.folder, settings)
    run = str(build.asked(1)["run"])
    members = {
        "../outside": b"x",
        "/outside": b"x",
        f"runs/{run}/../../outside": b"x",
        "log/000002.entry": b"forged",
        f"runs/{run}/report.html": b"forged",
        "verify.sh": b"exit 0",
    }
    bad = tar(**members)
    prefix = f"copies/{said.archive}/"
    own = next(row.key for row in store.versions(f"{prefix}runs/{run}-"))
    for name in (
        f"{prefix}log/000001-000099-{hashlib.sha256(bad).hexdigest()}.tar",
        own,
        f"{prefix}runs/{run}-{'0' * 64}.tar",
        f"{prefix}runs/20261101T000000Z-stranger-{'0' * 64}.tar",
        f"{prefix}../outside.tar",
    ):
        store.call("put_object", Key=name, Body=bad)
    rubbish = f"{prefix}log/000200-000300-{'0' * 64}.tar"
    store.call("put_object", Key=rubbish, Body=b"no tar file" * 100)
    here = tmp_path / "deep" / "here"
    fetched = copy.fetch(said.archive, settings, here)
    assert fetched.faults == (f"{rubbish} cannot be used",)
    assert verify(here).ok
    assert content(here, "log") == content(archive.folder, "log")
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["here"]
    assert not list(tmp_path.rglob("outside"))
    assert (here / "verify.sh").read_bytes() == (archive.folder / "verify.sh").read_bytes() != members["verify.sh"]


def test_rubbish_under_the_names_to_come_keeps_nothing_from_being_copied(
    archive: Archive, settings: Settings, store: AnchorStore, tmp_path: Path
) -> None:
    prefix = f"copies/{anchor.identity(archive.folder)}/"
    run = str(build.asked(1)["run"])
    sha = hashlib.sha256((archive.folder / "runs" / run / "MANIFEST.sha256").read_bytes()).hexdigest()
    store.call("put_object", Key=f"{prefix}log/000001-999999-{'0' * 64}.tar", Body=b"rubbish")
    forged = tar(**{"log/000001.entry": b"forged", "log/000900.entry": b"forged"})
    store.call("put_object", Key=f"{prefix}log/000001-000900-{hashlib.sha256(forged).hexdigest()}.tar", Body=forged)
    said = copy.copy(archive.folder, settings)
    assert said.added == 3
    again = copy.copy(archive.folder, settings)
    assert again == copy.Copied(said.archive, said.seq, 0)
    store.call("put_object", Key=f"{prefix}runs/{run}-{sha}.tar", Body=b"rubbish")
    fetched = copy.fetch(said.archive, settings, tmp_path / "here")
    assert len(fetched.faults) == 1
    assert not verify(tmp_path / "here").ok, "entries that were forged first are told by verifying, never believed"


def test_a_run_of_which_only_rubbish_was_kept_is_told(
    archive: Archive, settings: Settings, store: AnchorStore, tmp_path: Path
) -> None:
    run = str(build.asked(1)["run"])
    sha = hashlib.sha256((archive.folder / "runs" / run / "MANIFEST.sha256").read_bytes()).hexdigest()
    name = f"copies/{anchor.identity(archive.folder)}/runs/{run}-{sha}.tar"
    store.call("put_object", Key=name, Body=tar())
    said = copy.copy(archive.folder, settings)
    fetched = copy.fetch(said.archive, settings, tmp_path / "here")
    assert fetched.faults == (f"{name} cannot be used",)
    assert not verify(tmp_path / "here").ok


def test_a_folder_with_something_in_it_and_a_name_that_is_not_there_are_refused(
    archive: Archive, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="not empty"):
        copy.fetch("0" * 64, settings, archive.folder)
    with pytest.raises(ArchiveError, match="holds no copy"):
        copy.fetch("0" * 64, settings, tmp_path / "here")
    with pytest.raises(ArchiveError, match="no entry to copy"):
        copy.copy(tmp_path / "nothing", settings)
    with pytest.raises(Unreachable):
        copy.copy(archive.folder, settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9"}))
    assert not (tmp_path / "here").exists()


def bucket(settings: Settings, name: str) -> Settings:
    """The same target with a store of heads of its own."""
    other = settings.model_copy(update={"anchor_bucket": name})
    one = AnchorStore(other)
    try:
        one.call("create_bucket", ObjectLockEnabledForBucket=True)
    finally:
        one.close()
    return other


def test_a_stretch_to_come_that_somebody_put_first_with_other_content_is_told(
    archive: Archive, settings: Settings, store: AnchorStore
) -> None:
    elsewhere = bucket(settings, f"elsewhere-{anchor.identity(archive.folder)[:12]}")
    said = copy.copy(archive.folder, elsewhere)
    other = AnchorStore(elsewhere)
    (name,) = [row.key for row in other.versions(f"copies/{said.archive}/log/")]
    other.close()
    store.call("put_object", Key=name, Body=b"rubbish")
    with pytest.raises(ArchiveError, match="exists and holds something else"):
        copy.copy(archive.folder, settings)


def test_what_another_process_copied_at_the_same_moment_is_left_as_it_is(
    settings: Settings, store: AnchorStore
) -> None:
    name = f"copies/at-once/{os.urandom(8).hex()}"
    for _ in range(2):
        copy._put(store, name, b"the same")
    store.call("put_object", Key=name, Body=b"later")
    copy._put(store, name, b"the same")
    with pytest.raises(ArchiveError, match="exists and holds something else"):
        copy._put(store, name, b"later")
    assert [store.read(row.key, 100, row.version) for row in store.history(name)] == [b"the same", b"later"]


def test_rubbish_with_the_name_of_its_own_digest_is_told(
    archive: Archive, settings: Settings, store: AnchorStore, tmp_path: Path
) -> None:
    said = copy.copy(archive.folder, settings)
    name = f"copies/{said.archive}/log/000300-000400-{hashlib.sha256(b'rubbish').hexdigest()}.tar"
    store.call("put_object", Key=name, Body=b"rubbish")
    assert copy.fetch(said.archive, settings, tmp_path / "here").faults == (f"{name} cannot be used",)


def test_a_run_that_was_not_copied_or_had_gone_by_then_is_told(
    archive: Archive, settings: Settings, store: AnchorStore, tmp_path: Path
) -> None:
    name = anchor.identity(archive.folder)
    stretch = tar(**content(archive.folder, "log"))
    key = f"copies/{name}/log/000001-000009-{hashlib.sha256(stretch).hexdigest()}.tar"
    store.call("put_object", Key=key, Body=stretch)
    runs = [str(build.asked(number)["run"]) for number in (1, 2)]
    faults = copy.fetch(name, settings, tmp_path / "first").faults
    assert faults == tuple(f"runs/{run} was not copied" for run in runs)
    shutil.rmtree(archive.folder / "runs" / runs[0])
    copy.copy(archive.folder, settings)
    (fault,) = copy.fetch(name, settings, tmp_path / "second").faults
    assert fault.startswith(f"copies/{name}/runs/{runs[0]}-")
    assert fault.endswith(".tar cannot be used")


def test_an_archive_whose_lock_cannot_be_had_is_not_copied(archive: Archive, settings: Settings) -> None:
    (archive.folder / ".lock").unlink()
    (archive.folder / ".lock").mkdir()
    with pytest.raises(ArchiveError, match="cannot be copied"):
        copy.copy(archive.folder, settings)


def test_what_is_fetched_into_an_empty_folder_is_its_owners_alone(
    archive: Archive, settings: Settings, store: AnchorStore, tmp_path: Path
) -> None:
    deep = archive.folder / "runs" / str(build.asked(4)["run"]) / "evidence" / "deep" / "er"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    build.fill(deep.parents[2])
    archive.close(deep.parents[2].name, Redactor())
    (deep / "link").symlink_to("file")
    said = copy.copy(archive.folder, settings)
    here = tmp_path / "here"
    here.mkdir(mode=0o700)
    assert copy.fetch(said.archive, settings, here).faults == ()
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in here.rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_dir() or path.name == "verify.sh"} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file() and path.name not in ("verify.sh", ".lock")} == {
        0o600
    }
    fetched = here / deep.relative_to(archive.folder)
    assert [path.name for path in fetched.iterdir()] == ["file"]
    (key,) = [row.key for row in store.versions(f"copies/{said.archive}/log/")]
    with tarfile.open(fileobj=io.BytesIO(b"".join(store.stream(key)))) as made:
        assert {member.mode for member in made} == {0o600}


def test_a_token_that_came_after_its_entry_was_copied_is_copied_with_the_next(
    archive: Archive, settings: Settings, tmp_path: Path
) -> None:
    first = copy.copy(archive.folder, settings)
    token = archive.folder / timestamp.name_of(first.seq)
    token.parent.mkdir()
    token.write_bytes(b"a token")
    archive.append("heartbeat", "")
    copy.copy(archive.folder, settings)
    copy.fetch(first.archive, settings, tmp_path / "here")
    assert (tmp_path / "here" / timestamp.name_of(first.seq)).read_bytes() == b"a token"


def test_entries_that_were_forged_beforehand_do_not_pass_for_copies(
    archive: Archive, settings: Settings, store: AnchorStore
) -> None:
    names = sorted(path.name for path in (archive.folder / "log").iterdir())
    forged = tar(**{f"log/{name}": b"forged" for name in names})
    prefix = f"copies/{anchor.identity(archive.folder)}/"
    store.call("put_object", Key=f"{prefix}log/000001-000009-{hashlib.sha256(forged).hexdigest()}.tar", Body=forged)
    assert copy.copy(archive.folder, settings).added == 3
    assert copy.copy(archive.folder, settings).added == 0


@pytest.mark.parametrize("rubbish", [True, False])
def test_a_runs_copy_that_was_put_first_writes_nothing_outside_and_rubbish_is_told(
    archive: Archive, settings: Settings, store: AnchorStore, tmp_path: Path, rubbish: bool
) -> None:
    run = str(build.asked(1)["run"])
    manifest = (archive.folder / "runs" / run / "MANIFEST.sha256").read_bytes()
    held = content(archive.folder, f"runs/{run}")
    bad = tar(**held, **{f"runs/{run}/../../outside": b"x", f"runs/{run}/../../../outside": b"x"})
    name = f"copies/{anchor.identity(archive.folder)}/runs/{run}-{hashlib.sha256(manifest).hexdigest()}.tar"
    store.call("put_object", Key=name, Body=b"rubbish" if rubbish else bad)
    said = copy.copy(archive.folder, settings)
    fetched = copy.fetch(said.archive, settings, tmp_path / "deep" / "here")
    assert fetched.faults == ((f"{name} cannot be used",) if rubbish else ())
    assert not list(tmp_path.rglob("outside"))
    assert verify(tmp_path / "deep" / "here").ok is not rubbish


def test_a_run_in_whose_place_a_link_stands_is_not_followed(
    archive: Archive, settings: Settings, tmp_path: Path
) -> None:
    place = archive.folder / "runs" / str(build.asked(1)["run"])
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    said = copy.copy(archive.folder, settings)
    (fault,) = copy.fetch(said.archive, settings, tmp_path / "here").faults
    assert fault.endswith("cannot be used")
