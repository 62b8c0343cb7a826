"""What language models cost: tokens times a dated price table, beside the cost that the product stored.

The product prices what OpenAI answered with Together.ai's table in places, so its own figure is least right when the
fallback serves. A model without a price has no cost here (None), never 0. An answer from the cache costs nothing and
leaves no row. Amounts are USD.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from statistics import median
from typing import Any

from opslib.errors import Unreachable
from opslib.guide.prices import price, prices
from opslib.model import Probe, now
from opslib.probes.database_asking import source_of
from opslib.probes.llm_answers import COSTS, TABLE, columns
from opslib.probes.llm_gateway import stats
from opslib.probes.questions import question
from opslib.systems.llm_keys import PROVIDERS
from opslib.systems.target import PlanTarget, ReadTarget
from opslib.systems.vault import CURRENT

WEEK = 168
SAME_HOUR = tuple(WEEK * weeks for weeks in range(5))
"""This hour and the same hour of the four weeks before, counted in hours back from now."""
FEWEST_WEEKS, FEWEST_HOURS = 3, 24
"""Same hours of a week, and hours of the week before, without which there is no baseline."""
ROUNDED = Decimal("0.0000005")
"""Half of the last digit of ``llm_usage.cost`` (numeric(10,6)): what rounding may have done to each row."""
TOP = 10


def _ask(target: ReadTarget, name: str, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    columns(target, "provider", "model", "prompt_tokens", "completion_tokens")
    return target.database.ask(question(f"costs/{name}"), given)


def own(row: Mapping[str, Any]) -> Decimal | None:
    """Return what the tokens of a row cost by the price of its day; None for a model without a price."""
    day: date = row["day"]
    held = price(row["provider"], row["model"], day)
    return None if held is None else held.of(int(row["prompt"] or 0), int(row["completion"] or 0))


class Sum:
    """Several rows together: answers, what they cost by our prices, what was stored, and how many have no price."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self.answers = self.unpriced = self.tokens = 0
        self.own = self.stored = Decimal(0)
        self.told = False
        self.models: set[str] = set()
        for row in rows:
            self.add(row)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row in."""
        cost = own(row)
        self.answers += row["answers"]
        self.tokens += int(row["prompt"] or 0) + int(row["completion"] or 0)
        if cost is None:
            self.unpriced += row["answers"]
            self.models.add(f"{row['provider']}: {row['model']}")
        self.own += cost or 0
        if row["stored"] is not None:
            self.told = True
            self.stored += row["stored"]

    def shown(self) -> dict[str, Any]:
        """Return it as columns; ``usd`` is what is known to have been spent, ``unpriced`` what is not in it."""
        return {
            "answers": self.answers,
            "tokens": self.tokens,
            "usd": round(float(self.own), 6),
            "stored_usd": round(float(self.stored), 6) if self.told else None,
            "unpriced": self.unpriced,
            "without_price": ", ".join(sorted(self.models)),
        }


def _grouped(rows: Iterable[dict[str, Any]], *names: str) -> dict[tuple[Any, ...], Sum]:
    found: dict[tuple[Any, ...], Sum] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), Sum()).add(row)
    return found


def hours(many: int = 24) -> Probe:
    """Return the probe of the last ``many`` hours: a row per hour (``ago`` 0 is the last 60 minutes) and provider.

    An hour in which nobody asked has no row.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        found = _grouped(_ask(target, "hours", {"hours": list(range(many))}), "ago", "provider")
        return [{"ago": ago, "provider": provider, **one.shown()} for (ago, provider), one in sorted(found.items())]

    return Probe("costs-hours", f"Cost of the last {many} h", read, source_of(question("costs/hours")), {"ago": "h"})


def models(many: int = 24) -> Probe:
    """Return the probe of the last ``many`` hours by provider and model, with what rounding may explain.

    Raises Unreachable where the table keeps no cost.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        if not set(COSTS) & set(columns(target)):
            raise Unreachable(f"{TABLE} has neither {' nor '.join(COSTS)}.", "The product stores no cost.", "missing")
        found = _grouped(_ask(target, "parts", {"hours": many}), "provider", "model")
        return [
            {"provider": key[0], "model": key[1], **one.shown(), "rounding": float(ROUNDED * one.answers)}
            for key, one in sorted(found.items())
        ]

    title = f"Cost by model, last {many} h: by our prices, and as stored"
    return Probe("costs-models", title, read, source_of(question("costs/parts")))


def parts(name: str, many: int = 24) -> Probe:
    """Return the probe of who the last ``many`` hours' cost is for, by ``tenant`` or by ``person``: the ten largest.

    Both are ids, not names; ``share`` is of what is known to have been spent.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        found = _grouped(_ask(target, "parts", {"hours": many}), name)
        whole = sum((one.own for one in found.values()), Decimal(0))
        ordered = sorted(found.items(), key=lambda pair: -pair[1].own)[:TOP]
        return [
            {name: key[0], **one.shown(), "share": round(float(100 * one.own / whole), 1) if whole else None}
            for key, one in ordered
        ]

    title = f"Cost by {name}, last {many} h, the largest {TOP}"
    return Probe(f"costs-by-{name}", title, read, source_of(question("costs/parts")), {"share": "%"})


def _baseline(target: ReadTarget) -> list[dict[str, Any]]:
    age = _age(target)
    now = Sum()
    weeks = {ago: Sum() for ago in SAME_HOUR if ago < age}
    for row in _ask(target, "hours", {"hours": list(SAME_HOUR)}):
        (now if row["ago"] == 0 else weeks.setdefault(row["ago"], Sum())).add(row)
    before = [one for ago, one in weeks.items() if ago]
    basis = "the same hour of the weeks before"
    if len(before) < FEWEST_WEEKS:
        since = range(1, min(WEEK, age) + 1)
        days = {ago: Sum() for ago in since if ago < age}
        for row in _ask(target, "hours", {"hours": list(since)}):
            days.setdefault(row["ago"], Sum()).add(row)
        before, basis = list(days.values()), "the hours of the week before"
        if len(before) < FEWEST_HOURS:
            before = []
    known = [one for one in before if not one.unpriced]
    usual = median(one.own for one in known) if known else None
    return [
        {
            **now.shown(),
            "basis": basis,
            "hours": len(known),
            "baseline_usd": None if usual is None else round(float(usual), 6),
            "history_hours": age,
        }
    ]


def _age(target: ReadTarget) -> int:
    columns(target)
    rows = target.database.ask(question("costs/oldest"))
    return int(rows[0]["hours"]) if rows else 0


def spent(days: int = 30) -> Probe:
    """Return the probe of the last 24 hours and the last ``days`` days, and of whoever spent most in 24 hours."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        by_day = _ask(target, "days", {"days": days})
        people = _grouped(_ask(target, "parts", {"hours": 24}), "person")
        day = Sum(row for row in by_day if row["recent"])
        spans = {"day": day, "month": Sum(by_day)}
        rows = [{"span": span, "whose": "all", **one.shown()} for span, one in spans.items()]
        if people:
            (who,), most = max(people.items(), key=lambda pair: pair[1].own)
            rows.append({"span": "person", "whose": who or "nobody", **most.shown()})
        return rows

    title = f"Cost of 24 h and of {days} days, and of whoever spent most"
    return Probe("costs-spent", title, read, source_of(question("costs/days")))


baseline = Probe(
    "costs-baseline",
    "Cost of the last hour, and of hours before",
    _baseline,
    source=f"{source_of(question('costs/hours'))}, the same hour of four weeks; else each hour of seven days",
)
"""One row: the last 60 minutes, and the median of earlier hours (``baseline_usd``; None without enough of them).

An hour in which nobody asked counts as 0, if usage goes back that far; one with a model without a price does not count.
"""


def _told(target: PlanTarget) -> list[dict[str, Any]]:
    provider = PROVIDERS["together"]
    version = target.vault.stage(CURRENT)
    value = version.value(provider.variable) if version else None
    if value is None:
        raise Unreachable(f"The vault has no {provider.variable}.", "See runbooks/rotate-api-keys.", "missing")
    told, day = target.llm_keys.prices(provider, value), now().date()
    rows = []
    for model in sorted({one.model for one in prices() if one.provider == "together_ai"}):
        ours, theirs = price("together_ai", model, day), told.get(model)
        if ours is not None:
            asked, answered = (theirs.input, theirs.output) if theirs else (None, None)
            rows.append(
                {
                    "model": model,
                    "since": ours.since.isoformat(),
                    "input": float(ours.input),
                    "output": float(ours.output),
                    "told_input": None if asked is None else float(asked),
                    "told_output": None if answered is None else float(answered),
                }
            )
    return rows


told = Probe(
    "costs-prices",
    "Our prices, and those that Together.ai tells",
    _told,
    source="opslib/guide/prices.tsv · GET models, with TOGETHER_API_KEY of the vault (pricing)",
    by_executor=True,
)
"""A row per model of Together.ai in the price table, USD per million tokens; told prices are None where it tells none.

OpenAI's interface tells no prices.
"""


def cached(many: int = 24) -> Probe:
    """Return the probe of what the product's cache of answers saved: one row, of one replica since it began.

    ``saved_usd`` is hits times what an answer cost on average in the last ``many`` hours; None without such answers.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        (row,) = [row for row in stats.read(target) if row["provider"] == "cache"]
        hits, misses = row["successes"], row["failures"]
        whole = Sum(_ask(target, "parts", {"hours": many}))
        priced = whole.answers - whole.unpriced
        each = whole.own / priced if priced else None
        asked = None if hits is None or misses is None else hits + misses
        return [
            {
                "hits": hits,
                "misses": misses,
                "share": round(100 * hits / asked, 1) if asked else None,
                "usd_each": None if each is None else round(float(each), 8),
                "saved_usd": None if each is None or hits is None else round(float(each) * hits, 6),
            }
        ]

    source = f"GET /api/llm/stats (cache) · {source_of(question('costs/parts'))}"
    return Probe("costs-cached", "What the cache of answers saved", read, source, {"share": "%"})
