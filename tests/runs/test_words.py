"""A word has one form; what makes no sense or is spelled otherwise is none. Pure."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.runs import words
from tests.game_days import word

ACTION = {"owner": "cat@valuecanvas", "due": date(2026, 12, 15), "says": "page the second on call as well"}


@pytest.mark.parametrize(
    "one",
    [
        word("injected", says="switched it off at the hoster's console"),
        word("opened"),
        word("action", **ACTION),
        word("done", of="0123456789ab"),
        word("alerted", service="all", within=300),
    ],
    ids=lambda one: one.moment,
)
def test_a_word_reads_itself_and_is_named_by_its_digest(one):
    assert words.parse(one.encode()) == one
    assert len(one.id) == 12
    assert all(line.startswith("# ") for line in one.encode().decode().splitlines())


@pytest.mark.parametrize(
    ("moment", "said", "why"),
    [
        ("action", {"says": "somebody does something"}, "owner"),
        ("alerted", {"owner": "cat@valuecanvas", "due": date(2026, 12, 15)}, "owner"),
        ("done", {}, "action that it is of"),
        ("opened", {"runbook": ""}, "runbook"),
        ("alerted", {"runbook": "disaster/recover-llm"}, "runbook"),
        ("observed", {}, "says nothing"),
        ("alerted", {"day": "Quarter 4"}, "form"),
        ("alerted", {"by": "ben\n# by cat"}, "form"),
        ("alerted", {"says": "one\n# moment resolved"}, "form"),
        ("alerted", {"service": "everything"}, "form"),
        ("alerted", {"within": -1}, "form"),
    ],
)
def test_what_makes_no_sense_cannot_be_written(moment, said, why):
    with pytest.raises(ValueError, match=why):
        word(moment, **said).encode()


def test_nobody_tells_of_what_has_not_happened_yet():
    at = datetime(2026, 11, 29, 11, tzinfo=UTC)
    word("alerted", at=at + timedelta(minutes=1), signed_at=at).encode()
    with pytest.raises(ValueError, match="had not happened yet"):
        word("alerted", at=at + timedelta(minutes=3), signed_at=at).encode()


@given(st.binary(max_size=300))
def test_whatever_else_lies_there_is_told_and_raises_nothing_else(data):
    with pytest.raises(ValueError, match="form"):
        words.parse(data)


@given(st.integers(0, 400), st.integers(0, 127))
def test_a_byte_more_or_another_one_is_another_word_or_none(place, byte):
    data = word("observed", says="the alert came by e-mail").encode()
    changed = data[: place % len(data)] + bytes([byte]) + data[place % len(data) + 1 :]
    with suppress(ValueError):
        assert words.parse(changed).encode() == changed
