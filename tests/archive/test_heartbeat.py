from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opslib.archive import anchor, dates, heartbeat, log, timestamp
from opslib.archive.log import Entry
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from tests.conftest import LabInUse

from . import build
from .authority import Authority

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
RUN = "20261123T120000Z-diagnostics-database-a1b2c3"


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def entries(*said: tuple[float, str] | tuple[float, str, str]) -> list[Entry]:
    """Entries (hours after noon, event, run)."""
    return [
        Entry(seq, one[1], (*one, "-")[2], at(one[0]).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
        for seq, one in enumerate(said, 1)
    ]


def found(log_: list[Entry], until: float, production: frozenset[str] = frozenset()) -> list[str]:
    return [str(finding) for finding in heartbeat.gaps(log_, at(until), production)]


def test_a_heartbeat_a_day_leaves_no_silence() -> None:
    assert found(entries((0, "heartbeat"), (24, "heartbeat"), (48.05, "heartbeat")), 72) == []


def test_a_scheduler_may_be_five_minutes_late_and_no_more() -> None:
    late = timedelta(hours=24, minutes=5) / timedelta(hours=1)
    assert found(entries((0, "heartbeat"), (late, "heartbeat")), late) == []
    assert len(found(entries((0, "heartbeat"), (late + 0.001, "heartbeat")), late)) == 1


def test_a_day_after_a_production_run_silence_may_be_longer_again() -> None:
    log_ = entries((0, "heartbeat"), (0.5, "open", RUN), (1, "close", RUN), *((hour, "note") for hour in range(2, 26)))
    assert found(log_, 25 + 3, frozenset({RUN})) == []
    assert len(found(log_[:-1], 24 + 3, frozenset({RUN}))) == 1


def test_silence_longer_than_a_day_is_told_between_entries_and_up_to_now() -> None:
    assert found(entries((0, "heartbeat"), (24.2, "note"), (25, "heartbeat")), 50) == [
        "warning: log/000001.entry: is followed by 24.2 h of silence; 24 h are allowed",
        "warning: log/000003.entry: is followed by 25.0 h of silence up to now; 24 h are allowed",
    ]


def test_any_entry_breaks_the_silence() -> None:
    assert found(entries((0, "heartbeat"), (20, "open", RUN), (21, "close", RUN), (44, "note")), 60) == []


def test_before_the_first_heartbeat_nothing_was_promised_and_without_one_that_is_told() -> None:
    assert found(entries((0, "note"), (100, "heartbeat")), 101) == []
    said = "warning: log: holds no heartbeat, so that silence in it proves nothing"
    assert found(entries((0, "note"), (100, "note")), 101) == found([], 0) == [said]


def test_around_production_runs_an_hour_of_silence_is_told() -> None:
    log_ = entries((0, "heartbeat"), (1, "open", RUN), (3, "close", RUN), (5, "heartbeat"), (30, "heartbeat"))
    assert found(log_, 31, frozenset()) == [
        "warning: log/000004.entry: is followed by 25.0 h of silence; 24 h are allowed"
    ]
    around = "h of silence; 1 h are allowed around production runs"
    assert found(log_, 50, frozenset({RUN})) == [
        f"warning: log/000002.entry: is followed by 2.0 {around}",
        f"warning: log/000003.entry: is followed by 2.0 {around}",
        f"warning: log/000004.entry: is followed by 25.0 {around}",
    ]


def test_an_open_production_run_wants_its_heartbeats_however_long_it_takes() -> None:
    log_ = entries((0, "heartbeat"), (1, "open", RUN), *((1 + hour, "heartbeat") for hour in range(1, 40)))
    assert found(log_, 41, frozenset({RUN})) == []
    assert found(log_[:-1], 41.2, frozenset({RUN})) == [
        "warning: log/000040.entry: is followed by 2.2 h of silence up to now; 1 h are allowed around production runs"
    ]


def test_a_log_full_of_silence_is_told_shortly() -> None:
    assert len(found(entries(*((hour * 30, "heartbeat") for hour in range(100))), 2971)) == 21


def test_production_runs_are_known_by_what_was_asked_and_damage_makes_none(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    runs = [build.sealed(archive, number, environment=where) for number, where in enumerate(("lab", "production"), 1)]
    known = list(archive.log.newest_first())
    assert heartbeat.production(tmp_path, known) == {runs[1]}
    for damage in ("[", "[]"):
        (tmp_path / "runs" / runs[1] / "run.json").write_text(damage)
        assert heartbeat.production(tmp_path, known) == frozenset()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    one = Authority(tmp_path_factory.mktemp("authority"))
    yield one
    one.close()


def test_heartbeats_with_stamps_and_publication_bracket_all_between_them(
    lab: LabInUse, authority: Authority, tmp_path: Path
) -> None:
    settings = lab.settings.model_copy(update={"timestamp_url": authority.url, "timestamp_ca": authority.ca})
    archive = Archive(tmp_path / "archive")
    first = heartbeat.beat(archive, settings)
    assert (first.stamp, first.faults) == (None, ()), "an empty archive has nothing to stamp"
    second = heartbeat.beat(archive, settings)
    build.sealed(archive, 1)
    third = heartbeat.beat(archive, settings)
    assert second.stamp is not None
    assert third.stamp is not None
    assert third.published is not None
    assert third.published.seq == third.entry.seq
    known = list(archive.log.newest_first())
    stamps = timestamp.check(archive.folder, authority.ca)
    heads = anchor.published(archive.folder, settings)
    assert (stamps.findings, heads.findings) == ((), ())
    within = {one.seq: one for one in dates.brackets(known, stamps.stamps)}
    for seq in range(second.entry.seq, third.entry.seq):
        assert (within[seq].not_before, within[seq].not_after) == (second.stamp.time, third.stamp.time)
    assert dates.outside(dates.brackets(known, stamps.stamps, heads.heads)) == ()
    assert heartbeat.gaps(known, datetime.now(UTC)) == ()
    assert verify(archive.folder).ok


def test_a_silent_authority_and_store_keep_no_heartbeat_from_being_written(lab: LabInUse, tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    build.sealed(archive, 1)
    nowhere = "http://127.0.0.1:9/"
    settings = lab.settings.model_copy(update={"timestamp_url": nowhere, "aws_endpoint_url": nowhere})
    said = heartbeat.beat(archive, settings)
    assert (said.entry.event, said.entry.text) == ("heartbeat", "no time stamp could be had")
    assert (said.stamp, said.published, len(said.faults)) == (None, None, 2)
    assert archive.log.newest() == said.entry.seq


def test_where_neither_is_described_a_heartbeat_is_an_entry_alone(lab: LabInUse, tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.append("note", "there is something to stamp")
    said = heartbeat.beat(archive, lab.settings.model_copy(update={"anchor_bucket": None, "timestamp_url": None}))
    assert (said.stamp, said.published, said.faults, said.entry.text) == (None, None, (), "")
    assert log.parse((archive.folder / log.name_of(said.entry.seq)).read_bytes()) == said.entry
