"""Figures as people read them: bytes, durations, counts. The exact value belongs in a title beside them.

Sizes are binary (1 KiB = 1024 bytes), because that is what PostgreSQL, Redis and node metrics mean.
"""

from __future__ import annotations

import math
from typing import Final

DURATIONS: Final = {"s": 1.0, "seconds": 1.0, "second": 1.0, "ms": 0.001, "milliseconds": 0.001, "us": 1e-6}
DURATIONS_LONG: Final = {"minutes": 60.0, "min": 60.0, "hours": 3600.0, "h": 3600.0, "days": 86400.0}
SIZES: Final = {"bytes": 1, "byte": 1, "B": 1, "KiB": 1024, "kB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def size(number: float) -> str:
    """Return a number of bytes: ``512 B``, ``9.4 MiB``, ``1.2 GiB``."""
    value, unit = float(number), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if abs(value) < 1023.95:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def duration(seconds: float) -> str:
    """Return a duration with its two largest units: ``16 µs``, ``4.2 ms``, ``1.50 s``, ``3 min 20 s``, ``2 d 4 h``."""
    sign, value = ("−" if seconds < 0 else ""), abs(float(seconds))
    if value == 0:
        return "0 s"
    if value < 0.00009995:
        return f"{sign}{value * 1e6:.0f} µs"
    if value < 0.9995:
        return f"{sign}{value * 1000:.1f} ms" if value < 0.00995 else f"{sign}{value * 1000:.0f} ms"
    if value < 59.95:
        return f"{sign}{value:.2f} s" if value < 10 else f"{sign}{value:.1f} s"
    whole = round(value)
    for large, small, many, few in (("d", "h", 86400, 3600), ("h", "min", 3600, 60), ("min", "s", 60, 1)):
        if whole >= many:
            rest = whole % many // few
            return f"{sign}{whole // many} {large} {rest} {small}" if rest else f"{sign}{whole // many} {large}"
    return f"{sign}{whole} s"


def count(number: float) -> str:
    """Return a count with thin spaces between thousands, and at most 3 decimals where it is no whole number."""
    if float(number).is_integer():
        return f"{int(number):,}".replace(",", "\u202f")
    return f"{number:,.3f}".rstrip("0").rstrip(".").replace(",", "\u202f") if abs(number) >= 0.001 else f"{number:.3g}"


def figure(number: float, unit: str = "") -> str:
    """Return ``number`` of ``unit`` with its unit: bytes and durations humanised, all else as a count.

    A unit may go on in words: 490.003 of ``ms on average`` is ``490 ms on average``.
    """
    if not math.isfinite(number):
        return str(number)
    if unit in SIZES:
        return size(number * SIZES[unit])
    first, _, rest = unit.partition(" ")
    if rest and (first in SIZES or first in DURATIONS):
        return f"{figure(number, first)} {rest}"
    if unit in DURATIONS_LONG and not number:
        return f"0 {unit}"
    if factor := DURATIONS.get(unit) or DURATIONS_LONG.get(unit):
        return duration(number * factor)
    return f"{count(number)} {unit}".strip() if unit != "%" else f"{count(round(number, 1))} %"
