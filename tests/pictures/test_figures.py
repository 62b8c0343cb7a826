"""Figures as people read them."""

import pytest

from opslib.pictures import figures


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 B"), (512, "512 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1048524, "1023.9 KiB"), (1048570, "1.0 MiB")],
)
def test_sizes_are_binary_and_never_reach_1024_of_a_unit(number, said):
    assert figures.size(number) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.000016063, "16 µs"),
        (0.0042, "4.2 ms"),
        (0.08, "80 ms"),
        (0.9994, "999 ms"),
        (1.5, "1.50 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (187200, "2 d 4 h"),
        (-90, "−1 min 30 s"),
    ],
)
def test_durations_have_their_two_largest_units(seconds, said):
    assert figures.duration(seconds) == said


@pytest.mark.parametrize(
    ("number", "unit", "said"),
    [
        (84.0, "%", "84 %"),
        (33.333333, "%", "33.3 %"),
        (1234567, "", "1\u202f234\u202f567"),
        (250, "ms", "250 ms"),
        (1.5, "hours", "1 h 30 min"),
        (12, "connections", "12 connections"),
        (490.003, "ms on average", "490 ms on average"),
        (3600, "s inactive", "1 h inactive"),
        (0, "days", "0 days"),
        (float("nan"), "%", "nan"),
        (0.00001, "", "1e-05"),
    ],
)
def test_a_figure_carries_its_unit(number, unit, said):
    assert figures.figure(number, unit) == said
