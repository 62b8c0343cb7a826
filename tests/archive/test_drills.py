"""Drills of an archive: a record counts as it was sealed, with every run that it names; whatever else is told."""

import json
import shutil

import pytest

from opslib import sshsig
from opslib.archive import drills, keys, log, seal
from opslib.archive.store import Archive
from opslib.archive.verify import verify
from opslib.checks import backups as checks
from opslib.model import Reading, Verdict
from opslib.probes.backups_drill import FILE, Referred
from opslib.runs.steps import DRILL
from tests.archive import build
from tests.drills import NOW, drill, exercise


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive")


def kept(archive, number=2, environment="lab", record=FILE):
    """Seal a run that a drill began, and the drill; returns both ids."""
    began = build.sealed(archive, number, notebook="runbooks/restore-database")
    name = f"2026110{number}T110000Z-drill-a1b2c3"
    sha256 = seal.sha256(archive.folder / "runs" / began / seal.MANIFEST)
    run = Referred(run=began, what="apply", state="finished", verdict="OK", seconds=1.0, sha256=sha256)
    made = drill(exercise("database", runs=(run,)), name=name, environment=environment)
    asked = build.asked(number, notebook="disaster/recovery-drill", run=name, mode=DRILL, environment=environment)
    build.opened_and_closed(archive, asked, lambda folder: (folder / record).write_text(made.model_dump_json()))
    return began, name


def read(archive, environment="lab"):
    return drills.drills(archive.folder, environment)


def verdict(archive):
    reading = Reading("drills", "Drills", "lab", NOW, 0.1, tuple(read(archive)))
    return checks.drill_record().judge(reading).verdict


def test_an_archive_without_a_drill_has_no_rows_and_neither_has_none(archive):
    assert read(archive) == []
    build.sealed(archive, 1)
    assert read(archive) == []


def test_a_record_is_read_newest_first_and_other_environments_are_left_out(archive):
    names = [kept(archive, number)[1] for number in (2, 3)]
    kept(archive, 4, environment="staging")
    rows = read(archive)
    assert [(row["drill"], row["damage"], row["unsealed"]) for row in rows] == [(name, "", []) for name in names[::-1]]
    assert verdict(archive) is Verdict.OK
    assert verify(archive.folder).ok
    assert [row["drill"] for row in read(archive, "staging")] == ["20261104T110000Z-drill-a1b2c3"]


def test_a_record_that_was_edited_is_told_and_none_of_its_figures(archive):
    _, name = kept(archive)
    file = archive.folder / "runs" / name / FILE
    file.write_text(file.read_text().replace('"mitigated":10.0', '"mitigated":1.0'))
    (row,) = read(archive)
    assert (row["damage"], row["service"], "rto_seconds" in row) == ("is not what was sealed", None, False)
    assert verdict(archive) is Verdict.CRITICAL


@pytest.mark.parametrize("what", ["record", "run"])
def test_what_somebody_sealed_anew_with_a_key_of_his_own_is_not_believed(archive, tmp_path, what):
    began, name = kept(archive)
    kept(archive, 3)
    changed = {"record": name, "run": began}[what]
    folder = archive.folder / "runs" / changed
    file = folder / (FILE if what == "record" else "evidence/take-backup.json")
    file.write_text(file.read_text().replace("10.0", "1.0").replace("12", "13"))
    manifest = folder / seal.MANIFEST
    lines = [line.split("  ") for line in manifest.read_text().splitlines()]
    manifest.write_text("".join(f"{seal.sha256(folder / path)}  {path}\n" for _, path in lines))
    stranger = tmp_path / "stranger"
    keys.create(stranger)
    build.rechain(archive.folder, key=stranger)
    assert sshsig.Signer(stranger).public
    rows = [row for row in read(archive) if row["drill"] == name]
    assert all(row["damage"] or row["unsealed"] for row in rows)
    assert verdict(archive) is Verdict.CRITICAL


def test_a_run_that_was_changed_is_named_by_the_drill_that_began_it(archive):
    began, _ = kept(archive)
    (archive.folder / "runs" / began / "evidence" / "take-backup.json").write_text("{}")
    (row,) = read(archive)
    assert row["unsealed"] == [f"{began} is not what was sealed"]
    assert verdict(archive) is Verdict.CRITICAL


def test_a_run_that_is_whole_and_another_one_than_the_drill_began_is_told(archive):
    began, name = kept(archive)
    folder = archive.folder / "runs" / name
    record = json.loads((folder / FILE).read_text())
    record["exercises"][0]["runs"][0]["sha256"] = "0" * 64
    other = build.asked(5, run="20261105T110000Z-drill-a1b2c3", mode=DRILL)
    record["drill"] = other["run"]
    build.opened_and_closed(archive, other, lambda place: (place / FILE).write_text(json.dumps(record)))
    assert read(archive)[0]["unsealed"] == [f"{began} is another run than the drill began"]


def test_a_record_under_another_drills_name_is_told(archive):
    _, name = kept(archive)
    text = (archive.folder / "runs" / name / FILE).read_text()
    copied = build.asked(5, run="20261105T110000Z-drill-a1b2c3", mode=DRILL)
    build.opened_and_closed(archive, copied, lambda folder: (folder / FILE).write_text(text))
    assert read(archive)[0]["damage"] == f"has the record of {name}"


def test_a_drill_whose_folder_is_gone_is_told(archive):
    _, name = kept(archive)
    shutil.rmtree(archive.folder / "runs" / name)
    (row,) = read(archive)
    assert (row["drill"], row["damage"]) == (name, drills.GONE)
    assert verdict(archive) is Verdict.CRITICAL


def test_one_that_was_broken_off_has_no_record_and_one_of_later_times_cannot_be_read(archive):
    _, first = kept(archive, 2, record="other.json")
    _, second = kept(archive, 3)
    damage = {row["drill"]: row["damage"] for row in read(archive)}
    assert damage[first].startswith("was broken off and has no record")
    assert damage[second] == ""
    later = build.asked(5, run="20261105T110000Z-drill-a1b2c3", mode=DRILL)
    build.opened_and_closed(archive, later, lambda folder: (folder / FILE).write_text('{"version": 2}'))
    assert read(archive)[0]["damage"] == "has a record that this version cannot read"


def test_a_drill_in_quarantine_is_told(archive):
    asked = build.asked(5, run="20261105T110000Z-drill-a1b2c3", mode=DRILL)
    with pytest.raises(Exception, match="was not sealed"):
        build.opened_and_closed(archive, asked, lambda folder: (folder / FILE).write_text(build.SECRET.reveal()))
    assert "quarantine" in read(archive)[0]["damage"]


def test_a_drill_under_way_is_none_yet(archive):
    kept(archive)
    archive.open(build.asked(5, run="20261105T110000Z-drill-a1b2c3", mode=DRILL))
    assert [row["drill"] for row in read(archive)] == ["20261102T110000Z-drill-a1b2c3"]


def test_the_archive_is_verified_once_for_all_cells_and_again_when_its_log_grew(archive):
    class Target:
        environment = "lab"

    probe = drills.probe(archive.folder)
    assert probe.by_executor
    assert probe.name == drills.NAME
    kept(archive)
    first = probe.read(Target())
    assert probe.read(Target()) is first
    assert log.Log(archive.folder).newest() > 0
    kept(archive, 3)
    assert len(probe.read(Target())) == 2
