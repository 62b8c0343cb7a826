"""Times and losses of drills against the guide's promises. Pure."""

from datetime import timedelta

import pytest

from opslib.checks import backups as checks
from opslib.guide.promises import PROMISES
from opslib.model import Verdict
from opslib.probes.backups_drill import damaged
from tests.drills import ID, LOSS, MOMENTS, NOW, drill, exercise, reading

EARLIER = "20260829T110000Z-drill-a1b2c3"


def everything(**said):
    return drill(*(exercise(name, **said.get(name, {})) for name in PROMISES))


def judged(check, *records, **said):
    return check.judge(reading(*records, **said))


def took(seconds):
    return {"moments": MOMENTS.model_copy(update={"mitigated": seconds, "resolved": seconds + 1})}


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(10, "OK"), (240, "OK"), (241, "WARNING"), (300, "WARNING"), (301, "CRITICAL")]
)
def test_a_time_is_held_against_the_promise(seconds, verdict):
    said = judged(checks.drilled("database"), drill(exercise("database", **took(float(seconds)))))
    assert said.verdict == verdict
    assert "(promised 5 min)" in said.summary


@pytest.mark.parametrize(
    ("lost", "seconds", "stated", "verdict", "words"),
    [
        (0, 0.0, None, "OK", "0 of 100 acknowledged rows lost"),
        (3, 30.0, 40.0, "OK", "40.0 s were stated beforehand"),
        (3, 30.0, None, "OK", "promised at most 60 min"),
        (3, 30.0, 29.0, "CRITICAL", "stated beforehand were 29.0 s at most"),
        (3, 3000.0, 4000.0, "WARNING", "those of 50 min"),
        (3, 3601.0, 4000.0, "CRITICAL", "those of 1 h"),
    ],
)
def test_a_loss_is_held_against_the_promise_and_against_what_was_stated(lost, seconds, stated, verdict, words):
    loss = LOSS.model_copy(update={"lost": lost, "seconds": seconds, "stated_seconds": stated})
    said = judged(checks.drilled("database"), drill(exercise("database", loss=loss)))
    assert (said.verdict, words in said.summary) == (verdict, True), said.summary


@pytest.mark.parametrize("seconds", [0.001, 30.0, None])
def test_where_nothing_may_be_lost_one_write_is_too_many(seconds):
    loss = LOSS.model_copy(update={"lost": 1, "seconds": seconds})
    said = judged(checks.drilled("llm"), drill(exercise("llm", loss=loss)))
    assert said.verdict is Verdict.CRITICAL
    assert "where none may be" in said.summary


def test_of_the_cache_nothing_is_promised_and_the_count_is_told():
    loss = LOSS.model_copy(update={"lost": 100, "seconds": 60.0})
    said = judged(checks.drilled("cache"), drill(exercise("cache", loss=loss)))
    assert said.verdict is Verdict.OK
    assert "100 of 100 acknowledged rows lost, none is promised" in said.summary


@pytest.mark.parametrize(
    "said",
    [
        {"moments": MOMENTS.model_copy(update={"mitigated": None})},
        {"loss": None, "uncounted": "Nobody could look."},
        {"loss": LOSS.model_copy(update={"acknowledged": 0, "lost": 0})},
        {"why": "The notebook is not there yet."},
    ],
    ids=["no time", "no count", "nothing written", "not drilled"],
)
def test_what_was_not_measured_is_unknown(said):
    assert judged(checks.drilled("database"), drill(exercise("database", **said))).verdict is Verdict.UNKNOWN


def test_a_service_that_users_have_back_and_the_notebook_did_not_recover_is_critical():
    said = judged(checks.drilled("llm"), drill(exercise("llm", trouble="It ended as failed.")))
    assert said.verdict is Verdict.CRITICAL
    assert "not recovered, though users were served after 10.0 s: It ended as failed" in said.summary


def test_the_score_counts_what_was_not_measured_as_not_met():
    assert judged(checks.drill_score(), everything()).verdict is Verdict.OK
    part = everything(llm={"why": "Not there."}, database=took(400.0))
    said = judged(checks.drill_score(), part)
    assert (said.verdict, said.value) == (Verdict.WARNING, 66.7)
    assert said.summary == "6 of 9 promises met, 1 not met, 2 not measured."


def test_a_drill_of_one_service_says_nothing_of_the_others():
    said = judged(checks.drill_score(), drill(exercise("cache")))
    assert said.summary == "1 of 9 promises met, 0 not met, 8 not measured."
    assert judged(checks.drilled("llm"), drill(exercise("cache"))).verdict is Verdict.UNKNOWN
    assert judged(checks.drill_score(), drill(exercise("cache", why="Not there."))).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("days", "verdict"), [(1, "OK"), (75, "OK"), (76, "WARNING"), (92, "WARNING"), (93, "CRITICAL")]
)
def test_the_age_is_that_of_the_service_whose_drill_is_longest_ago(days, verdict):
    old = everything(frontend={"began_at": NOW - timedelta(days=days)})
    said = judged(checks.drill_age, old)
    assert (said.verdict, said.value) == (verdict, days)
    # A newer drill of that service alone makes all of them young.
    assert judged(checks.drill_age, drill(exercise("frontend")), old).verdict is Verdict.OK


def test_a_service_that_was_never_drilled_is_unknown_whatever_the_others_are():
    assert judged(checks.drill_age).verdict is Verdict.UNKNOWN
    said = judged(checks.drill_age, everything(application={"why": "Not there."}))
    assert said.verdict is Verdict.UNKNOWN
    assert "never drilled: API services" in said.summary
    old = everything(application={"why": "Not there."}, llm={"began_at": NOW - timedelta(days=100)})
    assert judged(checks.drill_age, old).verdict is Verdict.CRITICAL


def test_a_record_is_believed_only_with_all_the_runs_that_it_names():
    assert judged(checks.drill_record(), everything()).verdict is Verdict.OK
    (run,) = {run.run for one in everything().exercises for run in one.runs}
    for made in EVERY:
        said = judged(made("latest"), everything(), unsealed={run: "is not what was sealed"})
        assert said.verdict is Verdict.CRITICAL
        assert f"{run} is not what was sealed" in said.summary
        assert said.value is None


def test_what_was_left_broken_or_broken_off_is_told():
    assert judged(checks.drill_record(), drill(exercise("llm", mended=False))).verdict is Verdict.CRITICAL
    assert judged(checks.drill_record(), drill(exercise("llm"), state="interrupted")).verdict is Verdict.WARNING
    assert "had left" in judged(checks.drill_record(), drill(exercise("llm"), found=("X had left Y.",))).summary


EVERY = [checks.drill_record, checks.drill_score, checks.drill_compared, lambda drill: checks.drilled("llm", drill)]


@pytest.mark.parametrize("made", EVERY)
def test_a_drill_that_is_not_there_is_unknown_and_a_damaged_one_critical(made):
    assert judged(made("latest")).verdict is Verdict.UNKNOWN
    assert judged(made(EARLIER), everything()).verdict is Verdict.UNKNOWN
    found = reading(everything())
    rows = (damaged("20261130T110000Z-drill-a1b2c3", "is not what was sealed"), *found.rows)
    newest = type(found)(**{**vars(found), "rows": rows})
    assert made("latest").judge(newest).verdict is Verdict.CRITICAL
    assert made(ID).judge(newest).verdict is not Verdict.CRITICAL


@pytest.mark.parametrize(
    ("before", "now", "verdict"), [(20.0, 30.0, "OK"), (20.0, 31.0, "WARNING"), (1.0, 8.0, "OK"), (60.0, 20.0, "OK")]
)
def test_slower_is_by_half_and_by_more_than_chance(before, now, verdict):
    records = drill(exercise("llm", **took(now))), drill(exercise("llm", **took(before)), name=EARLIER)
    assert judged(checks.drill_compared(), *records).verdict == verdict


def test_the_first_drill_has_none_to_be_compared_with_and_what_was_not_measured_is_no_number():
    assert judged(checks.drill_compared(), everything()).verdict is Verdict.OK
    said = judged(checks.drill_compared(), everything(llm={"why": "Not there."}), drill(exercise("llm"), name=EARLIER))
    (row,) = [row for row in said.rows if row["service"] == "LLM services"]
    assert (row["rto_before"], row["rto_now"], row["slower"]) == (10.0, None, None)
