"""A run's folder read back: what is told of it, and what of it is at fault, whatever lies there."""

import hashlib
import json

import pytest

from opslib.archive import record
from opslib.runs.cards_steps import step_digest
from tests.archive import samples

WORK = "20261123T130614Z-runbooks-restore-database-a1b2c3"
TORN = "The journal's last line is torn: the run was cut off while writing it."


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "run"
    place.mkdir()
    (place / "run.json").write_text('{"run": "one", "mode": "run"}')
    (place / "journal.jsonl").write_text("")
    return place


def journal(folder, *lines):
    """Write the lines as a chain; returns the last one's digest."""
    prev, text = record.FIRST, b""
    for number, line in enumerate(lines, 1):
        raw = json.dumps({"seq": number, "prev": prev, **line}).encode()
        prev = hashlib.sha256(raw).hexdigest()
        text += raw + b"\n"
    (folder / "journal.jsonl").write_bytes(text)
    return prev


def only(folder, *lines):
    """Return the one step that the journal's lines make."""
    journal(folder, *lines)
    (step,) = record.steps(record.load(folder))
    return step


def test_a_folder_with_nothing_in_it_says_what_is_missing(tmp_path):
    said = record.load(tmp_path)
    assert said.faults == (
        "run.json is missing.",
        "journal.jsonl can't be read (FileNotFoundError): nothing here is proven.",
    )
    assert (said.run, said.result, said.journal, said.lines, said.head) == ({}, {}, (), 0, "0" * 64)
    assert (said.name, said.state, said.verdict, said.cells) == (tmp_path.name, "not finished", "UNKNOWN", None)
    assert (said.plan, said.plan_sha256, said.plan_run, said.planned, said.beside) == ({}, "", "", [], ())


def test_a_whole_run_has_no_fault(tmp_path):
    said = record.load(samples.diagnostics(tmp_path / WORK))
    assert said.faults == ()
    assert said.name == WORK
    lines = (tmp_path / WORK / "journal.jsonl").read_bytes().splitlines()
    assert (said.lines, len(said.journal), said.head) == (
        len(lines),
        len(lines),
        hashlib.sha256(lines[-1]).hexdigest(),
    )


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("run.json", "{", "run.json can't be read (JSONDecodeError)."),
        ("run.json", "[" * 200_000, "run.json can't be read (RecursionError)."),
        ("run.json", "[]", "run.json holds no JSON object."),
        ("result.json", "3", "result.json holds no JSON object."),
        ("notebook.ipynb", "x", "notebook.ipynb can't be read (JSONDecodeError)."),
        ("plan.json", "x", "plan.json can't be read (JSONDecodeError)."),
        ("plan.json", "[" * 200_000, "plan.json can't be read (RecursionError)."),
    ],
)
def test_a_file_that_cannot_be_read_is_a_fault_and_as_good_as_none(folder, name, text, fault):
    (folder / name).write_text(text)
    said = record.load(folder)
    assert said.faults == (fault,)
    assert {"run.json": said.run, "result.json": said.result, "plan.json": said.plan}.get(name, {}) == {}
    assert said.cells is None


def test_a_file_that_is_a_link_or_a_folder_is_not_read(folder):
    (folder / "journal.jsonl").unlink()
    for name in ("result.json", "plan.json"):
        (folder / name).symlink_to(folder / "run.json")
    (folder / "journal.jsonl").mkdir()
    assert record.load(folder).faults == (
        "result.json can't be read (OSError).",
        "journal.jsonl can't be read (OSError): nothing here is proven.",
        "plan.json can't be read (OSError).",
    )


def test_bytes_that_are_no_text_are_shown_as_replaced(folder):
    (folder / "run.json").write_bytes(b'{"run": "a\xff"}')
    assert record.load(folder).name == "a\ufffd"


def test_the_cells_are_those_of_the_notebook_that_are_objects(folder):
    for text, cells in (('{"cells": [{"id": "a"}, 3]}', ({"id": "a"},)), ('{"cells": []}', ()), ('{"cells": 3}', None)):
        (folder / "notebook.ipynb").write_text(text)
        assert record.load(folder).cells == cells


def test_a_saved_plan_is_told_with_the_digest_of_its_file(tmp_path):
    planned = samples.planned(tmp_path / WORK)
    said = record.load(planned)
    assert said.faults == ()
    assert said.plan_sha256 == hashlib.sha256((planned / "plan.json").read_bytes()).hexdigest()
    assert said.plan_run == said.plan["run"] == WORK
    assert [step["step"] for step in said.planned] == [step.step for step in samples.saved(WORK).steps]


def test_of_a_plan_that_a_run_applied_only_its_name_is_kept(tmp_path):
    planned = samples.planned(tmp_path / WORK)
    run = json.loads((planned / "run.json").read_text())
    (planned / "run.json").write_text(json.dumps(run | {"mode": "run"}))
    said = record.load(planned)
    assert (said.plan, said.planned, said.plan_run) == ({}, [], WORK)
    assert said.plan_sha256 == hashlib.sha256((planned / "plan.json").read_bytes()).hexdigest()


def test_a_plan_that_cannot_be_applied_is_a_fault_and_is_told_as_far_as_it_goes(folder):
    (folder / "run.json").write_text('{"mode": "plan"}')
    (folder / "plan.json").write_text('{"run": "x", "steps": [3, {"step": "a"}]}')
    said = record.load(folder)
    assert [fault.startswith("plan.json can't be applied. ") for fault in said.faults] == [True]
    assert said.planned == [{"step": "a"}]
    (folder / "plan.json").write_text('{"run": "x", "steps": {"step": "a"}}')
    assert record.load(folder).planned == []


def test_the_list_of_plans_of_a_run_without_saved_plan_is_no_plan(folder):
    (folder / "plan.json").write_text("[]")
    said = record.load(folder)
    assert (said.faults, said.plan, said.plan_sha256) == ((), {}, "")


def test_a_torn_last_line_is_told_and_does_not_count(folder):
    head = journal(folder, {"event": "opened"})
    with (folder / "journal.jsonl").open("a") as file:
        file.write('{"event": "clos')
    said = record.load(folder)
    assert (said.faults, said.lines, len(said.journal), said.head) == ((TORN,), 1, 1, head)


def test_lines_that_cannot_be_read_or_do_not_continue_are_told_by_their_number(folder):
    first = json.dumps({"event": "opened", "prev": record.FIRST}).encode()
    third = json.dumps({"event": "note", "prev": hashlib.sha256(b"[]").hexdigest()}).encode()
    fifth = json.dumps({"event": "note", "prev": "f" * 64}).encode()
    (folder / "journal.jsonl").write_bytes(b"\n".join([first, b"[]", third, b"[" * 200_000, fifth, b""]))
    said = record.load(folder)
    assert said.faults == (
        "Line 2 of the journal can't be read.",
        "Line 4 of the journal can't be read.",
        "Line 5 of the journal does not continue the line before it.",
    )
    assert (said.lines, said.head) == (5, hashlib.sha256(fifth).hexdigest())
    assert [line["event"] for line in said.journal] == ["opened", "note", "note"]


def test_the_first_line_continues_nothing(folder):
    raw = json.dumps({"event": "opened", "prev": "f" * 64})
    (folder / "journal.jsonl").write_text(f"{raw}\n")
    assert record.load(folder).faults == ("Line 1 of the journal does not continue the line before it.",)


def test_the_other_runs_of_a_work_are_those_beside_it_in_their_order(tmp_path):
    kinds = ("", "-apply", "-resume-1", "-undo-2", "-resolve-3", "-resume-5", "-else-1")
    for kind in kinds:
        (tmp_path / f"{WORK}{kind}").mkdir()
    (tmp_path / f"{WORK}-undo-1").write_text("no folder")
    found = [f"{WORK}{kind}" for kind in ("", "-apply", "-resume-1", "-undo-2", "-resolve-3")]
    for kind in ("", "-apply", "-undo-2"):
        assert record.load(tmp_path / f"{WORK}{kind}").beside == tuple(
            name for name in found if name != f"{WORK}{kind}"
        )
    (tmp_path / "elsewhere").mkdir()
    assert record.load(tmp_path / "elsewhere").beside == ()


def test_how_a_run_ended_is_what_its_journal_says_else_its_result(folder):
    (folder / "result.json").write_text('{"state": "interrupted", "verdict": "UNKNOWN"}')
    assert record.load(folder).state == "interrupted"
    journal(folder, {"event": "closed", "state": "failed"}, {"event": "closed", "state": "finished"})
    assert record.load(folder).state == "finished"


@pytest.mark.parametrize(
    ("finished", "result", "closed", "verdict"),
    [
        ("OK", "", "", "OK"),
        ("OK", "WARNING", "", "WARNING"),
        ("OK", "WARNING", "CRITICAL", "CRITICAL"),
        ("", "", "", "UNKNOWN"),
        ("OK", "fine", "", "UNKNOWN"),
    ],
)
def test_the_verdict_is_the_last_that_was_recorded(folder, finished, result, closed, verdict):
    (folder / "result.json").write_text(json.dumps({"verdict": result}))
    journal(folder, {"event": "finished", "verdict": finished}, {"event": "closed", "verdict": closed})
    assert record.load(folder).verdict == verdict


def test_a_result_that_says_another_verdict_than_the_journal_is_a_fault(folder):
    (folder / "result.json").write_text('{"verdict": "OK"}')
    journal(folder, {"event": "closed", "verdict": "CRITICAL"})
    said = record.load(folder)
    assert said.faults == ("result.json says OK, the journal says CRITICAL; the journal counts.",)
    assert said.verdict == "CRITICAL"
    journal(folder, {"event": "closed", "verdict": "OK"})
    assert record.load(folder).faults == ()


PLANNED = {"event": "planned", "step": "a", "cell": "a"}


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([PLANNED], "interrupted"),
        ([PLANNED, {"event": "intent"}], "in doubt"),
        ([PLANNED, {"event": "intent"}, {"event": "applied"}], "applied"),
        ([{"event": "applied"}, {"event": "verified"}], "applied"),
        ([{"event": "kept"}], "kept"),
        ([{"event": "intent"}, {"event": "settled", "outcome": "done"}], "settled"),
        ([{"event": "intent"}, {"event": "settled", "outcome": "not done"}], "settled"),
        ([{"event": "intent"}, {"event": "settled", "outcome": "unknown"}], "in doubt"),
        ([{"event": "settled", "outcome": "unknown"}, {"event": "refused"}], "in doubt"),
        ([{"event": "settled", "outcome": "unknown"}, {"event": "failed"}], "in doubt"),
        ([{"event": "settled", "outcome": "unknown"}, {"event": "resolved", "outcome": "done"}], "resolved"),
        ([{"event": "settled", "outcome": "unknown"}, {"event": "applied"}], "applied"),
        ([{"event": "refused"}], "refused"),
        ([{"event": "failed"}], "failed"),
        ([PLANNED, {"event": "refused"}], "refused"),
        ([PLANNED, {"event": "failed"}], "failed"),
        ([{"event": "undoing"}], "undo in doubt"),
        ([{"event": "undoing"}, {"event": "undone"}], "undone"),
    ],
    ids=lambda said: "" if isinstance(said, str) else ", ".join(line["event"] for line in said),
)
def test_a_step_has_the_status_that_its_lines_give_it(folder, lines, status):
    assert only(folder, *({"step": "a", **line} for line in lines)).status == status


def test_a_step_that_a_planning_run_planned_is_planned(folder):
    (folder / "run.json").write_text('{"mode": "plan"}')
    assert only(folder, PLANNED).status == "planned"


def test_a_step_gathers_what_its_lines_say_of_it(folder):
    plan = samples.to_json(samples.plan())
    step = only(
        folder,
        {**PLANNED, "plan": plan},
        {"event": "intent", "step": "a", "action": "take-backup"},
        {"event": "applied", "step": "a", "values": {"key": "k"}, "seconds": 3},
        {"event": "verified", "step": "a", "verification": {"verdict": "OK"}, "message": "m", "next_step": "n"},
    )
    assert (step.key, step.cell, step.seq, step.seconds) == ("a", "a", 1, 3)
    assert (step.plan, step.digest) == (plan, step_digest(plan))
    assert (step.values, step.verification, step.message, step.next_step) == ({"key": "k"}, {"verdict": "OK"}, "m", "n")
    assert step.evidence() == {
        "status": "applied",
        "plan": {**plan, "digest": step.digest},
        "values": {"key": "k"},
        "verification": {"verdict": "OK"},
        "seconds": 3,
    }


def test_a_step_of_which_little_is_known_is_named_by_its_action_or_its_key(folder):
    step = only(folder, {"event": "failed", "step": "a", "action": "take-backup", "seconds": "3", "seq": "x"})
    assert (step.plan, step.seconds, step.seq) == ({"title": "take-backup", "action": "take-backup"}, None, 0)
    bare = only(folder, {"event": "failed", "cell": "look"})
    assert (bare.key, bare.plan, bare.digest, bare.message) == ("look", {"title": "look", "action": ""}, "", "")


def test_the_digest_is_the_recorded_one_else_that_of_the_plan_else_none(folder):
    assert only(folder, {**PLANNED, "plan": {"a": 1}, "digest": "d" * 64}).digest == "d" * 64
    assert only(folder, {**PLANNED, "plan": {"title": "\ud800"}}).digest == ""


def test_what_an_earlier_run_did_or_a_look_or_a_person_found_is_told(folder):
    lines = [
        {"event": "kept", "step": "a", "from": "the first", "evidence": {"values": {"key": "k"}}},
        {"event": "settled", "step": "a", "outcome": "done", "why": "It is there."},
        {"event": "settled", "step": "a", "outcome": "not done"},
        {"event": "resolved", "step": "a", "outcome": "done", "by": "ann", "evidence": "I saw it"},
    ]
    step = only(folder, *lines)
    assert step.values == {"key": "k"}
    assert step.message == (
        "Done before, by the first. Settled by a look at the target: done. It is there. "
        "Settled by a look at the target: not done. Resolved by ann: done, as I saw it shows."
    )


def test_steps_come_in_the_order_of_their_first_lines(folder):
    journal(
        folder,
        {"event": "planned", "step": "b"},
        {"event": "planned", "step": "a"},
        {"event": "note", "step": "c"},
        {"event": "applied", "step": "b"},
    )
    assert [(step.key, step.seq) for step in record.steps(record.load(folder))] == [("b", 1), ("a", 2)]


def test_the_seconds_between_two_times_are_told_where_both_are_times():
    assert record.seconds_between("2026-11-23T13:00:00Z", "2026-11-23T13:01:00.5Z") == 60.5
    assert record.seconds_between("2026-11-23T13:00:00", "2026-11-23T13:01:00Z") is None
    assert record.seconds_between("", "2026-11-23T13:01:00Z") is None


def test_a_line_that_names_no_event_is_kept_and_found_as_none(folder):
    journal(folder, {"event": "note", "text": "a"}, {"event": 3}, {"cell": "x"})
    said = record.load(folder)
    assert len(said.journal) == 3
    assert [line["seq"] for line in said.events("note", "3", "None")] == [1]
