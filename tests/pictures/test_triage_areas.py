from opslib.pictures import triage


def row(area, verdict, check="It is well"):
    return {"area": area, "verdict": verdict, "check": check, "finding": "<b>found</b>"}


def test_every_area_is_a_line_and_every_check_a_box():
    rows = [row("database", "CRITICAL", "Nobody waits"), row("cache", "UNKNOWN"), row("cache", "OK"), row("llm", "OK")]
    drawn = triage.areas(rows)
    assert drawn.alternative == "database: 1 CRITICAL; cache: 1 UNKNOWN, 1 OK; llm: 1 OK."
    assert "CRITICAL: Nobody waits" in drawn.svg
    assert drawn.svg.count(">well<") == 1
    assert "<b>" not in drawn.svg


def test_without_a_check_it_says_that_nothing_is_known():
    assert triage.areas([]).alternative == "Unknown: no check was made."
