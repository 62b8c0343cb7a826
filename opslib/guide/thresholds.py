"""The thresholds of all checks, one table: ``policy.tsv``, with the source of each value.

The first row of a figure is the one that counts: the guide's where it has one. Rows below it are what other sources
(the product's alert rules, its playbook, a vendor) say of the same figure: shown, so that nobody believes the sources
agree. The guide names a target and an alert; beyond the target is a WARNING here, beyond the alert CRITICAL.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.resources import files

from opslib.model import Threshold

COLUMNS = ("figure", "beyond", "warning", "critical", "unit", "source")


@cache
def policy() -> dict[str, tuple[Threshold, ...]]:
    """Return all thresholds, by figure: the one that counts, then what other sources say."""
    found: dict[str, tuple[Threshold, ...]] = {}
    lines = files("opslib.guide").joinpath("policy.tsv").read_text(encoding="utf-8").splitlines()
    for line in lines[1:]:
        figure, beyond, warning, critical, unit, source = line.split("\t")
        limits = Threshold(_limit(warning), _limit(critical), unit, source, above=beyond == "above")
        found[figure] = (*found.get(figure, ()), limits)
    return found


def threshold(figure: str, *, warning: float | None = None, critical: float | None = None) -> Threshold:
    """Return the threshold that counts for a figure of ``policy.tsv``; raises KeyError for another name.

    ``warning`` and ``critical`` may be a run's own (a notebook's parameters); the source says so where they differ.
    """
    known = policy()[figure][0]
    own = replace(
        known,
        warning=known.warning if warning is None else warning,
        critical=known.critical if critical is None else critical,
    )
    return own if own == known else replace(own, source=f"this run's own limit; else {known.source}")


def contradictions() -> list[dict[str, str]]:
    """Return a row per figure that the sources disagree on: what counts, and what the others say."""
    rows = []
    for figure, (counts, *others) in policy().items():
        said = [f"{one} ({one.source})" for one in others if _limits(one) != _limits(counts)]
        if said:
            row = {"figure": figure, "counts": str(counts), "source": counts.source, "others_say": "; ".join(said)}
            rows.append(row)
    return rows


def _limit(text: str) -> float | None:
    return float(text) if text else None


def _limits(one: Threshold) -> tuple[float | None, float | None, str]:
    return one.warning, one.critical, one.unit
