"""Whether a game day was one: words, two who differ, what was agreed on, the day before. Pure."""

from datetime import date, timedelta

import pytest

from opslib.checks import backups as checks
from opslib.model import Verdict
from tests.drills import MOMENTS, NOW
from tests.game_days import BEFORE, DAY, drilled, ran, reading, told

ACTION = {"owner": "cat@valuecanvas", "due": date(2026, 12, 15), "says": "page the second on call as well"}


def judged(check, *rows, **said):
    return check.judge(reading(*rows, **said))


@pytest.mark.parametrize(
    "check", [checks.game_day_words(), checks.game_day_people(), checks.game_day_compared(), checks.game_day_actions()]
)
def test_without_a_game_day_nothing_is_green(check):
    assert judged(check).verdict is Verdict.UNKNOWN
    assert judged(checks.game_day_age()).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(("days", "verdict"), [(10, "OK"), (80, "WARNING"), (100, "CRITICAL")])
def test_people_exercise_each_quarter(days, verdict):
    rows = [told("injected", day=BEFORE, seconds=-86_400), drilled()]
    assert judged(checks.game_day_age(), *rows, taken_at=NOW + timedelta(days=days)).verdict == verdict


def test_words_of_which_nothing_was_broken_make_no_game_day_of_the_quarter():
    assert judged(checks.game_day_age(), told("observed", says="we only talked")).verdict is Verdict.UNKNOWN


def test_words_are_told_with_their_people_and_a_forged_one_is_critical():
    said = judged(checks.game_day_words(), told("alerted"), told("acknowledged", by="cat@valuecanvas"))
    assert (said.verdict, said.value) == (Verdict.OK, 2.0)
    assert "2 words by ben@valuecanvas, cat@valuecanvas" in said.summary
    forged = {"day": DAY, "kind": "refused", "why": "x.word: Not signed by a witness."}
    assert judged(checks.game_day_words(), told("alerted"), forged).verdict is Verdict.CRITICAL
    nobody = {"day": DAY, "kind": "unverified", "why": "Nobody's approval can be verified."}
    assert judged(checks.game_day_words(), nobody).verdict is Verdict.UNKNOWN
    assert judged(checks.game_day_words(), drilled()).verdict is Verdict.UNKNOWN


def test_what_is_told_from_memory_is_said_to_be():
    late = told("alerted", 0, signed_at=NOW + timedelta(days=3))
    said = judged(checks.game_day_words(), late)
    assert (said.verdict, "from memory" in said.summary) == (Verdict.WARNING, True)


def test_what_was_broken_off_is_said_with_its_reason():
    said = judged(checks.game_day_words(), told("injected"), told("aborted", 30, says="customers wrote in."))
    assert (said.verdict, "ben@valuecanvas broke it off: customers wrote in." in said.summary) == (
        Verdict.WARNING,
        True,
    )


def test_who_breaks_it_is_another_than_who_answers():
    two = [told("injected", by="ann@valuecanvas"), told("acknowledged", 5)]
    assert judged(checks.game_day_people(), *two).verdict is Verdict.OK
    one = [told("injected"), told("acknowledged", 5)]
    said = judged(checks.game_day_people(), *one)
    assert (said.verdict, "ben@valuecanvas broke it and answered it" in said.summary) == (Verdict.WARNING, True)
    alone = [drilled(), told("alerted", 5), ran("disaster/recover-database", 3, by="ann@ops-1")]
    assert "ann@ops-1 broke it" in judged(checks.game_day_people(), *alone).summary


def test_who_took_part_and_says_nothing_is_named():
    two = [told("injected", by="ann@valuecanvas"), told("acknowledged", 5)]
    said = judged(checks.game_day_people("ann@valuecanvas,dan@valuecanvas"), *two)
    assert (said.verdict, said.summary) == (Verdict.WARNING, "dan@valuecanvas took part and says nothing.")


def test_a_day_from_which_nothing_follows_is_a_warning_and_so_is_what_is_overdue():
    assert judged(checks.game_day_actions(), told("injected")).verdict is Verdict.WARNING
    rows = [told("injected"), told("action", **ACTION)]
    said = judged(checks.game_day_actions(), *rows)
    assert (said.verdict, said.rows[0]["state"]) == (Verdict.OK, "open")
    late = judged(checks.game_day_actions(), *rows, taken_at=NOW + timedelta(days=30))
    assert (late.verdict, "cat@valuecanvas" in late.summary) == (Verdict.WARNING, True)
    done = told("done", 60, of=rows[1]["id"], by="cat@valuecanvas")
    kept = judged(checks.game_day_actions(), *rows, done, taken_at=NOW + timedelta(days=30))
    assert (kept.verdict, kept.rows[0]["state"]) == (Verdict.OK, "done (cat@valuecanvas)")


def test_what_an_earlier_day_agreed_on_is_still_owed():
    earlier = [told("injected", -86_400, day=BEFORE), told("action", -80_000, day=BEFORE, **ACTION)]
    said = judged(checks.game_day_actions(), *earlier, told("injected"), taken_at=NOW + timedelta(days=30))
    assert "1 overdue in all: cat@valuecanvas" in said.summary


def took(seconds):
    return {"moments": MOMENTS.model_copy(update={"mitigated": seconds, "resolved": seconds + 1})}


def test_people_are_compared_with_the_day_before_beyond_chance_and_uncertainty():
    before = [drilled(day=BEFORE, shift=timedelta(days=-90), **took(100.0))]
    slow = judged(checks.game_day_compared(), *before, drilled(**took(200.0)))
    assert (slow.verdict, "100 % slower" in slow.summary) == (Verdict.WARNING, True)
    assert judged(checks.game_day_compared(), *before, drilled(**took(110.0))).verdict is Verdict.OK
    first = judged(checks.game_day_compared(), drilled())
    assert (first.verdict, "The first game day" in first.summary) == (Verdict.OK, True)
    # Twice as long, by what people remember to the minute: that is no finding.
    vague = [
        told("injected", -86_400, day=BEFORE, within=60),
        told("alerted", -86_340, day=BEFORE, within=60),
        told("injected", within=60),
        told("alerted", 120, within=60),
    ]
    assert judged(checks.game_day_compared(), *vague).verdict is Verdict.OK
