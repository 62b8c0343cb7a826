import pytest

from opslib.runs.steps import State, StepRecord, fold, in_order, number_of, work_of

WORK = "20261123T130614Z-runbooks-paint-a1b2c3"
PLAN = {"action": "paint", "parameters": {"word": "red"}}
LOOKED = {"verdict": "OK", "summary": "looked", "rows": []}


def line(event, step="one", **more):
    return {"event": event, "step": step, **more}


PLANNED, INTENT = line("planned", plan=PLAN), line("intent", action="paint")
APPLIED = line("applied", values={"a": 1}, seconds=2.5)
VERIFIED = line("verified", verification=LOOKED)
DOUBTED = line("verified", verification={**LOOKED, "verdict": "UNKNOWN"})


def settled(outcome, event="settled", **more):
    return line(event, outcome=outcome, why="seen", **more)


UNDONE = line("undone", verification=LOOKED)
STATES = {
    "planned only": ([PLANNED], State.NOT_DONE),
    "announced": ([PLANNED, INTENT], State.IN_DOUBT),
    "applied": ([PLANNED, INTENT, APPLIED], State.APPLIED),
    "verified": ([PLANNED, INTENT, APPLIED, VERIFIED], State.VERIFIED),
    "verified, and not OK": ([PLANNED, INTENT, APPLIED, DOUBTED], State.APPLIED),
    "verified without a word": ([PLANNED, INTENT, APPLIED, line("verified")], State.APPLIED),
    "failed before": ([PLANNED, line("failed")], State.NOT_DONE),
    "failed in between": ([PLANNED, INTENT, line("failed")], State.IN_DOUBT),
    "failed after": ([PLANNED, INTENT, APPLIED, line("failed")], State.APPLIED),
    "failed after its verification": ([PLANNED, INTENT, APPLIED, VERIFIED, line("failed")], State.VERIFIED),
    "refused before": ([PLANNED, line("refused")], State.NOT_DONE),
    "a refusal tells nothing of what is in doubt": ([PLANNED, INTENT, line("refused")], State.IN_DOUBT),
    "refused after": ([PLANNED, INTENT, APPLIED, line("refused")], State.APPLIED),
    "settled as done": ([PLANNED, INTENT, settled("done", values={"a": 1})], State.APPLIED),
    "settled as not done": ([PLANNED, INTENT, settled("not done")], State.NOT_DONE),
    "settled as partly done": ([PLANNED, INTENT, settled("partly done")], State.IN_DOUBT),
    "not to be told": ([PLANNED, INTENT, settled("unknown")], State.IN_DOUBT),
    "an outcome of no name": ([PLANNED, INTENT, line("settled")], State.IN_DOUBT),
    "a person saw it done": ([PLANNED, INTENT, settled("done", "resolved")], State.APPLIED),
    "a person saw it not done": ([PLANNED, INTENT, settled("not done", "resolved")], State.NOT_DONE),
    "being undone": ([PLANNED, INTENT, APPLIED, line("undoing")], State.UNDO_IN_DOUBT),
    "undone": ([PLANNED, INTENT, APPLIED, line("undoing"), UNDONE], State.UNDONE),
    "undone, and not OK": (
        [PLANNED, INTENT, APPLIED, line("undoing"), line("undone", verification={"verdict": "CRITICAL"})],
        State.UNDO_IN_DOUBT,
    ),
    "undone without a word": ([PLANNED, INTENT, APPLIED, line("undoing"), line("undone")], State.UNDO_IN_DOUBT),
    "kept": ([PLANNED, INTENT, APPLIED, VERIFIED, line("kept")], State.VERIFIED),
    "of an event of no name": ([PLANNED, line("danced")], State.NOT_DONE),
}


@pytest.mark.parametrize("name", STATES)
def test_a_step_stands_where_its_lines_say(name):
    lines, state = STATES[name]
    assert fold([(WORK, lines)])["one"].state is state


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("at", range(1, 5))
def test_it_stands_there_too_when_its_lines_are_of_several_runs(name, at):
    lines, state = STATES[name]
    both = fold([(WORK, lines[:at]), (f"{WORK}-resume-1", lines[at:])])
    assert both["one"].state is state
    assert fold([(f"{WORK}-resume-1", lines[at:])], fold([(WORK, lines[:at])])) == both


def test_a_step_keeps_what_was_recorded_of_it():
    found = fold([(WORK, [PLANNED, INTENT, APPLIED, VERIFIED])])["one"]
    assert found == StepRecord("one", "paint", State.VERIFIED, WORK, PLAN, {"a": 1}, LOOKED, 2.5)
    assert fold([(WORK, [INTENT])])["one"].action == "paint"
    assert fold([(WORK, [INTENT])])["one"].seconds == 0.0
    assert fold([(WORK, [PLANNED, line("intent")])])["one"].action == "paint"
    assert fold([(WORK, [line("planned", plan={})])])["one"] == StepRecord("one", "", State.NOT_DONE, WORK)
    assert fold([(WORK, [line("planned")])])["one"].plan == {}
    assert fold([(WORK, [line("applied", seconds="long")])])["one"].seconds == 0.0
    assert fold([(WORK, [line("applied", seconds=3)])])["one"].seconds == 3.0
    assert fold([(WORK, [settled("done", values={"b": 2})])])["one"].values == {"b": 2}
    assert fold([(WORK, [line("applied")])])["one"].values == {}
    assert fold([(WORK, [settled("done")])])["one"].values == {}
    assert fold([(WORK, [line("verified")])])["one"].verification == {}


def test_a_step_names_the_run_that_last_said_something_of_it():
    runs = [(WORK, [PLANNED, INTENT]), (f"{WORK}-resume-1", [settled("done")]), (f"{WORK}-resume-2", [line("kept")])]
    assert fold(runs)["one"].run == f"{WORK}-resume-1"
    assert fold([(WORK, [line("failed")])])["one"].run == WORK


def test_steps_stand_in_the_order_in_which_they_first_changed_something():
    plans = [line("planned", step) for step in ("one", "two", "three")]
    lines = [*plans, line("intent", "two"), line("applied", "two"), line("intent", "one"), line("intent", "two")]
    assert list(fold([(WORK, plans)])) == ["one", "two", "three"]
    assert list(fold([(WORK, lines)])) == ["three", "two", "one"]
    assert list(fold([(WORK, [*plans, line("planned", "one")])])) == ["one", "two", "three"]


def test_a_second_try_of_what_was_not_done_counts_from_when_it_began():
    lines = [line("intent", "one"), settled("not done"), line("intent", "two"), line("intent", "one")]
    assert list(fold([(WORK, lines)])) == ["two", "one"]


@pytest.mark.parametrize("other", [{"event": "opened"}, {"event": "planned", "step": None}, {"step": 7}, {}])
def test_lines_of_no_step_change_nothing(other):
    assert fold([(WORK, [other])]) == {}


def test_where_the_steps_stood_before_is_not_changed():
    before = fold([(WORK, [PLANNED])])
    fold([(WORK, [INTENT])], before)
    assert before["one"].state is State.NOT_DONE


@pytest.mark.parametrize("state", State)
def test_only_what_was_never_done_or_is_undone_has_changed_nothing(state):
    assert StepRecord("one", "paint", state, WORK).changed == (state not in ("not done", "undone"))


@pytest.mark.parametrize(
    ("suffix", "number"),
    [("", 0), ("-apply", 0), ("-resume-1", 1), ("-undo-12", 12), ("-resolve-3", 3)],
)
def test_a_run_s_id_tells_its_work_and_its_place(suffix, number):
    assert (work_of(WORK + suffix), number_of(WORK + suffix)) == (WORK, number)


@pytest.mark.parametrize(
    "suffix", ["-resume-0", "-resume-", "-resume-01", "-redo-1", "-apply-1", "-resume-1x", "-resume-١"]
)
def test_other_endings_are_no_place_in_a_work(suffix):
    assert (work_of(WORK + suffix), number_of(WORK + suffix)) == (WORK + suffix, 0)


def test_the_runs_of_a_work_come_in_the_order_in_which_they_were_started():
    names = ["-resume-10", "-undo-11", "-apply", "-resume-2", "", "-resolve-1"]
    expected = ["", "-apply", "-resolve-1", "-resume-2", "-resume-10", "-undo-11"]
    others = ["20261123T130614Z-runbooks-paint-ffffff", f"{WORK}-resume-0"]
    assert in_order([*(WORK + name for name in names), *others], WORK) == [WORK + name for name in expected]


@pytest.mark.parametrize("wrong", [7, "text", [1], None, True])
@pytest.mark.parametrize(
    "event", ["planned", "intent", "applied", "verified", "settled", "resolved", "undoing", "undone"]
)
def test_lines_with_something_else_in_their_parts_are_read_without_them(event, wrong):
    said = line(event, plan=wrong, values=wrong, verification=wrong, seconds=[], outcome=wrong, action=wrong)
    found = fold([(WORK, [PLANNED, said])])["one"]
    assert (found.values, found.verification) == ({}, {})
    assert found.state not in (State.VERIFIED, State.UNDONE)
