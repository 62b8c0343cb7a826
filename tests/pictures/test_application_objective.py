from opslib.model import Reading, now
from opslib.pictures import application as pictures
from opslib.pictures.gate import checked


def reading(*rows, unknown=None):
    return Reading("x", "X", "lab", now(), 0.1, rows, unknown=unknown)


def day(name, up, down=0.0, unknown=0.0):
    return {"day": name, "up": up, "down": down, "unknown": unknown}


def paces(**said):
    spans = ("1h", "5m", "6h", "30m", "1d", "2h", "3d", "30d")
    return reading(*({"window": s, "requests": 1000.0, "failures": 5.0, "pace": said.get(f"w{s}", 0.1)} for s in spans))


def test_each_day_has_a_sign_of_its_own_and_what_is_dark_is_no_zero():
    drawn = pictures.days(
        reading(
            day("2026-11-01", 1440),
            day("2026-11-02", 1435, 5),
            day("2026-11-03", 720, 720),
            day("2026-11-04", 0, 0, 1440),
        )
    )
    assert "2026-11-03 720 min down" in drawn.alternative
    assert "2026-11-04 1440 min unknown" in drawn.alternative
    for sign in ("✓", "!", "✗", "?"):
        assert f">{sign}</text>" in drawn.svg
    checked(drawn.svg)


def test_the_budget_and_each_pairs_pace_are_drawn_with_their_figures():
    drawn = pictures.objective(paces(w1h=20, w5m=16, w3d=None))
    assert "5 of 1 failures of the month's budget" in drawn.alternative
    assert "1h &amp; 5m" in drawn.svg
    assert "16× of 14.4×" in drawn.alternative
    assert "3d & 6h unknown" in drawn.alternative
    checked(drawn.svg)


def test_the_histogram_has_the_guides_limits_as_lines_and_says_which_it_cannot_show():
    row = {"edges": {"100": 50.0, "500": 90.0, "1000": 98.0, "+Inf": 100.0}}
    drawn = pictures.histogram(reading(row))
    assert "target 500 ms" in drawn.svg
    assert "alert 1000 ms" in drawn.svg
    assert "more: 2.00 %" in drawn.alternative
    checked(drawn.svg)
    short = pictures.histogram(reading({"edges": {"100": 50.0, "500": 90.0, "+Inf": 100.0}}))
    assert "No edge at 1000 ms" in short.svg
    assert "alert 1000 ms" not in short.svg


def test_what_was_not_read_is_said_to_be_unknown():
    for draw in (pictures.days, pictures.objective, pictures.histogram):
        assert draw(reading(unknown="Prometheus is away.")).alternative == "Unknown: Prometheus is away."
        assert draw(reading()).alternative.startswith("Unknown: no")
