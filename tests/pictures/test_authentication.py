"""The picture of ways says how each ends, also to who cannot see it."""

from datetime import UTC, datetime

from opslib.model import Reading
from opslib.pictures.authentication import ways


def reading(*rows, unknown=None):
    names = ("way", "hop", "status", "end")
    made = tuple({**dict(zip(names, row, strict=True)), "address": "https://app.test/"} for row in rows)
    return Reading("authentication-way", "Way", "lab", datetime.now(UTC), 0.1, made, unknown=unknown)


def test_each_way_is_a_line_and_a_long_one_keeps_its_end():
    circle = [("API", hop, 302, "") for hop in range(7)]
    ends = ("API", 7, None, "a circle"), ("other", 0, None, "no answer")
    drawn = ways(reading(("front end", 0, 200, "arrived"), *circle, *ends))
    assert drawn.alternative == "front end: 200; API: 302 → 302 → 302 → 302 → a circle; other: no answer."
    assert "a circle" in drawn.svg


def test_no_way_is_said_to_be_unknown():
    assert ways(reading(unknown="Set them.")).alternative == "Unknown: Set them."
    assert "elsewhere" in ways(reading(("API", 0, None, "leads elsewhere"))).alternative
