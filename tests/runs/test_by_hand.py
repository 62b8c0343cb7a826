"""A run that a person steps through: what is shown, what a person may do with a step, and what the record keeps."""

import threading

import pytest

from opslib.errors import Refused, StepFailed, UsageError
from opslib.model import Verdict
from opslib.runs import journal
from opslib.runs.by_hand import ByHand
from opslib.runs.looking_back import durations
from opslib.runs.steps import State
from tests.runs import fakes
from tests.runs.test_asking import asking, keys, sign  # noqa: F401 - keys is a fixture
from tests.signing import WORK


@pytest.fixture
def run(executor):
    return executor(kind=ByHand)


def quiet(said):
    return None


def ask(run, verb, **said):
    return run.answer({"verb": verb, **said}, quiet)


def show(run, word, cell="paint-it", action="paint"):
    return ask(run, "show", cell=cell, action=action, parameters={"word": word})


def apply(run, word, cell="paint-it", action="paint", progress=quiet):
    asked = {"verb": "step", "cell": cell, "action": action, "parameters": {"word": word}}
    return run.answer(asked, progress)


def events(run, *names):
    return [line.said for line in journal.read(run.journal.path) if line.event in names]


def test_what_is_shown_is_planned_and_nothing_is_done_until_it_is_asked_for(run):
    shown = show(run, "red")
    assert (shown["step"], shown["state"], shown["approvals"], shown["took"]) == ("paint-it", "not done", 0, [])
    assert shown["plan"]["after"] == {"words": 1}
    assert fakes.DONE == []
    assert run.findings.verdict is Verdict.UNKNOWN
    assert apply(run, "red")["status"] == "applied"
    assert fakes.DONE == ["red"]
    assert run.findings.verdict is Verdict.OK
    assert [line["event"] for line in events(run, "planned", "intent", "verified")] == [
        *("planned", "planned", "intent", "verified")
    ]
    assert [planned.step for planned in run.stepper.plans] == ["paint-it"]


def test_what_moved_since_it_was_shown_is_refused_and_can_be_shown_again(run):
    show(run, "red")
    fakes.DONE.append("blue")
    with pytest.raises(Refused, match="not what was shown any more"):
        apply(run, "red")
    assert fakes.DONE == ["blue"]
    assert show(run, "red")["plan"]["before"] == {"words": 1}
    assert apply(run, "red")["status"] == "applied"


def test_a_step_of_the_same_cell_that_was_done_is_another_step_when_it_is_shown_again(run):
    show(run, "red")
    apply(run, "red")
    assert show(run, "blue")["step"] == "paint-it-2"


def test_a_notebook_that_begins_again_finds_its_steps_and_does_none_twice(run):
    show(run, "red")
    apply(run, "red")
    run.begin_again()
    shown = show(run, "red")
    assert (shown["step"], shown["state"]) == ("paint-it", State.VERIFIED)
    assert apply(run, "red")["status"] == "applied"
    assert fakes.DONE == ["red"]
    assert events(run, "kept")[0]["from"] == run.work.run
    assert ask(run, "finish")["steps"] == 1


def test_a_step_is_left_out_with_a_reason_and_the_run_is_not_green_then(run):
    show(run, "red")
    for reason in ("", "   ", "x" * 501):
        with pytest.raises(UsageError, match="Why"):
            ask(run, "skip", step="paint-it", reason=reason)
    assert ask(run, "skip", step="paint-it", reason="done by hand")["status"] == "planned"
    assert run.findings.verdict is Verdict.UNKNOWN
    assert "done by hand" in run.findings.why
    assert run.trouble is None
    assert fakes.DONE == []


def test_what_may_have_changed_something_cannot_be_left_out(run):
    with pytest.raises(StepFailed):
        apply(run, "doubtful")
    with pytest.raises(Refused, match="in doubt, so it cannot be left out"):
        ask(run, "skip", step="paint-it", reason="it is dark")
    assert run.trouble is not None
    with pytest.raises(UsageError, match="not known"):
        ask(run, "skip", step="another", reason="it is dark")


def test_a_step_that_failed_and_changed_nothing_can_be_left_out_and_is_no_trouble_then(run):
    with pytest.raises(StepFailed):
        apply(run, "away")
    ask(run, "skip", step="paint-it", reason="the wall is being built")
    assert run.trouble is None
    assert run.findings.verdict is Verdict.UNKNOWN


def test_steps_are_taken_back_in_the_same_run_the_last_one_first(run):
    apply(run, "red", cell="first")
    apply(run, "blue", cell="second")
    with pytest.raises(Refused, match="second came after first"):
        ask(run, "undo", step="first")
    assert fakes.DONE == ["red", "blue"]
    undone = ask(run, "undo", step="second")
    assert (undone["status"], fakes.DONE) == ("undone", ["red"])
    ask(run, "undo", step="first")
    assert fakes.DONE == []
    assert run.changed == []
    assert run.findings.verdict is Verdict.UNKNOWN
    with pytest.raises(Refused, match="left nothing to undo"):
        ask(run, "undo", step="first")


def test_a_step_that_waits_for_others_says_for_which_file_and_goes_on_once_they_signed(tmp_path, keys, executor):  # noqa: F811
    one, folder = asking(tmp_path)
    folder = folder.with_name(f"{WORK}.paint-it")
    signers = str(tmp_path / "allowed_signers")
    run = executor("production", OPS_ALLOWED_SIGNERS=signers, work={"asking": one}, kind=ByHand)
    assert show(run, "red")["approvals"] == 2
    missing = ask(run, "missing", step="paint-it")
    assert "2 other people" in missing["why"]
    assert missing["next"] == f"Others approve it with: ops approve {folder}/plan.json"
    with pytest.raises(Refused, match="2 other people"):
        apply(run, "red")
    assert fakes.DONE == []
    show(run, "red")
    sign(keys, folder, "ben", "cat")
    assert ask(run, "missing", step="paint-it") == {"why": "", "next": ""}
    assert apply(run, "red")["status"] == "applied"
    # Who approved the step approved its undo with it.
    ask(run, "undo", step="paint-it")
    assert fakes.DONE == []


def test_without_an_approval_nothing_is_undone_outside_the_lab(tmp_path, keys, executor):  # noqa: F811
    one, _ = asking(tmp_path)
    signers = str(tmp_path / "allowed_signers")
    run = executor("production", OPS_ALLOWED_SIGNERS=signers, work={"asking": one}, kind=ByHand)
    show(run, "red")
    fakes.DONE.append("red")
    said = {"word": "red"}
    run.journal.append("applied", step="paint-it", values=said, seconds=1.0)
    with pytest.raises(Refused, match="2 other people"):
        ask(run, "undo", step="paint-it")
    assert fakes.DONE == ["red"]


def test_what_was_not_shown_waits_for_nobody(run):
    with pytest.raises(UsageError, match="was not shown"):
        ask(run, "missing", step="paint-it")


def test_a_step_under_way_is_cancelled_where_it_next_tells_its_progress_and_the_run_goes_on(run):
    inside, go_on = threading.Event(), threading.Event()

    def hold(said):
        inside.set()
        assert go_on.wait(10)

    failed = []

    def work():
        with pytest.raises(StepFailed, match="cancelled by its operator") as error:
            apply(run, "long", progress=hold)
        failed.append(error.value)

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(10)
    assert run.cancel() is True
    go_on.set()
    thread.join(10)
    assert len(failed) == 1
    assert fakes.DONE == []
    assert run.cancel() is False
    assert apply(run, "long")["status"] == "applied"


def test_after_its_end_a_run_takes_only_words_about_its_cells(run):
    heard = []
    run.more = {"cell ran": lambda request, progress: heard.append(request["cell"])}
    ask(run, "finish")
    with pytest.raises(Refused, match="is finished"):
        apply(run, "red")
    ask(run, "cell ran", cell="finish")
    assert heard == ["finish"]
    assert fakes.DONE == []


def test_a_person_ends_the_run_and_the_record_can_say_so(run):
    assert not run.done.is_set()
    ask(run, "end")
    assert run.done.is_set()
    assert run.ended_by == ""


def test_how_long_a_step_took_is_told_by_earlier_runs_of_that_environment_only(tmp_path, executor):
    runs = tmp_path / "runs"
    for number, environment in enumerate(("lab", "staging", "lab")):
        folder = runs / f"2026112{number}T100000Z-runbooks-paint-a1b2c3"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(f'{{"environment": "{environment}"}}')
        lines = (
            '{"event": "intent", "step": "one", "action": "paint"}',
            f'{{"event": "applied", "step": "one", "seconds": {number + 1}.5}}',
            '{"event": "applied", "step": "other", "seconds": 99}',
        )
        (folder / "journal.jsonl").write_text("".join(f"{line}\n" for line in lines))
    assert durations(runs, "own", "lab", "paint") == [3.5, 1.5]
    assert durations(runs, "own", "lab", "wash") == []


def test_what_cannot_be_planned_is_told_kept_as_trouble_and_can_be_shown_again(run):
    with pytest.raises(Refused, match="must not be painted"):
        show(run, "forbidden")
    assert run.findings.verdict is Verdict.UNKNOWN
    assert [line["step"] for line in events(run, "refused")] == ["paint-it"]
    assert show(run, "red")["step"] == "paint-it"
    assert apply(run, "red")["status"] == "applied"
    assert run.trouble is None
