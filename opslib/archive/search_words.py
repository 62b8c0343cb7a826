"""The words by which a run is found: what stands in it, and its facts, alone and together, each as one word."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import combinations

from opslib.archive.searched import Line

Fact = tuple[str, str]


def document(told: Sequence[str], facts: Sequence[Fact], lines: Sequence[Line]) -> tuple[str, str]:
    """Return a run's words and its facts' words; the same for the same run, whenever it is asked for."""
    known = {fact(*some) for size in (1, 2, 3) for some in combinations(facts, size)}
    known |= {fact(("name", line.name)) for line in lines if line.kind in ("check", "step")}
    text = "\n".join(f"{line.name} {line.text}" for line in lines)
    return f"{' '.join(told)}\n{text}", " ".join(sorted(known))


def fact(*facts: Fact) -> str:
    """Return the one word that stands for these facts together, in their order: never found as a part of others."""
    return "f" + hashlib.sha256("\0".join(part for one in facts for part in one).encode()).hexdigest()[:31]


def quoted(text: str) -> str:
    """Return text as a string of FTS5's query language."""
    return '"' + text.replace('"', '""') + '"'
