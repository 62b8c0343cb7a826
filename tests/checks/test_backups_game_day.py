"""Hypotheses of a game day: people's times, recoveries, steady states, and what nobody can tell. Pure."""

import pytest

from opslib.checks import backups as checks
from opslib.guide.promises import PROMISES
from opslib.model import Verdict
from tests.drills import LOSS, MOMENTS
from tests.game_days import drilled, ran, reading, told

WELL = [
    told("injected", by="ann@valuecanvas"),
    told("alerted", 60),
    told("acknowledged", 90),
    ran("disaster/recover-database", 100),
    told("mitigated", 200),
    told("resolved", 220),
    ran("diagnostics/triage", -60),
    ran("diagnostics/triage", 240),
]
NEVER = MOMENTS.model_copy(update={"resolved": None})
SLOW = MOMENTS.model_copy(update={"mitigated": 200.0, "resolved": 220.0})
EVERY = (
    *(checks.game_day_response(moment) for moment in ("alerted", "acknowledged", "opened")),
    checks.game_day_recovery(),
    checks.game_day_steady(),
    checks.game_day_score(),
)


def judged(check, *rows, **said):
    return check.judge(reading(*rows, **said))


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.name)
def test_without_a_game_day_and_without_a_fault_nothing_is_green(check):
    assert judged(check).verdict is Verdict.UNKNOWN
    assert judged(check, told("observed", says="the rota was out of date")).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.name)
def test_a_drill_that_is_not_what_was_sealed_makes_everything_critical(check):
    row = {**drilled(), "unsealed": ["20261129T110000Z-a is not what was sealed"]}
    assert judged(check, *WELL, row).verdict is Verdict.CRITICAL


@pytest.mark.parametrize(
    ("moment", "seconds", "within", "verdict"),
    [
        ("alerted", 60, 1, "OK"),
        ("alerted", 400, 1, "WARNING"),
        ("alerted", 700, 1, "CRITICAL"),
        # Ten minutes, give or take one: nobody can tell on which side of the limit it was.
        ("alerted", 600, 60, "UNKNOWN"),
        ("acknowledged", 60 + 14 * 60, 1, "WARNING"),
        ("acknowledged", 60 + 16 * 60, 1, "CRITICAL"),
    ],
)
def test_a_persons_time_is_held_against_its_limit_with_its_uncertainty(moment, seconds, within, verdict):
    alert = [] if moment == "alerted" else [told("alerted", 60)]
    rows = [told("injected"), *alert, told(moment, seconds, within=within)]
    assert judged(checks.game_day_response(moment), *rows).verdict == verdict


def test_which_runbook_was_opened_counts_as_well_as_when():
    said = judged(checks.game_day_response("opened"), *WELL)
    assert (said.verdict, "disaster/recover-database" in said.summary, said.rows[0]["known_by"]) == ("OK", True, "run")
    other = [*WELL[:3], ran("runbooks/maintain-database", 95)]
    assert judged(checks.game_day_response("opened"), *other).verdict is Verdict.WARNING
    none = judged(checks.game_day_response("opened"), *WELL[:3])
    assert (none.verdict, none.rows[0]["by"]) == (Verdict.UNKNOWN, "nobody")


def test_a_recovery_is_the_drills_where_one_measured_it_and_else_what_people_say():
    measured = judged(checks.game_day_recovery(), *WELL, drilled())
    assert measured.verdict is Verdict.OK
    assert "back after 10.0 s" in measured.summary
    row = measured.rows[0]
    assert (row["back_seconds"], row["promised_seconds"], row["writes_lost"]) == (10.0, 300, 3)
    assert "3 of 100 acknowledged rows lost" in measured.summary
    told_only = judged(checks.game_day_recovery(), *WELL)
    assert (told_only.verdict, "as people say" in told_only.summary) == (Verdict.UNKNOWN, True)
    assert "losses were not counted" in told_only.summary
    late = judged(checks.game_day_recovery(), told("injected"), told("mitigated", 600))
    assert late.verdict is Verdict.CRITICAL


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        (WELL, "OK"),
        (WELL[:6], "UNKNOWN"),
        ([*WELL[:6], ran("diagnostics/triage", -60, verdict="CRITICAL"), WELL[7]], "UNKNOWN"),
        ([*WELL[:7], ran("diagnostics/triage", 240, verdict="CRITICAL")], "CRITICAL"),
        ([drilled()], "OK"),
        ([drilled(mended=False)], "CRITICAL"),
        (
            [drilled(trouble="Nobody had it recovered.", moments=MOMENTS.model_copy(update={"resolved": None}))],
            "CRITICAL",
        ),
    ],
    ids=["framed", "nobody looked", "ill before", "ill after", "measured", "not taken back", "never steady"],
)
def test_it_was_steady_before_and_is_again(rows, verdict):
    assert judged(checks.game_day_steady(), *rows).verdict == verdict


def test_the_score_counts_what_nobody_can_tell_as_not_held():
    all_held = judged(checks.game_day_score(), *WELL[:4], drilled(moments=SLOW))
    assert (all_held.value, all_held.verdict, len(all_held.rows)) == (100.0, Verdict.OK, 6)
    half = judged(checks.game_day_score(), drilled())
    assert (half.value, half.verdict) == (50.0, Verdict.WARNING)
    assert "3 of 6 hypotheses held, 0 did not, 3 nobody can tell" in half.summary


def test_of_several_services_each_is_told():
    lost = LOSS.model_copy(update={"lost": 1})
    said = judged(checks.game_day_recovery(), drilled(), drilled("llm", loss=lost))
    assert said.verdict is Verdict.CRITICAL
    assert [row["service"] for row in said.rows] == [PROMISES["database"].title, PROMISES["llm"].title]
    assert judged(checks.game_day_recovery("2026-q1"), told("injected")).summary.startswith("The game day 2026-q1")
