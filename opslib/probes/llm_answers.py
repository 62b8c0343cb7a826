"""What language models answered to users, read from the rows of ``llm_usage``: who served, how long, how many tokens.

Deployments differ in the names of two columns (``created_at`` or ``timestamp``, ``cost`` or ``estimated_cost``): the
catalogue says which. An answer from the cache leaves no row. No call is made for any of this.
"""

from __future__ import annotations

from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.database_asking import source_of
from opslib.probes.questions import question
from opslib.systems.target import ReadTarget

TABLE = "public.llm_usage"
TIMES, COSTS = ("created_at", "timestamp"), ("cost", "estimated_cost")
STEPS = 24
"""Columns of the picture of a window."""


def columns(target: ReadTarget, *needed: str) -> tuple[str, ...]:
    """Return the names of the table's columns; raises Unreachable where its rows cannot be read, or not all of them.

    ``needed`` are names without which there is nothing to read; one of :data:`TIMES` is always needed.
    """
    (said,) = target.database.ask(question("llm/columns"))
    if not said["found"]:
        raise Unreachable(f"There is no table {TABLE}.", "Look where the product keeps its usage.", "missing")
    if said["hidden"]:
        raise Unreachable(
            f"Row security hides rows of {TABLE} from this role.", "Give the reading role BYPASSRLS.", "forbidden"
        )
    names: tuple[str, ...] = tuple(said["names"])
    if lacking := [name for name in needed if name not in names]:
        raise Unreachable(f"{TABLE} has no {', '.join(lacking)}.", "Compare it with the product's schema.", "missing")
    if not set(TIMES) & set(names):
        raise Unreachable(f"{TABLE} has neither {' nor '.join(TIMES)}.", "Nobody can say of when a row is.", "missing")
    return names


def _asks(name: str, title: str, needed: tuple[str, ...], units: dict[str, str], **given: Any) -> Probe:
    asked = question(f"llm/{name}")

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        columns(target, "provider", *needed)
        return target.database.ask(asked, given)

    return Probe(f"llm-{name}", title, read, source_of(asked), units)


def answers(minutes: float) -> Probe:
    """Return the probe of who answered users in the last ``minutes``; no row: nobody asked, or nothing was recorded."""
    title = f"Who answered in the last {minutes:g} min"
    return _asks("answers", title, (), {"newest_age": "s"}, seconds=minutes * 60)


def times(minutes: float) -> Probe:
    """Return the probe of how long answers took: a row per provider (no ``model``) and per model.

    ``p95_from_ms`` and ``p95_to_ms`` are the order statistics between which the 95th percentile lies with 95 %;
    there is no upper one where the slowest answers are too few to bound it.
    """
    names = ("p50_ms", "p95_ms", "p95_from_ms", "p95_to_ms", "slowest_ms")
    title = f"How long answers took, last {minutes:g} min"
    return _asks("times", title, ("model", "latency_ms"), dict.fromkeys(names, "ms"), seconds=minutes * 60)


def lanes(minutes: float) -> Probe:
    """Return the probe of the window in :data:`STEPS` steps by provider; step 0 is the newest."""
    units = {"p50_ms": "ms", "p95_ms": "ms"}
    given = {"seconds": minutes * 60, "step": minutes * 60 / STEPS}
    return _asks("lanes", f"Answers over the last {minutes:g} min", ("latency_ms",), units, **given)


def tokens(minutes: float, days: float) -> Probe:
    """Return the probe of the tokens of a request in the last ``minutes`` and in the ``days`` before, by model."""
    needed = ("model", "prompt_tokens", "completion_tokens")
    title = f"Tokens of a request, last {minutes:g} min and {days:g} days before"
    given = {"seconds": minutes * 60, "before": days * 86_400 + minutes * 60}
    return _asks("tokens", title, needed, {}, **given)
