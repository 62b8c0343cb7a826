"""Env files: read as their readers read them, made without template values, and no value in what is said of them."""

import pytest

from opslib.errors import Refused
from opslib.redaction import Secret
from opslib.systems.env_file import make, read

HEAD = "Made in a test"


def made(template, **given):
    return make(template, {name: (value, "vault") for name, value in given.items()}, HEAD)


def test_a_name_that_stands_twice_is_told_and_its_last_value_counts():
    found = read(b"A=1\nB=2\nA=3\nexport C='4 # no comment'\n# D=5\n")
    assert (dict(found.values), found.twice) == ({"A": "3", "B": "2", "C": "4 # no comment"}, ("A",))


def test_a_line_that_is_none_is_told_by_its_number_and_not_repeated():
    found = read(b"A=1\nsecret-word-alone\n=x\n")
    assert found.odd == (2, 3)
    assert "secret-word" not in repr(found)


def test_what_is_made_has_each_name_once_where_the_template_has_it_and_reads_back():
    result = made(b"# top\nA=1\n\nKEY=your-key-here\nA=2\n", KEY="k-123456", NEW="n-1")
    assert result.data == b"# Made in a test\n# top\nA=2\n\nKEY=k-123456\nNEW=n-1\n"
    assert dict(read(result.data).values) == {"A": "2", "KEY": "k-123456", "NEW": "n-1"}
    assert result.sources == {"A": "template", "KEY": "vault", "NEW": "vault"}


@pytest.mark.parametrize(
    "value",
    [
        *(
            "your-key",
            "your_api_key",
            "<key>",
            "changeme",
            "change-me-please",
            "xxxx",
            "TODO",
            "${KEY}",
            "https://your-p.co",
        ),
        *("https://api.example.com", "placeholder", "replace_this", "your-smtp-password", "insert-token-here"),
    ],
)
def test_a_templates_value_is_left_out_and_named(value):
    result = made(f"KEY={value}\n".encode())
    assert (result.left_out, dict(read(result.data).values)) == (("KEY",), {})
    assert value.encode() not in result.data


@pytest.mark.parametrize("value", ["a b", "a#b", "a$b", 'a"b', "a'b", "a`b", "a\\b", "a\nB=c", "ä"])
def test_a_value_that_not_every_reader_reads_alike_is_refused_by_its_name(value):
    with pytest.raises(Refused, match="KEY holds a character") as told:
        make(b"", {"KEY": (Secret(f"hidden{value}"), "vault")}, HEAD)
    assert "hidden" not in str(told.value)


def test_a_template_cannot_smuggle_a_value_in_by_a_value_over_several_lines():
    result = made(b'KEY="one\nTOKEN=your-token\ntwo"\nA=1\n', TOKEN="t-123456")
    assert dict(read(result.data).values) == {"TOKEN": "t-123456", "A": "1"}


def test_no_value_is_in_what_is_shown():
    result = make(b"", {"KEY": (Secret("hidden-value-1"), "vault")}, HEAD)
    assert "hidden" not in repr(result)
    assert "hidden" not in repr(read(result.data))
