"""The whole look at an archive: inside, and against what the store of heads and the time stamp authority hold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opslib.archive import anchor, heartbeat, log, timestamp
from opslib.archive.audit import audit
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.settings import Settings
from tests.conftest import LabInUse

from . import build
from .authority import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    one = Authority(tmp_path_factory.mktemp("authority"))
    yield one
    one.close()


@pytest.fixture
def settings(lab: LabInUse, authority: Authority) -> Settings:
    return lab.settings.model_copy(update={"timestamp_url": authority.url, "timestamp_ca": authority.ca})


@pytest.fixture
def archive(tmp_path: Path, settings: Settings) -> Archive:
    """An archive that was stamped and published."""
    one = Archive(tmp_path / "archive")
    build.sealed(one, 1, environment="production")
    heartbeat.beat(one, settings)
    return one


def now() -> datetime:
    return datetime.now(UTC)


def test_without_a_description_it_is_what_the_archive_alone_shows(archive: Archive) -> None:
    head = f"1:{'0' * 64}"
    assert audit(archive.folder, moment=now() + timedelta(days=9)) == verify(archive.folder)
    assert audit(archive.folder, moment=now(), head=head) == verify(archive.folder, head)
    assert not audit(archive.folder, moment=now(), head=head).ok
    (archive.folder / "signers").write_text("")
    seen = audit(archive.folder, moment=now(), signers=archive.folder / "signers")
    assert "the signers file does not name" in str(seen)


def test_with_it_the_published_heads_anchor_the_archive(archive: Archive, settings: Settings) -> None:
    seen = audit(archive.folder, moment=now(), published=settings)
    assert (seen.ok, seen.findings) == (True, ())
    assert "ANCHORED up to entry 4 of 4." in seen.statement
    (archive.folder / "signers").write_text("")
    strict = audit(
        archive.folder,
        moment=now(),
        published=settings,
        head=f"1:{'0' * 64}",
        signers=archive.folder / "signers",
    )
    assert {one.where for one in strict.findings if one.severity == "error"} == {"head", log.signature_of(1)}


def test_a_cut_tail_contradicts_what_was_published(archive: Archive, settings: Settings) -> None:
    for name in (log.name_of(4), log.signature_of(4)):
        (archive.folder / name).unlink()
    assert verify(archive.folder).ok
    seen = audit(archive.folder, moment=now(), published=settings)
    assert "entry 4 is not the one that was published" in str(seen)


def test_entries_that_are_not_published_are_told(archive: Archive, settings: Settings) -> None:
    archive.append("note", "one more")
    seen = audit(archive.folder, moment=now(), published=settings)
    assert [str(finding) for finding in seen.findings] == [
        "warning: log/000005.entry: is the first of 1 that are not published: they could be cut off unseen"
    ]


def test_what_is_odd_in_the_store_is_told_and_findings_are_sorted(archive: Archive, settings: Settings) -> None:
    again = f"heads/{anchor.identity(archive.folder)}/rubbish"
    store = anchor.AnchorStore(settings)
    try:
        store.call("put_object", Key=again, Body=b"")
    finally:
        store.close()
    (archive.folder / "aaa").write_text("")
    (archive.folder / log.name_of(2)).write_text("")
    found = audit(archive.folder, moment=now(), published=settings).findings
    assert [(one.severity, one.where) for one in found] == sorted((one.severity, one.where) for one in found)
    assert {"published", "aaa", log.name_of(2)} <= {one.where for one in found}


def test_a_store_that_cannot_be_read_is_an_error(archive: Archive, settings: Settings) -> None:
    silent = settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9/"})
    seen = audit(archive.folder, moment=now(), published=silent)
    (finding,) = seen.findings
    assert (finding.severity, finding.where) == ("error", "published heads")
    assert finding.what.startswith("could not be read: ")
    assert "NOT ANCHORED" in seen.statement


def test_silence_around_production_runs_is_told(archive: Archive, settings: Settings) -> None:
    seen = audit(archive.folder, moment=now() + timedelta(hours=2), published=settings)
    (finding,) = seen.findings
    assert (finding.where, "around production runs" in finding.what) == (log.name_of(4), True)


def test_a_time_stamp_that_does_not_hold_is_an_error_where_an_authority_is_described(
    archive: Archive, settings: Settings
) -> None:
    (token,) = (archive.folder / timestamp.FOLDER).iterdir()
    token.write_bytes(b"rubbish")
    seen = audit(archive.folder, moment=now(), published=settings)
    assert {finding.where for finding in seen.findings} == {timestamp.name_of(3)}
    without = settings.model_copy(update={"timestamp_ca": None})
    assert audit(archive.folder, moment=now(), published=without).findings == ()


def test_an_entry_dated_outside_its_bracket_is_told(archive: Archive, settings: Settings) -> None:
    data = (archive.folder / log.name_of(4)).read_bytes()
    entry = log.parse(data)
    early = log.Entry(**{**entry.__dict__, "time": "2026-01-01T00:00:00.000000Z"})
    (archive.folder / log.name_of(4)).write_bytes(early.encode())
    seen = audit(archive.folder, moment=now(), published=settings)
    assert any("before what it names existed" in finding.what for finding in seen.findings)
