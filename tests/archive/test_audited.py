"""The archive as an auditor asks after it: each kind of damage is found and names its run; mended, it is gone."""

import json
import shutil
from datetime import timedelta

import pytest

from opslib.archive import audited, audited_log, audited_room, audited_runs, audited_words, heartbeat, keys, log
from opslib.archive.audited_look import Look
from opslib.archive.store import Archive
from opslib.checks import observability as checks
from opslib.errors import Unreachable
from opslib.model import Reading, Verdict, now
from opslib.probes.observability_audit import archive as asked
from opslib.redaction import Redactor
from opslib.runs.journal import Journal
from tests.descriptions import description

from . import build, tampering

OWN = "20261130T000000Z-reviews-archive-audit-0000ff"


def look(folder, **said):
    return Look(folder, description("production", **said), OWN)


def judged(check, rows):
    """What a check says of the rows of its probe, and the sentence."""
    reading = Reading(check.probe.name, "X", "lab", now(), 0.1, tuple(rows))
    said = check.judge(reading)
    return said.verdict, said.summary


def sound(folder):
    return judged(checks.archive_sound, audited_log.seals(look(folder)))


def test_a_whole_archive_of_every_kind_of_run_is_sound_and_says_what_it_cannot_show(copy):
    verdict, said = sound(copy.folder)
    assert (verdict, "NOT ANCHORED" in said, "nothing contradicts" in said) == (Verdict.OK, True, True)


DAMAGE = {
    "a file of a run": lambda one: tampering.edit(one.run() / "result.json", "finished", "Finished"),
    "a file that came": lambda one: (one.run() / "more.txt").write_text("x"),
    "a file that went": lambda one: (one.run() / "journal.jsonl").unlink(),
    "its manifest": lambda one: tampering.edit(one.run() / "MANIFEST.sha256", "  run.json", "  Run.json"),
    "an entry": lambda one: tampering.edit(one.entry(3), "# event", "# Event"),
    "a signature": lambda one: one.signature(3).unlink(),
    "an entry that went": lambda one: (one.entry(3).unlink(), one.signature(3).unlink()),
    "an approval": lambda one: tampering.edit(one.approval(), "ann@", "eve@"),
    "a plan": lambda one: tampering.edit(one.run(one.applied) / "plan.json", "opslib", "oPslib"),
    "a run's folder": lambda one: shutil.rmtree(one.run()),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_critical_and_named_and_mended_it_is_gone(copy, tmp_path, kind):
    shutil.copytree(copy.folder, tmp_path / "kept", symlinks=True)
    DAMAGE[kind](copy)
    rows = audited_log.seals(look(copy.folder))
    verdict, said = judged(checks.archive_sound, rows)
    assert verdict is Verdict.CRITICAL, said
    errors = [row for row in rows if row["kind"] == "finding" and row["severity"] == "error"]
    if "entry" not in kind and kind != "a signature":
        assert {row["run"] for row in errors} <= {copy.first, copy.applied}
        assert errors[0]["run"] in said
    shutil.rmtree(copy.folder)
    (tmp_path / "kept").rename(copy.folder)
    assert sound(copy.folder)[0] is Verdict.OK


def test_the_run_that_looks_and_one_that_goes_on_are_no_finding_and_one_left_open_is(copy):
    archive = Archive(copy.folder)
    archive.open(build.asked(20, run=OWN))
    other = archive.open(build.asked(21)).name
    assert sound(copy.folder)[0] is Verdict.OK
    rows = audited_runs.runs(look(copy.folder))
    assert sum(row["going_on"] for row in rows) == 1
    archive._release(other, archive._held.pop(other), forget=False)
    verdict, said = sound(copy.folder)
    assert (verdict, other in said) == (Verdict.WARNING, True)
    assert [row["state"] for row in audited_runs.unsettled(look(copy.folder))[1:]] == ["left open"]


def test_a_run_by_a_strangers_key_is_not_believed(copy):
    run = build.sealed(Archive(copy.folder, copy.own), 30)
    rows = audited_log.seals(look(copy.folder))
    assert run in {row["run"] for row in rows if row["kind"] == "finding"}
    assert look(copy.folder).standing(run) == "not believed"


def test_keys_are_told_with_what_each_signed_and_a_change_is_a_warning(copy):
    rows = audited_log.keys_of(look(copy.folder))
    assert sum(row["entries"] for row in rows) == copy.newest
    assert [bool(row["revoked_at"]) for row in rows] == [False, False, True]
    assert rows[0]["added_by"] == "itself"
    verdict, said = judged(checks.archive_signed, rows)
    assert (verdict, "host@ops-3 revoked" in said) == (Verdict.WARNING, True)


def test_keys_that_nobody_changed_are_well_and_an_entry_without_signature_is_critical(sample):
    rows = audited_log.keys_of(look(sample.folder))
    assert judged(checks.archive_signed, rows) == (Verdict.OK, "Keys that signed: 1; none changed in 92 days.")
    (sample.folder / log.signature_of(4)).unlink()
    assert judged(checks.archive_signed, audited_log.keys_of(look(sample.folder)))[0] is Verdict.CRITICAL


def test_a_key_that_added_itself_later_is_critical(sample, tmp_path):
    keys.create(tmp_path / "other")
    build.sealed(Archive(sample.folder, tmp_path / "other"), 30)
    verdict, said = judged(checks.archive_signed, audited_log.keys_of(look(sample.folder)))
    assert (verdict, "added itself beside another key" in said) == (Verdict.CRITICAL, True)


def test_where_nothing_lies_elsewhere_nobody_can_say(copy):
    one = look(copy.folder)
    for rows in (audited_log.heads, audited_log.dated):
        with pytest.raises(Unreachable, match="outside this machine"):
            rows(one)


def test_without_heartbeats_silence_proves_nothing_and_with_them_it_is_told(copy, tmp_path):
    rows = audited_log.silences(look(copy.folder))
    assert judged(checks.archive_silent, rows)[0] is Verdict.UNKNOWN
    heartbeat.beat(Archive(copy.folder), description("lab"))
    assert judged(checks.archive_silent, audited_log.silences(look(copy.folder)))[0] is Verdict.OK
    later = Look(copy.folder, description("lab"), OWN, None, now() + timedelta(hours=30))
    verdict, said = judged(checks.archive_silent, audited_log.silences(later))
    assert (verdict, "the longest 30.0 h" in said) == (Verdict.WARNING, True)


def changed(archive, number, events, mode="run", state="finished", **said):
    """Seal a run whose journal says so of its steps."""
    run = build.asked(number, "runbooks/maintain-cache", mode=mode, **said)
    folder = archive.open(run)
    build.fill(folder)
    (folder / "journal.jsonl").unlink()
    journal = Journal(folder / "journal.jsonl", Redactor())
    for event, step in events:
        journal.append(
            event, step=step, **({"verification": {"verdict": "OK"}} if event in ("verified", "undone") else {})
        )
    journal.append("closed", state=state, verdict="OK")
    journal.close()
    (folder / "result.json").write_text(json.dumps(build.result(folder.name, "UNKNOWN", state=state)))
    archive.close(run["run"], Redactor(), "interrupted" if state == "interrupted" else "close")
    return run["run"]


DONE = [("planned", "clear"), ("intent", "clear"), ("applied", "clear"), ("verified", "clear")]


def settled(archive):
    rows = audited_runs.unsettled(look(archive.folder))
    return judged(checks.runs_settled, rows), rows[1:]


def test_a_step_in_doubt_is_critical_until_a_later_run_settles_it(tmp_path):
    archive = Archive(tmp_path / "archive")
    run = changed(archive, 1, DONE[:2], state="interrupted")
    (verdict, said), (row,) = settled(archive)
    assert (verdict, row["state"], row["step"]) == (Verdict.CRITICAL, "in doubt", "clear")
    assert f"{run} clear in doubt" in said
    changed(archive, 2, DONE[2:], run=f"{run}-resume-1")
    assert settled(archive)[0][0] is Verdict.OK


def test_a_change_left_half_done_is_a_warning_until_it_is_undone(tmp_path):
    archive = Archive(tmp_path / "archive")
    run = changed(archive, 1, [*DONE, ("planned", "warm")], state="failed", started_at=f"{now():%Y-%m-%dT%H:%M:%SZ}")
    (verdict, _), (row,) = settled(archive)
    assert (verdict, row["state"]) == (Verdict.WARNING, "left half done")
    changed(archive, 2, [("undoing", "clear"), ("undone", "clear")], run=f"{run}-undo-1")
    assert settled(archive)[0][0] is Verdict.OK


def test_of_a_work_whose_run_does_not_hold_nobody_can_say(tmp_path):
    archive = Archive(tmp_path / "archive")
    run = changed(archive, 1, DONE)
    tampering.edit(archive.folder / "runs" / run / "journal.jsonl", "intent", "Intent")
    (verdict, _), (row,) = settled(archive)
    assert (verdict, row["run"], row["state"]) == (Verdict.UNKNOWN, run, "not believed")


def test_the_list_of_all_runs_is_left_from_open_to_close(copy, tmp_path):
    one = Look(copy.folder, description("lab"), OWN, tmp_path / "own")
    tampering.edit(copy.run() / "result.json", "finished", "Finished")
    row, unknown = audited_runs.runs(one)
    assert [row[word] for word in ("opened", "sealed", "interrupted", "not_believed")] == [7, 6, 1, 1]
    assert (unknown["target"], unknown["in_quarantine"]) == ("unknown", 1)
    head, *lines = [line.split("\t") for line in (tmp_path / "own" / row["list"]).read_text().splitlines()]
    by_run = {line[0]: dict(zip(head, line, strict=True)) for line in lines}
    assert sorted(by_run) == Archive(copy.folder).ids()
    assert by_run[copy.first]["stands"] == "not believed"
    assert "result.json is not what the manifest names" in by_run[copy.first]["findings"]
    assert by_run[copy.second]["close_signature"] == log.signature_of(int(by_run[copy.second]["close_entry"]))


def test_what_a_run_calls_itself_is_one_cell_and_no_formula(tmp_path):
    archive = Archive(tmp_path / "archive")
    build.sealed(archive, 1, requested_by="=cmd|' /C calc'!A0\tx\ny")
    one = Look(archive.folder, description("lab"), OWN, tmp_path / "own")
    audited_runs.runs(one)
    (_, line) = (tmp_path / "own" / "evidence" / "archive-audit" / "runs.tsv").read_text().splitlines()
    assert line.split("\t")[4] == "'=cmd|' /C calc'!A0 x y"


@pytest.mark.parametrize("name", ["words/2026-q4", "sign-offs/MNT-WK-04"])
def test_a_signed_word_that_is_gone_or_another_is_told_by_the_run_that_kept_it(tmp_path, name):
    archive = Archive(tmp_path / "archive")
    lies = archive.folder / name / "20261130T000000000000Z-ann.word"

    def keep(folder):
        kept = folder / "evidence" / name / lies.name
        kept.parent.mkdir(parents=True)
        for path in (kept, kept.with_name(f"{kept.name}.sig")):
            path.write_text("word\n")

    run = build.asked(1, "reviews/game-day" if name.startswith("words") else "routines/weekly")
    build.opened_and_closed(archive, run, keep)
    shutil.copytree(archive.folder / "runs" / run["run"] / "evidence" / name, archive.folder / name)
    rows = audited_words.gone(look(archive.folder))
    assert judged(checks.words_kept, rows) == (
        Verdict.OK,
        "1 signed words were shown by sealed runs; each lies where it lay.",
    )
    lies.write_text("Word\n")
    verdict, said = judged(checks.words_kept, audited_words.gone(look(archive.folder)))
    assert (verdict, "is another now" in said, run["run"] in said) == (Verdict.CRITICAL, True, True)
    lies.unlink()
    assert "was removed" in judged(checks.words_kept, audited_words.gone(look(archive.folder)))[1]


def test_what_was_not_sealed_for_a_secret_is_told(copy):
    verdict, said = judged(checks.runs_redacted, audited_log.redactions(look(copy.folder)))
    assert (verdict, copy.quarantined in said) == (Verdict.WARNING, True)
    shutil.rmtree(copy.folder / "quarantine" / copy.quarantined)
    (_, row) = audited_log.redactions(look(copy.folder))
    assert row["kind"] == "was in quarantine, removed"


def test_size_age_and_pace_are_told(copy):
    whole, *parts = audited_room.room(look(copy.folder))
    assert whole["size"] == sum(
        (path.lstat().st_size for path in copy.folder.rglob("*") if path.is_symlink() or not path.is_dir()), 0
    )
    assert {"runs", "log", "quarantine"} <= {part["part"] for part in parts}
    assert judged(checks.archive_room, [whole, *parts])[0] is Verdict.OK


def test_the_picture_has_every_run_once(copy):
    rows = audited_room.days(look(copy.folder))
    columns = [row for row in rows if row["kind"] == "runs"]
    assert sum(row[word] for row in columns for word in ("sealed", "interrupted", "in_quarantine", "not_believed")) == 8
    assert len([row for row in rows if row["kind"] == "key"]) == 4


def test_without_an_archive_nobody_could_look(tmp_path):
    for name, probe in audited.probes(tmp_path, tmp_path, description("lab"), OWN).items():
        assert probe.by_executor
        with pytest.raises(Unreachable):
            probe.read(None)
        assert name.startswith("archive-")


def test_every_probe_that_can_be_asked_for_is_read(copy, tmp_path):
    made = audited.probes(copy.folder, tmp_path, description("lab"), OWN)
    assert set(made) == {probe.name for probe in asked.values()} - {"archive-due"}
    first = made["archive-seals"].read(None)
    assert made["archive-seals"].read(None) is first
