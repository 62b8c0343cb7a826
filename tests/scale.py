"""How much a test does: the smaller count in each run of the suite, the whole one in ``make nightly``."""

import os

import pytest

NIGHTLY = os.environ.get("OPS_NIGHTLY") == "1"

nightly = pytest.mark.skipif(not NIGHTLY, reason="in make nightly")
"""For a whole run of a notebook that tries one of its steps: the step's own tests do that each time."""


def first(number: int, *choices: object) -> tuple[object, ...]:
    """Return the first ``number`` of ``choices``, or all of them in a nightly run."""
    return choices if NIGHTLY else choices[:number]


def count(small: int, whole: int) -> int:
    """Return ``small``, or ``whole`` in a nightly run."""
    return whole if NIGHTLY else small
