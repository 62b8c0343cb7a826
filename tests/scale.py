"""How much a test does: the smaller count in each run of the suite, the whole one in ``make nightly``."""

import os

NIGHTLY = os.environ.get("OPS_NIGHTLY") == "1"


def first(number: int, *choices: object) -> tuple[object, ...]:
    """Return the first ``number`` of ``choices``, or all of them in a nightly run."""
    return choices if NIGHTLY else choices[:number]


def count(small: int, whole: int) -> int:
    """Return ``small``, or ``whole`` in a nightly run."""
    return whole if NIGHTLY else small
