"""What readers make of a text: escapes undone level by level, tags taken away, and the way back to the text."""

import json

import pytest

from opslib.redaction import MARK, Redactor, Secret
from opslib.redaction_views import levels

WORD = "hunter2-hunter2"


def last(text):
    return list(levels(text))[-1].text


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[?25l\x1b[2 q", ""),
        ("\x1b]0;a title\x07x", "x"),
        ("\x1b]8;;http://h\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(Bx\x1b=y\x1bcz", "xyz"),
        ("&lt;&#60;&#x3c;&#X3C;&eacute;", "<<<<é"),
        ("&nosuchname; & &;", "&nosuchname; & &;"),
        ("%41%c3", "AÃ"),
        ("100% %4 %zz", "100% %4 %zz"),
        (r"\x41\u0041\U00000041", "AAA"),
        (r"\U000fffff\U0010FFFF", "\U000fffff\U0010ffff".replace("\U0010ffff", "U0010FFFF")),
        (r"a\b\f\n\r\t\v\0\q\"", 'a\b\f\n\r\t\v\0q"'),
        (r"\u004 \xg", r"\u004 \xg"),
        ("a\\", "a\\"),
    ],
)
def test_an_escape_is_undone_as_its_reader_would(said, meant):
    assert last(said) == meant


def test_a_text_without_escapes_and_tags_is_its_only_level():
    assert [level.text for level in levels("plain 1 < 2")] == ["plain 1 < 2"]
    assert [level.text for level in levels("&nosuchname;")] == ["&nosuchname;"]


@pytest.mark.parametrize("times", range(8))
def test_escapes_within_one_another_are_undone_six_times(times):
    text = '"'
    for _ in range(times):
        text = json.dumps(text)[1:-1]
    seen = [level.text for level in levels(text)]
    assert len(seen) == min(times, 6) + 1
    assert (seen[-1] == '"') is (times <= 6)


def test_a_coloured_letter_is_part_of_its_word_and_a_cell_of_a_table_is_a_word():
    (said, bare) = levels("<td>a<b>b</b></td><td class='x'>c</td><!-- d --><BR/>1<2>")
    assert bare.text == "\nab\n\nc\n\n\n1<2>"
    assert (said.bare, bare.bare) == (False, True)


@pytest.mark.parametrize(
    "text",
    [
        "a {} b",
        "a hun\x1b[1mter2\x1b[0m-hunter2 b",
        "a hun\\nter2-hunter2 b".replace("\\n", "\n"),
        "a hunter2<b>-hun</b>ter2 b",
        "a hunter2%2Dhunter2 b",
        "a %68unter2-hunter%32 b",
        "a hunter2&#45;hunter2 b",
        "a hunter2\\\\-hunter2 b",
        "a hunter2%255Cu002dhunter2 b",
        "a hunter2é-…hunter2 b",
        "a h\0u\x7fnter2-hunter2 b",
    ],
)
def test_a_secret_is_hidden_from_its_first_to_its_last_letter_whatever_stands_in_it(text):
    assert Redactor([Secret(WORD)]).text(text.format(WORD)) == f"a {MARK} b"


def test_what_stands_round_a_secret_stays_as_it_was_written():
    text = '{{"a\\n": "\\u00e9%20{}\\t&amp;", "b": "\\\\"}}'
    assert Redactor([Secret(WORD)]).text(text.format(WORD)) == text.format(MARK)


def test_a_token_may_be_coloured_but_not_reach_from_cell_to_cell():
    token = "ghp_" + "a" * 36
    assert Redactor().text(f"x {token[:9]}<b>{token[9:]}</b>") == f"x {MARK}</b>"
    text = f"x {token[:9]}</td><td>{token[9:]}"
    assert Redactor().text(text) == text
