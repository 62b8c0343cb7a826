"""The result of a run that was broken off: what its journal holds up to where it can be read, and nothing more."""

import json

import pytest

from opslib.archive import interrupted
from opslib.redaction import Redactor
from tests.archive import build

BEGAN = "2026-11-01T00:01:00Z"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"started_at": BEGAN}))
    return tmp_path


def said(folder, *lines, redactor=None):
    """Return the result of a run with this journal."""
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    (folder / "journal.jsonl").write_text(text)
    data = interrupted.result(folder, redactor or Redactor())
    assert data.startswith(b'{\n  "run": ')
    assert data.endswith(b"}\n")
    return json.loads(data)


def test_a_run_without_journal_ended_before_its_first_line(folder):
    assert json.loads(interrupted.result(folder, Redactor())) == {
        "run": folder.name,
        "state": "interrupted",
        "verdict": "UNKNOWN",
        "exit_code": 3,
        "started_at": BEGAN,
        "finished_at": BEGAN,
        "seconds": 0.0,
        "reason": "The process ended before its first journal line.",
        "counts": {"OK": 0, "WARNING": 0, "UNKNOWN": 0, "CRITICAL": 0},
        "steps": 0,
    }


def test_its_end_is_the_last_sign_of_life(folder):
    lines = [{"event": "opened", "time": "2026-11-01T00:01:01Z"}, {"event": "note", "time": "2026-11-01T00:01:02.5Z"}]
    found = said(folder, *lines)
    assert (found["started_at"], found["finished_at"], found["seconds"]) == (BEGAN, "2026-11-01T00:01:02.5Z", 2.5)
    assert found["reason"] == (
        "The process ended without closing the run. Last journal line: note, 2026-11-01T00:01:02.5Z."
    )


def test_without_run_json_it_began_with_its_first_line(folder):
    for text in (None, "[]", "{", '{"started_at": 3}'):
        (folder / "run.json").unlink(missing_ok=True)
        if text:
            (folder / "run.json").write_text(text)
        found = said(folder, {"event": "opened", "time": "2026-11-01T00:02:00Z"})
        assert (found["started_at"], found["finished_at"]) == ("2026-11-01T00:02:00Z",) * 2
        assert said(folder)["started_at"] == ""


def test_times_that_are_none_give_no_seconds_and_a_clock_that_went_back_gives_none_below_nought(folder):
    assert said(folder, {"event": "opened", "time": "soon"})["seconds"] is None
    assert said(folder, {"event": "opened", "time": "2026-11-01T00:01:00"})["seconds"] is None
    assert said(folder, {"event": "opened", "time": "2026-10-01T00:01:00Z"})["seconds"] == 0.0
    assert said(folder, {"event": "opened"})["finished_at"] == BEGAN
    assert said(folder, {"event": "opened", "time": "2026-11-01T00:01:00.123456Z"})["seconds"] == 0.123


def test_verdicts_and_steps_are_counted(folder):
    found = said(
        folder,
        {"event": "result", "result": {"verdict": "OK"}},
        {"event": "result", "result": {"verdict": "CRITICAL"}, "step": "a"},
        {"event": "result", "result": {"verdict": "OK"}, "step": "a"},
        {"event": "result", "result": "OK", "step": "b"},
        {"event": "note", "step": 3},
    )
    assert found["counts"] == {"OK": 2, "WARNING": 0, "UNKNOWN": 0, "CRITICAL": 1}
    assert found["steps"] == 2


def test_a_journal_that_closed_is_told_with_how_it_ended(folder):
    found = said(folder, {"event": "opened"}, {"event": "closed", "state": "finished", "verdict": "OK"})
    assert found["reason"] == (
        "The journal closed with state finished and verdict OK; the process ended before the result was written."
    )
    assert (found["state"], found["verdict"]) == ("interrupted", "UNKNOWN")


def test_the_cell_of_the_last_line_and_steps_in_doubt_are_named(folder):
    found = said(
        folder,
        {"event": "intent", "step": "done", "seq": 1},
        {"event": "applied", "step": "done", "seq": 2},
        {"event": "intent", "step": "act", "seq": 3},
        {"event": "undoing", "step": "done", "cell": "done", "seq": 4, "time": "2026-11-01T00:01:04Z"},
    )
    assert found["reason"] == (
        "The process ended without closing the run. Last journal line: undoing in cell done, 2026-11-01T00:01:04Z. "
        "In doubt, look at the target: done, act."
    )


@pytest.mark.parametrize("line", ["{", "[]", "{}", "[" * 200_000, "3"])
def test_nothing_after_a_line_that_cannot_be_read_counts(folder, line):
    found = said(folder, {"event": "opened", "step": "a"}, line, {"event": "note", "step": "b"})
    assert (found["steps"], "Last journal line: opened," in found["reason"]) == (1, True)


def test_a_torn_last_line_never_happened(folder):
    (folder / "journal.jsonl").write_text('{"event": "opened"}\n{"event": "note"}')
    assert "Last journal line: opened," in json.loads(interrupted.result(folder, Redactor()))["reason"]


def test_what_is_told_passes_the_redactor(folder):
    found = said(folder, {"event": "opened", "cell": build.SECRET.reveal()}, redactor=Redactor([build.SECRET]))
    assert build.SECRET.reveal() not in found["reason"]
    assert "in cell " in found["reason"]


def test_text_that_no_file_can_hold_is_replaced(folder):
    assert "in cell ?," in said(folder, '{"event": "opened", "cell": "\\ud800"}')["reason"]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ('{"run": "NAME", "state": "finished"}', True),
        ('{"run": "other", "state": "finished"}', False),
        ('{"run": "NAME", "state": 3}', False),
        ('{"run": "NAME"}', False),
        ('{"run": "NAME", "state": "fin', False),
        ("[]", False),
        (None, False),
    ],
)
def test_a_result_counts_when_it_is_whole_and_of_this_run(folder, text, whole):
    if text is not None:
        (folder / "result.json").write_text(text.replace("NAME", folder.name))
    assert interrupted.has_result(folder) is whole
