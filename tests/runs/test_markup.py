"""Text becomes HTML in one way only: escaped, with hidden characters made visible."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.runs.markup import Html, esc, join, plain, slug, tag, visible
from tests.archive.harmless import HIDDEN, Page


@given(st.text(), st.text())
def test_any_text_stays_text_in_content_and_attribute(content, title):
    page = Page(tag("p", content, title=title))
    assert [name for name, _ in page.elements] == ["p"]
    assert dict(page.elements[0][1])["title"] == visible(title).replace("\r", "␍") if title else True


@given(st.text(alphabet=st.characters(codec=None)))
def test_no_hidden_character_survives(text):
    assert not HIDDEN.search(visible(text))
    assert not HIDDEN.search(plain(text))


def test_html_made_here_is_not_escaped_twice():
    assert tag("p", tag("b", "a & b")) == "<p><b>a &amp; b</b></p>"
    assert join(["<", Html("<br>")], " ") == "&lt; <br>"
    assert esc(Html("<br>")) == "<br>"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil.example\x07click\x1b]8;;\x07", "click"),
        ("\x1b]0;title\x1b\\x", "x"),
        ("10%\r20%\r\nnext", "20%\nnext"),
        ("a\x07b\x08", "a␇b␈"),
        ("\x1b", "␛"),
        ("invoice\u202egnp.exe", "invoice‹U+202E›gnp.exe"),
    ],
)
def test_a_terminals_text_is_shown_without_its_tricks(text, said):
    assert plain(text) == said


def test_an_attribute_cannot_be_made_of_text():
    with pytest.raises(ValueError, match="no name"):
        tag("p", **{'x" onclick': "1"})


def test_a_part_of_an_id_holds_no_space_and_no_quote():
    assert slug("take backup\"'><") == "take-backup-"
    assert slug("\u202e") == "-"
