"""What is true of cost now: the last minutes of the hour, and what a token of the newest answers costs."""

from __future__ import annotations

from typing import Any

from opslib.model import Probe
from opslib.probes.cluster_standing import running
from opslib.probes.costs import Sum
from opslib.probes.database_asking import source_of
from opslib.probes.llm_answers import columns
from opslib.probes.questions import question
from opslib.systems.target import ReadTarget

FIRST = "together_ai"
MILLION = 1_000_000


def hour(recent_minutes: float = 10) -> Probe:
    """Return the probe of the last 60 minutes: a row per provider, with what its last ``recent_minutes`` cost (USD).

    What those minutes are to an hour, ``recent_usd`` says of now; the whole holds what is over as well.
    """
    asked = question("costs/recent")

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        columns(target, "provider", "model", "prompt_tokens", "completion_tokens")
        every: dict[str, tuple[Sum, Sum]] = {}
        for row in target.database.ask(asked, {"seconds": recent_minutes * 60}):
            whole, recent = every.setdefault(row["provider"], (Sum(), Sum()))
            whole.add(row)
            if row["recent"]:
                recent.add(row)
        return [
            {"provider": provider, **whole.shown()}
            | {"recent_usd": round(float(recent.own), 6), "recent_answers": recent.answers, "minutes": recent_minutes}
            for provider, (whole, recent) in every.items()
        ]

    return Probe("costs-hour", f"Cost of the last hour, and of its last {recent_minutes:g} min", read, source_of(asked))


def newest(most: int = 30, minutes: float = 60) -> Probe:
    """Return the probe of the first provider's newest ``most`` answers within ``minutes``: a row per model.

    So many, not so long: once another model is asked, the figure says so after so many answers. ``share`` is of these
    answers in percent, ``share_before`` of the seven days before the window. Amounts are USD by our prices, ``each``
    of a million tokens of that model. ``began``: how long ago it answered first within the window; beside it, in every
    row, for how long the API's newest revision has run (``age``; None where the cluster does not say).
    """
    asked = question("costs/newest")

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        columns(target, "provider", "model", "prompt_tokens", "completion_tokens")
        given = {"provider": FIRST, "most": most, "seconds": minutes * 60}
        found: dict[str, dict[bool, Sum]] = {}
        began: dict[str, float] = {}
        for row in target.database.ask(asked, given):
            found.setdefault(row["model"], {True: Sum(), False: Sum()})[row["newest"]].add(row)
            if row["newest"]:
                began[row["model"]] = max(float(row["began_age"]), began.get(row["model"], 0.0))
        totals = {late: sum(both[late].answers for both in found.values()) for late in (True, False)}
        runs = running(target, "api")
        rows = [
            _row(model, both[True], both[False], totals) | {"began": began.get(model), **runs}
            for model, both in found.items()
        ]
        return sorted(rows, key=lambda row: -row["answers"])

    title = f"Models of the newest {most} answers, and of the week before"
    return Probe(
        "costs-newest", title, read, source_of(asked), {"share": "%", "share_before": "%", "began": "s", "age": "s"}
    )


def _row(model: str, now: Sum, before: Sum, totals: dict[bool, int]) -> dict[str, Any]:
    both = Sum()
    both.own, both.tokens = now.own + before.own, now.tokens + before.tokens
    return {
        "model": model,
        "answers": now.answers,
        "share": _percent(now.answers, totals[True]),
        "share_before": _percent(before.answers, totals[False]),
        "each": round(float(both.own) * MILLION / both.tokens, 4) if both.tokens and not now.unpriced else None,
        "tokens": now.tokens,
        "usd": float(now.own),
        "answers_before": before.answers,
        "tokens_before": before.tokens,
        "usd_before": float(before.own),
        "unpriced": now.unpriced,
    }


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0
