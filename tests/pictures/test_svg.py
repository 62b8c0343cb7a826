"""Pictures' building blocks: nothing can be injected, every figure passes the gate and says its numbers in words."""

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.pictures import gate
from opslib.pictures.charts import (
    Bar,
    Day,
    Leaf,
    Limit,
    Part,
    bar_list,
    budget_bar,
    calendar_strip,
    line_chart,
    sparkline,
    tree,
)
from opslib.pictures.svg import WIDTH, box, clean, drawing, element, fit, heading, label, picture, sentence

BAD = '</text><script>alert(1)</script>" onload="x\u202e\x00'
NUMBERS = st.floats(0, 1e15)
TEXTURES = st.sampled_from(["solid", "soft", "hatch", "dots", "outline"])


def figures(text=BAD, value=3.0):
    return [
        budget_bar([Part(text, value, text), Part(text, 1, texture="dots")], 10, [Limit(8, text)], text),
        budget_bar([], 0),
        bar_list([Bar(text, value, text, text, "hatch"), Bar(text, None)], limits=[Limit(value, text)]),
        line_chart([value, None, 1], text, text, text, limits=[Limit(2, text)]),
        line_chart([], "a", "b"),
        sparkline(text, [value, None, 2], text),
        sparkline("none", [None], "unknown"),
        calendar_strip([Day(text, text, text, "hatch")] * 20),
        tree([Leaf(text, 0, text, True), Leaf(text, 1), Leaf(text, 5)]),
        heading(text),
        sentence(text),
    ]


def texts(svg):
    return [node.text or "" for node in ElementTree.fromstring(svg).iter() if node.text]


def test_every_figure_with_hostile_labels_passes_the_gate_unchanged():
    made = picture(BAD, BAD, *figures())
    assert gate.checked(made.svg) == made.svg
    names = {node.tag.rpartition("}")[2] for node in ElementTree.fromstring(made.svg).iter()}
    assert names <= gate.ELEMENTS
    assert "<script" not in made.svg


@given(st.text(max_size=60), NUMBERS)
def test_any_label_and_number_gives_a_drawing_that_parses(text, value):
    made = picture(text, text, *figures(text, value))
    assert gate.checked(made.svg)


@given(st.lists(st.tuples(NUMBERS, TEXTURES), max_size=8), NUMBERS)
def test_the_parts_of_a_budget_never_leave_the_picture(parts, total):
    block = budget_bar([Part("p", value, texture=texture) for value, texture in parts], total)
    svg = ElementTree.fromstring(drawing("t", "d", block.height, *block.nodes))
    for rect in svg.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(rect.get("x")) + float(rect.get("width")) <= WIDTH + 1


def test_a_picture_has_a_name_a_description_and_no_fixed_size():
    root = ElementTree.fromstring(picture("Locks", "Nobody waits.", sentence("Nobody waits.")).svg)
    assert root.get("role") == "img"
    assert root.get("width") == "100%"
    assert root.get("height") is None
    assert [node.text for node in root][:2] == ["Locks", "Nobody waits."]


def test_a_value_that_is_not_known_is_said_and_has_no_bar():
    root = drawing("t", "d", 40, *bar_list([Bar("disk", None)]).nodes)
    assert "unknown" in texts(root)
    assert "<rect" not in root


def test_a_missing_value_in_a_line_is_a_gap_and_not_a_zero():
    path = next(node for node in line_chart([1, None, 1], "a", "b").nodes if "path" in node.markup).markup
    assert path.count("M") == 2


def test_a_limit_and_every_part_are_written_out():
    said = texts(drawing("t", "d", 99, *budget_bar([Part("idle", 62)], 100, [Limit(80, "warning 80")]).nodes))
    assert "warning 80" in said
    assert "idle 62" in said
    assert "free 38" in said


def test_a_long_label_is_shortened_and_whole_in_its_title():
    node = label(0, 10, "x" * 300, room=100).markup
    assert "…" in node
    assert f"<title>{'x' * 300}</title>" in node


def test_hidden_characters_are_replaced():
    assert clean("a\u202eb\x00c\ufeffd\ud800") == "a\ufffdb\ufffdc\ufffdd\ufffd"
    assert clean("größe 5 µs – ok ✓") == "größe 5 µs – ok ✓"


@pytest.mark.parametrize("name", ["on load", 'x"', "a>b", ""])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match="no name"):
        element(name)


def test_numbers_are_written_short_and_never_as_infinity():
    assert 'x="1.5" y="0"' in element("rect", x=1.50, y=math.inf).markup


def test_textures_differ_without_colour():
    drawn = {texture: box(0, 0, 60, 20, texture).markup for texture in ("solid", "soft", "hatch", "dots", "outline")}
    assert len(set(drawn.values())) == 5


def test_a_short_text_is_left_as_it_is():
    assert fit("idle", 100) == "idle"
