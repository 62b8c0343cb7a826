"""What follows from a drill's tries: times, losses, and what counts as recovered. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from opslib.probes import backups_drill as drills
from tests.drills import drill, exercise, tries


def test_out_is_the_first_try_that_failed_and_back_the_first_good_one_after_the_last_that_failed():
    samples = tries("..xx.x...", began=100.0)
    # Two tries ended before it was broken; each takes a second.
    assert drills.out_and_back(samples, 102.5) == (0.5, 4.5)


@pytest.mark.parametrize(
    ("course", "out", "back"),
    [("....", None, None), ("..xx", 0.5, None), ("xx..", None, None), ("...x.", 1.5, 2.5), ("", None, None)],
)
def test_what_did_not_happen_is_none_and_never_nought(course, out, back):
    assert drills.out_and_back(tries(course, began=0.0), 2.5) == (out, back)


def test_a_failure_before_anything_was_broken_is_none_of_the_drills():
    assert drills.out_and_back(tries("x.....", began=0.0), 2.5) == (None, None)


def test_a_loss_is_what_was_acknowledged_and_is_not_there_and_its_time_that_since_the_last_that_is():
    samples = tries("......xx..", began=0.0)
    loss = drills.loss_of("rows", samples, {1, 2, 3, 9, 10}, 5.0)
    assert (loss.acknowledged, loss.lost, loss.seconds, loss.stated_seconds) == (8, 3, 3.0, 5.0)
    assert loss.unacknowledged == 0


def test_a_write_that_is_there_without_an_acknowledgement_is_no_loss():
    loss = drills.loss_of("rows", tries("..x.", began=0.0), {1, 2, 3, 4})
    assert (loss.acknowledged, loss.lost, loss.seconds, loss.unacknowledged) == (3, 0, 0.0, 1)


def test_where_everything_is_lost_it_is_since_the_first_began():
    assert drills.loss_of("rows", tries("....", began=7.0), ()).seconds == 4.0


@given(st.text("x.", max_size=40), st.sets(st.integers(1, 40)))
def test_each_acknowledged_write_is_lost_or_there(course, there):
    samples = tries(course, began=0.0)
    loss = drills.loss_of("rows", samples, there)
    acknowledged = {one.n for one in samples if not one.why}
    assert (loss.acknowledged, loss.lost) == (len(acknowledged), len(acknowledged - there))
    assert loss.unacknowledged == len(there - acknowledged)
    assert (loss.seconds > 0) == (loss.lost > 0)


def test_recovered_is_by_users_where_they_were_hit_and_else_by_the_checks():
    assert drills.recovered(None) == (None, "")
    assert drills.recovered(drills.Moments(broken=1.0, out=1.0, mitigated=7.0, resolved=9.0)) == (7.0, "traffic")
    assert drills.recovered(drills.Moments(broken=1.0, resolved=9.0)) == (9.0, "checks")
    # The checks are OK, and yet users were never served again.
    assert drills.recovered(drills.Moments(broken=1.0, out=1.0, resolved=9.0)) == (None, "traffic")


def test_a_record_takes_nothing_that_it_does_not_know_and_reads_itself():
    made = drill(exercise("database"))
    assert drills.Drill.model_validate_json(made.model_dump_json()) == made
    with pytest.raises(ValidationError):
        drills.Drill.model_validate({**made.model_dump(), "score": 100})


def test_a_row_holds_what_was_measured_and_names_the_runs_that_are_not_sealed():
    made = drill(exercise("database"), exercise("llm", why="The notebook is not there yet."))
    first, second = drills.rows_of(made, {"20261129T110000Z-runbooks-restore-database-a1b2c3": "is gone"})
    assert (first["service"], first["rto_seconds"], first["lost"], first["damage"]) == ("database", 10.0, 3, "")
    assert first["unsealed"] == ["20261129T110000Z-runbooks-restore-database-a1b2c3 is gone"]
    assert (second["rto_seconds"], second["lost"], second["began_at"]) == (None, None, None)


def test_a_damaged_drill_is_one_row_without_figures():
    row = drills.damaged("20261129T110000Z-drill-a1b2c3", "is not what was sealed")
    assert (row["service"], row["damage"]) == (None, "is not what was sealed")
