from opslib.pictures.gate import checked
from opslib.pictures.observability import clock
from tests.incidents_told import after, ran, reading, told


def test_each_level_has_its_bar_and_what_was_run_is_named():
    incident = told(acknowledged=after(7), by="ann", told_level=2)
    drawn = clock(incident, reading(ran(12), ran(5, "diagnostics/triage"), ran(-5), at=40))
    checked(drawn.svg)
    assert drawn.alternative == (
        "INC-1: open for 40 min; taken on by ann after 7 min; level 1 told, level 2 told, level 3 overdue 10 min, "
        "level 4 from 11:00; 2 runs were made since."
    )
    for words in ("began 10:00", "taken on 10:07", "now 10:40", "10:05:00: diagnostics/triage (run, ann@ops-1): OK"):
        assert words in drawn.svg
    assert "10:12:00: runbooks/maintain-cache (run, ann@ops-1): OK, changed something" in drawn.svg


def test_one_that_is_over_ends_there_and_a_long_one_stays_readable():
    over = clock(told(resolved=after(20)), reading(at=4000))
    assert over.alternative.startswith("INC-1: over after 20 min; nobody has taken it on")
    assert "over 10:20" in over.svg
    long = clock(told(), reading(at=4000))
    assert "→" in long.svg
    checked(long.svg)


def test_without_a_start_or_an_archive_that_is_said():
    assert clock(told(started=None), reading()).alternative == (
        "There is no clock to be drawn: nobody says when it began."
    )
    drawn = clock(told(), reading(unknown="There is no archive at hand."))
    assert "Nobody could look: There is no archive at hand." in drawn.svg
    assert "no run since the incident began" in clock(told(), reading()).svg
