"""Waiting for what another process or thread brings about."""

import time


def until(look, seconds=20.0):
    """Return the first true answer of ``look``; fails when there is none for so long."""
    end = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
    return answer
