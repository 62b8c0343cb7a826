"""Quantities as Kubernetes writes them: ``500m``, ``2``, ``16Gi``, ``1200000n``, ``1e3``.

Source: Kubernetes API reference, common definitions, Quantity.
"""

from __future__ import annotations

import re

_SUFFIXES = {
    "": 1.0,
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    **{f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", 1)},
}
_FORM = re.compile(
    r"([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?:[eE]([+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i)?)", re.ASCII
)


def quantity(text: str | int | float) -> float:
    """Return a quantity as a number of its base unit (cores, bytes, objects); raises ValueError for none."""
    if isinstance(text, (int, float)):
        return float(text)
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no quantity")
    digits, exponent, suffix = found.groups()
    value = float(digits) * (10.0 ** int(exponent) if exponent else _SUFFIXES[suffix or ""])
    # Sums of thousandths: 0.1 + 0.2 must not be more than 0.3.
    return round(value, 9)
