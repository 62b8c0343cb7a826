"""What others hold of an archive, as an audit tells it: how far, how narrowly dated, and what contradicts."""

from datetime import timedelta

import pytest

from opslib.archive import audited_log, audited_room, heartbeat, log
from opslib.archive.audited_look import Look
from opslib.archive.store import Archive
from opslib.checks import observability as checks
from opslib.errors import OpsError
from opslib.model import Verdict, now

from . import build
from .authority import Authority
from .test_audited import OWN, judged


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    one = Authority(tmp_path_factory.mktemp("authority"))
    yield one
    one.close()


@pytest.fixture
def settings(lab, authority):
    return lab.settings.model_copy(update={"timestamp_url": authority.url, "timestamp_ca": authority.ca})


@pytest.fixture
def archive(tmp_path, settings):
    """An archive that was stamped and published, twice."""
    one = Archive(tmp_path / "archive")
    build.sealed(one, 1)
    heartbeat.beat(one, settings)
    heartbeat.beat(one, settings)
    return one


def published(archive, settings, **said):
    return judged(checks.archive_published, audited_log.heads(Look(archive.folder, settings, OWN, **said)))


def dated(archive, settings):
    return judged(checks.archive_dated, audited_log.dated(Look(archive.folder, settings, OWN)))


def test_what_is_published_and_stamped_is_well_and_drawn(archive, settings):
    assert published(archive, settings) == (Verdict.OK, "Others hold the log up to entry 5 of 5.")
    verdict, said = dated(archive, settings)
    assert said.startswith("2 of 5 entries of 92 days lie between two proven moments, at most 0.0 h apart")
    assert verdict is Verdict.OK
    (row,) = [row for row in audited_room.days(Look(archive.folder, settings, OWN)) if row["kind"] == "published"]
    assert row["entry"] == 5


def test_what_is_not_published_is_told_once_it_has_lasted(archive, settings):
    archive.append("note", "one more")
    assert published(archive, settings)[0] is Verdict.OK
    verdict, said = published(archive, settings, moment=now() + timedelta(hours=3))
    assert (verdict, "1 entries for 3.0 h are not published" in said) == (Verdict.WARNING, True)
    assert published(archive, settings, moment=now() + timedelta(hours=30))[0] is Verdict.CRITICAL


def test_a_cut_tail_is_critical_in_both_and_brought_back_it_is_gone(archive, settings):
    gone = {path: path.read_bytes() for path in (archive.folder / log.name_of(5), archive.folder / log.signature_of(5))}
    for path in gone:
        path.unlink()
    verdict, said = published(archive, settings)
    assert (verdict, "entry 5 is not the one that was published" in said) == (Verdict.CRITICAL, True)
    rows = audited_log.seals(Look(archive.folder, settings, OWN))
    assert judged(checks.archive_sound, rows)[0] is Verdict.CRITICAL
    for path, data in gone.items():
        path.write_bytes(data)
    assert published(archive, settings)[0] is Verdict.OK


def test_a_store_that_does_not_answer_is_told_with_its_reason_and_hides_nothing_else(archive, settings):
    silent = settings.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:9/"})
    one = Look(archive.folder, silent, OWN)
    with pytest.raises(OpsError):
        audited_log.heads(one)
    verdict, said = judged(checks.archive_sound, audited_log.seals(one))
    assert (verdict, "NOT ANCHORED" in said) == (Verdict.OK, True)


def test_a_date_outside_its_bounds_and_a_token_that_does_not_hold_are_named(archive, settings):
    (archive.folder / "timestamps" / "000003.tsr").write_bytes(b"rubbish")
    verdict, said = dated(archive, settings)
    assert (verdict, "timestamps/000003.tsr" in said) == (Verdict.CRITICAL, True)


def test_heads_alone_bound_one_side_only(archive, settings):
    verdict, said = dated(archive, settings.model_copy(update={"timestamp_ca": None}))
    assert (verdict, said) == (Verdict.UNKNOWN, "0 of 5 entries of 92 days lie between two proven moments.")
