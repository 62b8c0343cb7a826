"""A plan's file is in its exact form or none: whatever somebody else made of it is refused in words."""

import pytest

from opslib.errors import UsageError
from opslib.runs.saved_plan import parse
from tests.signing import plan

GOOD = plan().encode()


def test_a_plan_is_read_back_as_it_was():
    assert parse(GOOD).encode() == GOOD


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"2026-11-23T13:06:14.123456Z"', b'"0001-01-01T00:00:00+14:00"'),
        (b'"2026-11-23T13:06:14.123456Z"', b'"2026-11-23T13:06:14.123456"'),
        (b'"requester":', b'"requester":"eve","requester":'),
        (b'"touches":1', b'"touches":NaN'),
        (b'"touches":1', b'"touches":1e999'),
        (b'"touches":1', b'"touches":' + b"9" * 5000),
        (b'"touches":1', b'"touches":2'),
        (b'"steps":[', b'"steps":["x",'),
        (b'"parameters":{"backup":"newest"}', b'"parameters":[]'),
        (b'"requested_by":"ann@bastion"', b'"requested_by":5'),
        (b'"ann@bastion"', b'"ann\\ud800@bastion"'),
        (b'"run":"2026', b'"run":"../../2026'),
        (b'"run":"2026', b'"run":"/2026'),
        (b'"form":', b'"more":1,"form":'),
        (b"{", b" {"),
        (b"\n", b""),
        (b"}\n", b"}\n\n"),
        (b"{", b"[" * 200_000),
        (b"{", b'{"a":' * 100_000),
        (GOOD, b"null"),
        (GOOD, b"\xff\xfe"),
        (GOOD, b""),
    ],
)
def test_what_is_not_exactly_what_was_written_is_no_plan(old, new):
    assert old in GOOD
    with pytest.raises(UsageError, match="no saved plan"):
        parse(GOOD.replace(old, new, 1))
