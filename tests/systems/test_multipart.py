"""Forms with files: whatever is in them, they come apart as they were put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import Unreachable, UsageError
from opslib.systems.multipart import Part, decode, encode

NAMES = st.text("abcXYZ019_-./ @()[]", min_size=1, max_size=30)
PARTS = st.lists(st.builds(Part, NAMES, st.binary(max_size=300), st.none() | NAMES), min_size=1, max_size=6)


@given(PARTS)
def test_a_form_comes_apart_as_it_was_put_together(parts):
    assert decode(*encode(parts)) == parts


def test_a_boundary_stands_in_no_part():
    (first, _), hidden = encode([Part("a", b"")]), []
    hidden = first.partition("boundary=")[2].encode()
    kind, body = encode([Part("a", b"\r\n--" + hidden + b"--\r\n"), Part("b", hidden)])
    assert [part.name for part in decode(kind, body)] == ["a", "b"]


@pytest.mark.parametrize("name", ['a"b', "a\r\nb", "a\\b", "é", ""])
def test_a_name_that_could_end_a_header_is_refused(name):
    with pytest.raises(UsageError, match="cannot be named"):
        encode([Part("file", b"", name or "\n")])


def test_a_form_that_was_cut_anywhere_is_never_taken_for_a_whole_one():
    kind, body = encode([Part("metadata", b"{}"), Part("file", b"one\r\ntwo", "a.ts")])
    for end in range(len(body) - 4):
        with pytest.raises(Unreachable) as told:
            decode(kind, body[:end])
        assert told.value.kind == "malformed"


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/form-data", "text/html; boundary=x"])
def test_what_is_no_form_is_told(kind):
    with pytest.raises(Unreachable, match="no form with a boundary"):
        decode(kind, b"--x\r\n\r\n--x--")
