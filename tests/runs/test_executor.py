import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from opslib.archive import seal
from opslib.errors import ArchiveError, Refused, StepFailed, UsageError
from opslib.model import Verdict
from opslib.runs import journal, outside
from opslib.runs.by_hand import ByHand
from opslib.runs.evidence import plan_of
from opslib.runs.executor import Executor
from opslib.runs.locks import Locks
from opslib.runs.saved_plan import PlannedStep
from opslib.runs.steps import State, fold
from opslib.systems.target import VerifyTarget
from tests.runs import fakes
from tests.signing import plan as saved
from tests.waiting import until


def step(executor, word="red", progress=lambda said: None, action="paint", **more):
    return executor.answer(
        {"verb": "step", "action": action, "parameters": {"word": word, **more}},
        progress,
    )


def events(executor):
    return [line.event for line in journal.read(executor.work.folder / "journal.jsonl")]


def result(check, verdict, **more):
    said = {"check": check, "verdict": verdict, "title": f"The title of {check}", "summary": f"{check} says so"}
    return {"verb": "result", "result": said | more}


def quiet(said):
    pass


def test_a_step_is_planned_announced_applied_and_verified_in_this_order(executor):
    run = executor()
    evidence = step(run)
    assert fakes.DONE == ["red"]
    assert events(run) == ["opened", "planned", "intent", "applied", "verified"]
    assert (evidence["status"], evidence["values"], evidence["verification"]["verdict"]) == (
        "applied",
        {"word": "red"},
        "OK",
    )


def test_what_verifies_a_step_is_given_no_handle_that_writes(executor):
    fakes.LOOKED_WITH.clear()
    run = executor()
    step(run)
    step(run, "torn")
    assert [VerifyTarget, VerifyTarget] == fakes.LOOKED_WITH


def test_the_intent_is_on_the_disk_before_the_effect_begins(executor):
    run = executor()
    seen = []
    step(run, progress=lambda said: seen.append(events(run)[-1]))
    assert seen[0] == "intent"


def test_a_planning_run_plans_and_touches_nothing(executor):
    run = executor(mode="plan")
    evidence = step(run)
    assert fakes.DONE == []
    assert events(run) == ["opened", "planned"]
    assert evidence["status"] == "planned"
    assert evidence["plan"]["after"] == {"words": 1}


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_destructive_step_without_approval_is_refused_outside_the_lab(executor, environment):
    run = executor(environment)
    with pytest.raises(Refused, match=f"destructive step on {environment} and has no approval"):
        step(run)
    assert fakes.DONE == []
    assert events(run) == ["opened", "planned", "refused"]


def test_the_targets_owner_can_let_a_named_action_run_unattended(executor):
    run = executor("production", OPS_UNATTENDED_ACTIONS="paint")
    step(run)
    assert fakes.DONE == ["red"]


def test_a_plan_that_refuses_changes_nothing_and_says_why_in_the_journal(executor):
    run = executor()
    with pytest.raises(Refused, match="must not be painted"):
        step(run, "forbidden")
    assert fakes.DONE == []
    assert events(run) == ["opened", "refused"]


def test_an_effect_that_breaks_off_is_a_failed_step_without_the_secret_it_carried(executor):
    run = executor()
    with pytest.raises(StepFailed, match="the brush broke") as raised:
        step(run, "broken")
    assert events(run)[-3:] == ["intent", "settled", "failed"]
    assert "hunter2" not in str(raised.value)
    assert b"hunter2" not in (run.work.folder / "journal.jsonl").read_bytes()


def test_an_effect_that_does_not_verify_is_a_failed_step(executor):
    run = executor()
    with pytest.raises(StepFailed, match="verification says UNKNOWN"):
        step(run, seen="UNKNOWN")
    assert events(run)[-3:] == ["applied", "verified", "failed"]
    assert run.findings.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ({"verb": "step", "action": "rm -rf", "parameters": {}}, UsageError),
        ({"verb": "step", "action": "paint", "parameters": {"word": 7}}, Refused),
        ({"verb": "step", "action": "paint", "parameters": {"word": "red", "dry_run": False}}, Refused),
        ({"verb": "step", "action": "paint", "parameters": {}}, Refused),
        ({"verb": "eval", "text": "1"}, UsageError),
        ({}, UsageError),
    ],
)
def test_only_known_actions_with_right_parameters_can_be_asked_for(executor, request_, kind):
    run = executor()
    with pytest.raises(kind):
        run.answer(request_, quiet)
    assert fakes.DONE == []


def test_the_verdict_is_the_worst_of_the_latest_results(executor):
    run = executor()
    assert run.findings.verdict is Verdict.UNKNOWN
    for check, verdict in [("a", "CRITICAL"), ("b", "OK"), ("a", "WARNING")]:
        run.answer(result(check, verdict), quiet)
    assert run.findings.verdict is Verdict.WARNING
    said = run.answer({"verb": "finish"}, quiet)
    assert (said["verdict"], said["counts"]["OK"], said["counts"]["CRITICAL"]) == ("WARNING", 1, 0)


def test_the_reason_is_a_sentence_that_the_verdict_rests_on(executor):
    run = executor()
    assert run.findings.why == ""
    for check, verdict in [("a", "OK"), ("b", "WARNING"), ("c", "CRITICAL")]:
        run.answer(result(check, verdict), quiet)
    assert run.findings.why == "c says so (The title of c)"


def test_no_reason_is_given_for_an_ok_or_for_what_no_check_said(executor):
    run = executor()
    run.answer(result("a", "OK"), quiet)
    assert (run.findings.verdict, run.findings.why) == (Verdict.OK, "")
    with pytest.raises(StepFailed):
        step(run, "broken")
    assert (run.findings.verdict, run.findings.why) == (Verdict.UNKNOWN, "")
    run.answer(result("b", "UNKNOWN"), quiet)
    assert run.findings.why == "b says so (The title of b)"


def test_the_worst_finding_leads_to_the_notebook_that_its_remedy_names_and_what_nobody_saw_to_none(executor):
    run = executor()
    run.answer(result("a", "UNKNOWN", remedy="Take it back: runbooks/roll-back-deployment."), quiet)
    assert run.findings.leads_to == ("", "", "")
    for check, verdict, remedy in [
        ("b", "OK", ""),
        ("c", "WARNING", "Ask its owner; then runbooks/back-up-database, or runbooks/restore-database."),
        ("d", "WARNING", "See diagnostics/cache."),
    ]:
        run.answer(result(check, verdict, remedy=remedy), quiet)
    assert (run.findings.verdict, run.findings.why[:1]) == (Verdict.UNKNOWN, "a")
    assert run.findings.leads_to == ("runbooks/back-up-database", "The title of c", "")
    run.answer(result("e", "CRITICAL", remedy="A person has to."), quiet)
    assert run.findings.leads_to == ("", "", "")


def test_two_steps_of_one_cell_have_keys_and_evidence_of_their_own(executor):
    run = executor()
    step(run, "red")
    step(run, "blue")
    assert sorted(path.name for path in (run.work.folder / "evidence").iterdir()) == [
        "paint-it-2.json",
        "paint-it.json",
    ]


def test_a_cells_id_cannot_lead_evidence_out_of_its_folder(executor):
    run = executor()
    run.cell = "../../etc/passwd"
    step(run)
    assert [path.name for path in (run.work.folder / "evidence").iterdir()] == ["etc-passwd.json"]


def test_a_notebook_of_another_environment_is_refused(executor):
    run = executor()
    with pytest.raises(Refused, match="asks for production"):
        run.answer({"verb": "hello", "environment": "production"}, quiet)


def test_closing_writes_the_last_line_and_gives_the_locks_back(executor):
    run = executor()
    step(run)
    run.close("finished", run.findings.verdict)
    assert events(run)[-1] == "closed"
    with pytest.raises(ArchiveError):
        run.answer({"verb": "note", "text": "too late"}, quiet)
    step(again := executor(), "blue")
    assert events(again)[-1] == "verified"


def done(run):
    """Return where the steps of the run stand, by its journal."""
    lines = (line.said for line in journal.read(run.work.folder / "journal.jsonl"))
    return fold([(run.work.run, lines)])


def test_an_applied_step_is_taken_back_with_what_was_recorded_of_it(executor):
    run = executor()
    step(run)
    run.take_back(done(run)["paint-it"])
    assert fakes.DONE == []
    assert events(run)[-2:] == ["undoing", "undone"]
    assert done(run)["paint-it"].state is State.UNDONE


def test_a_step_that_is_not_there_any_more_is_not_undone_twice(executor):
    run = executor()
    step(run)
    known = done(run)["paint-it"]
    run.take_back(known)
    with pytest.raises(Refused, match="gone already"):
        run.take_back(known)
    assert events(run)[-1] == "refused"


def test_an_undo_needs_the_same_approval_as_the_step(executor):
    first = executor()
    step(first)
    first.locks.close()
    run = executor("production")
    with pytest.raises(Refused, match="approval"):
        run.take_back(done(first)["paint-it"])
    assert fakes.DONE == ["red"]
    assert events(run)[-1] == "refused"


@pytest.mark.parametrize(
    ("cell", "key"),
    [("-x-", "x"), ("_x", "x"), ("--", "step"), ("", "step"), (None, "step"), ("x" * 200, "x" * 80), ("ä", "step")],
)
def test_whatever_a_cell_is_called_its_evidence_can_be_sealed(executor, cell, key):
    run = executor()
    run.cell = cell
    step(run)
    (path,) = (run.work.folder / "evidence").iterdir()
    assert seal.good_name(path.name)
    assert path.name == f"{key}.json"
    assert f"evidence/{path.name}" in seal.scan(run.work.folder, run.redactor).sums


def test_the_second_step_of_a_cell_is_not_taken_for_the_step_of_a_cell_of_that_name(executor):
    run = executor()
    step(run, "red")
    step(run, "blue")
    run.cell = "paint-it-2"
    step(run, "green")
    assert len(list((run.work.folder / "evidence").iterdir())) == 3
    assert [
        line.said["step"] for line in journal.read(run.work.folder / "journal.jsonl") if line.event == "applied"
    ] == [
        "paint-it",
        "paint-it-2",
        "paint-it-2-2",
    ]


@pytest.mark.parametrize("word", ["broken", "forbidden"])
def test_a_notebook_that_goes_on_after_a_step_that_was_not_done_cannot_end_well(executor, word):
    run = executor()
    with pytest.raises((Refused, StepFailed)) as raised:
        step(run, word)
    run.answer(result("a", "OK"), quiet)
    run.answer({"verb": "finish"}, quiet)
    assert run.findings.verdict is Verdict.UNKNOWN
    assert str(run.trouble) == str(raised.value)


def test_what_was_found_after_the_finish_is_counted_too(executor):
    run = executor()
    run.answer(result("a", "OK"), quiet)
    run.answer({"verb": "finish"}, quiet)
    run.answer(result("b", "CRITICAL"), quiet)
    assert run.findings.counts == {"OK": 1, "CRITICAL": 1}


def test_a_refusal_that_carries_a_secret_reaches_neither_journal_nor_notebook_with_it(executor):
    run = executor()
    with pytest.raises(Refused) as raised:
        step(run, "secret")
    assert "«redacted»" in str(raised.value)
    assert "hunter2" not in str(raised.value) + (run.work.folder / "journal.jsonl").read_text()


def test_an_undo_that_breaks_off_is_a_failed_step_in_the_journal(executor):
    run = executor()
    step(run)
    with pytest.raises(StepFailed, match="KeyError"):
        run.take_back(replace(done(run)["paint-it"], values={}))
    assert events(run)[-2:] == ["undoing", "failed"]
    assert done(run)["paint-it"].state is State.UNDO_IN_DOUBT


@pytest.fixture
def archived(executor, tmp_path):
    """An executor whose run's folder lies in an archive."""
    folder = tmp_path / "runs" / "one"
    (folder / "evidence").mkdir(parents=True)
    (tmp_path / "running").mkdir()
    return executor(work={"folder": folder})


def test_a_pause_goes_on_when_a_person_says_so_and_says_who(archived, tmp_path):
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(archived.answer, {"verb": "confirm", "text": "Writers stopped?", "minutes": 1}, quiet)
        until(lambda: "waiting" in events(archived))
        outside.say(tmp_path, archived.work.run, "confirm", "ann@bastion")
        assert asked.result() == "ann@bastion"
    assert events(archived)[-2:] == ["waiting", "confirmed"]
    assert outside.said(tmp_path, archived.work.run, "confirm") == ""


def test_who_waits_for_a_person_tells_how_to_go_on_and_at_most_a_day(archived):
    told = []
    run = Executor(archived.work, locks=archived.locks, progress=told.append)
    run.stop("stopped by ann")
    with pytest.raises(Refused, match="stopped by ann"):
        run.answer({"verb": "confirm", "text": "Writers stopped?", "minutes": 1440}, quiet)
    assert told == [f"waiting: Writers stopped? Go on with: ops confirm {run.work.run}"]
    run.journal.close()


def test_an_answer_from_before_the_question_is_none_and_a_pause_that_nobody_answers_stops_the_run(archived, tmp_path):
    outside.say(tmp_path, archived.work.run, "confirm", "somebody@earlier")
    with pytest.raises(Refused, match="Nobody answered"):
        archived.answer({"verb": "confirm", "text": "Writers stopped?", "minutes": 0.005}, quiet)


def test_a_pause_ends_when_the_run_is_asked_to_stop(archived):
    archived.stop("stopped by ann")
    with pytest.raises(Refused, match="stopped by ann"):
        archived.answer({"verb": "confirm", "text": "Writers stopped?", "minutes": 1}, quiet)


def test_a_planning_run_waits_for_nobody(executor):
    run = executor(mode="plan")
    assert run.answer({"verb": "confirm", "text": "Writers stopped?", "minutes": 1}, quiet) == ""
    (*_, last) = journal.read(run.work.folder / "journal.jsonl")
    assert last.said["text"] == "Here the run will wait for a person: Writers stopped?"


def test_a_step_that_had_touched_nothing_is_undone_without_a_look_and_proves_nothing(executor):
    run = executor()
    step(run, "nothing")
    before = dict(run.findings.counts)
    run.take_back(done(run)["paint-it"])
    assert fakes.DONE == ["nothing"]
    assert events(run)[-1] == "undone"
    assert dict(run.findings.counts) == before


def test_an_undo_that_does_not_verify_is_a_failed_step(executor):
    run = executor()
    step(run, "indelible")
    with pytest.raises(StepFailed, match="shines through"):
        run.take_back(done(run)["paint-it"])
    assert "shines through" in str(run.trouble)


def test_the_plan_of_an_undo_says_what_would_be_and_does_nothing(executor):
    run = executor()
    step(run)
    run.stepper.plan_back(done(run)["paint-it"])
    assert run.stepper.plans[-1].plan.title == "Undo: Paint a word"
    assert (fakes.DONE, events(run)[-1]) == (["red"], "planned")


def test_a_step_whose_record_could_not_be_written_is_neither_settled_nor_verified(executor):
    run = executor()
    with pytest.raises(ArchiveError):
        step(run, "unrecorded")
    assert "settled" not in events(run)
    assert done(run)["paint-it"].state is State.IN_DOUBT


def test_a_reading_and_a_note_are_journalled(executor):
    run = executor()
    assert run.answer({"verb": "reading", "reading": {"probe": "p"}}, quiet) == 2
    assert run.answer({"verb": "note", "text": "seen"}, quiet) == 3
    assert run.answer(result("a", "OK"), quiet) == 4
    assert events(run)[-3:] == ["reading", "note", "result"]


def test_a_run_is_not_led_to_another_environment_by_its_notebook(executor):
    with pytest.raises(Refused, match="started on lab"):
        executor().answer({"verb": "hello", "environment": "production"}, quiet)


@pytest.mark.parametrize("minutes", [0, -1, 1441])
def test_a_pause_has_an_end(executor, minutes):
    with pytest.raises(UsageError, match="not possible"):
        executor().answer({"verb": "confirm", "text": "Ready?", "minutes": minutes}, quiet)


def test_a_step_under_way_is_waited_for_and_a_time_limit_says_that_it_still_is(executor):
    run, inside, go_on = executor(), threading.Event(), threading.Event()

    def hold(said):
        inside.set()
        go_on.wait(10)

    with ThreadPoolExecutor() as pool:
        asked = pool.submit(step, run, "red", hold)
        assert inside.wait(10)
        assert run.settle(0.05) is False
        go_on.set()
        assert asked.result()["status"] == "applied"
    assert run.settle() is True
    assert step(run, "blue")["status"] == "applied"


def test_only_where_nobody_else_knows_it_the_notebook_says_which_cell_it_is_in(executor, tmp_path):
    said = {"verb": "note", "text": "seen", "cell": "another-cell"}
    run = executor()
    run.answer(said, quiet)
    assert run.cell == "paint-it"
    told = ByHand(run.work, locks=run.locks)
    told.answer(said, quiet)
    assert told.cell == "another-cell"
    told.answer({"verb": "note", "text": "seen"}, quiet)
    assert told.cell == "another-cell"
    told.journal.close()


def test_before_anything_is_asked_a_run_is_in_no_cell_not_finished_and_holds_locks_of_its_own(executor):
    run = Executor(executor().work)
    assert (run.cell, run.finished, run.trouble) == (None, False, None)
    assert isinstance(run.locks, Locks)
    run.answer({"verb": "finish"}, quiet)
    assert run.finished
    run.journal.close()


def test_the_end_says_which_run_it_was_and_what_was_done(executor):
    run = executor()
    step(run)
    assert run.answer({"verb": "finish"}, quiet) == {
        "run": run.work.run,
        "notebook": "runbooks/paint",
        "environment": "lab",
        "mode": "run",
        "verdict": "OK",
        "counts": {"OK": 1, "WARNING": 0, "UNKNOWN": 0, "CRITICAL": 0},
        "steps": 1,
    }
    assert events(run)[-1] == "finished"


def test_the_first_who_stops_a_run_is_who_stopped_it(executor):
    run = executor()
    run.stop("stopped by ann")
    run.stop("stopped by ben")
    assert (run.stopping, events(run).count("stopping")) == ("stopped by ann", 1)


def test_progress_is_told_to_the_notebook_and_to_who_started_the_run_with_its_share_where_that_is_known(executor):
    told, heard = [], []
    run = executor()
    other = Executor(run.work, locks=run.locks, progress=told.append)
    step(other, "long", heard.append)
    step(other, "torn", heard.append)
    other.journal.close()
    mixing = ["paint: mixing"] * 2 + ["paint: mixing (0%)", "paint: mixing"]
    assert told == [
        "paint: painting (50%)",
        *mixing,
        "paint: verifying",
        "paint: painting (50%)",
        "paint: looking",
        "paint: verifying",
    ]
    assert heard[0] == {"text": "painting", "done": 1, "total": 2}
    assert heard[5] == {"text": "verifying", "done": None, "total": None}
    assert heard[7] == {"text": "looking", "done": None, "total": None}


def test_another_action_in_the_cell_of_a_step_that_was_not_done_is_another_step(executor):
    run = executor()
    with pytest.raises(StepFailed):
        step(run, "broken")
    step(run, action="wash")
    assert [path.name for path in (run.work.folder / "evidence").iterdir()] == ["paint-it-2.json"]


def test_an_action_whose_parameters_have_defaults_needs_none(executor):
    with pytest.raises(StepFailed, match="took longer than 0 s"):
        executor().answer({"verb": "step", "action": "dawdle"}, quiet)


def test_an_undo_that_is_under_way_is_not_broken_off(executor):
    run = executor()
    step(run)
    other = Executor(run.work, locks=run.locks, progress=lambda said: other.stop("stopped by ann"))
    other.take_back(done(run)["paint-it"])
    assert (fakes.DONE, other.stopping, other.findings.verdict) == ([], "stopped by ann", Verdict.OK)
    other.journal.close()


def test_a_run_that_was_asked_to_stop_takes_nothing_back(executor):
    run = executor()
    step(run)
    run.stop("stopped by ann")
    with pytest.raises(Refused, match="stopped by ann"):
        run.take_back(done(run)["paint-it"])
    assert fakes.DONE == ["red"]


def test_what_the_locks_found_stands_in_the_record(executor):
    run = executor()
    run.locks.findings.append("the clock is 3 s ahead of the store's")
    run.close("finished", Verdict.OK)
    notes = [line.said["text"] for line in journal.read(run.work.folder / "journal.jsonl") if line.event == "note"]
    assert notes == ["the clock is 3 s ahead of the store's"]


def test_who_approved_a_step_approved_its_undo(executor):
    first = executor()
    step(first)
    first.locks.close()
    known = done(first)["paint-it"]
    approved = saved(steps=(PlannedStep("paint-it", plan_of(known.plan)),))
    run = executor("production", work={"approved": approved})
    run.take_back(known)
    assert fakes.DONE == []
    run.locks.close()
    with pytest.raises(Refused, match="not in the plan that was approved"):
        executor("production", work={"approved": saved(steps=())}).take_back(known)


def test_a_notebook_is_told_which_run_it_is_of(executor):
    run = executor()
    said = run.answer({"verb": "hello", "environment": "lab"}, quiet)
    assert (said["environment"], said["mode"]) == ("lab", "run")
    assert run.answer({"verb": "hello"}, quiet) == said
