"""Alert rules: is there one for each of the guide's alerts, at the guide's limit, and can it fire at all?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from opslib.guide.alerts import Alert, alerts
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import observability as probes
from opslib.probes.observability_queries import Comparison, comparison, edges, either

PAGING = ("critical", "page")
"""Severities that wake somebody."""
HUNDRED = re.compile(r"\*\s*100(\.0+)?\b|\b100(\.0+)?\s*\*")
SHOWN = 200
"""Characters of a query that a table shows."""
NEAR = 0.001
"""Part of a limit by which another one may differ and still be the same."""


def never(row: Row) -> list[str]:
    """Return why a rule can never fire; empty where nothing speaks against it. Pure."""
    return list(_never(row))


def _never(row: Row) -> Iterator[str]:
    if row["health"] == "err":
        yield f"Prometheus cannot evaluate it: {row['error']}"
    missing = row["nobody_exports"]
    if missing and not (either(row["query"]) and len(missing) < len(row["reads"])) and "absent" not in row["query"]:
        yield f"nobody exports {', '.join(missing)}"
    said = comparison(row["query"])
    for name, known in row["edges"].items():
        if not known:
            continue
        top = max(known)
        if said is not None and said.upward and "histogram_quantile" in said.left and said.number >= top:
            yield f"{said.operator} {said.number:g}, and a quantile of {name} never exceeds its last edge, {top:g}"
        if lost := [edge for edge in edges(row["query"]) if edge not in known]:
            yield f"no bucket of {name} ends at {', '.join(f'{edge:g}' for edge in lost)}"
    if said is not None and said.upward and said.number >= 1 and _is_share(said.left):
        yield f"{said.operator} {said.number:g}, and a share of requests is at most 1"


def _is_share(left: str) -> bool:
    """Tell whether this divides failures by all of one series."""
    if HUNDRED.search(left) or "/" not in left:
        return False
    above, _, below = left.rpartition("/")
    names = [set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*_total", part)) for part in (above, below)]
    return "5" in above and bool(names[0] & names[1])


def limit_of(row: Row, alert: Alert) -> float | None:
    """Return a rule's limit in the unit of the guide's (percent, ms); None where it cannot be read. Pure."""
    said = comparison(row["query"])
    if said is None or alert.limit is None:
        return None
    if alert.figure == "response-time-p95":
        return _milliseconds(row, said)
    number = said.number if HUNDRED.search(said.left) else said.number * 100
    # A limit on what is left, or on what succeeds, is one on the rest.
    return number if said.upward is alert.limit.above else 100 - number


def _milliseconds(row: Row, said: Comparison) -> float | None:
    seconds = any("_seconds" in name for name in row["reads"])
    picked = edges(row["query"])
    if "histogram_quantile" in said.left:
        return said.number * (1000 if seconds else 1)
    # The share above (or within) an edge is a percentile's limit where it is 5 (95) percent.
    share = said.number if said.upward else 1 - said.number
    if len(picked) == 1 and abs(share - 0.05) < NEAR:
        return picked[0] * (1000 if seconds else 1)
    return None


def _judge_guide(reading: Reading) -> Judgement:
    found = [_alert(alert, reading) for alert in alerts()]
    amiss = [row for verdict, row in found if verdict is not Verdict.OK]
    said = "; ".join(f"{row['alert']}: {row['state']}" for row in amiss)
    fine = f"All {len(found)} alerts of the guide have a rule that can fire at its limit"
    rows = tuple(row for _, row in found)
    verdict = Verdict.worst([verdict for verdict, _ in found])
    return Judgement(verdict, f"{said or fine}.", float(len(found) - len(amiss)), rows)


def _alert(alert: Alert, reading: Reading) -> tuple[Verdict, Row]:
    candidates = [row for row in reading.rows if any(alert.metrics.fullmatch(name) for name in row["reads"])]
    able = [row for row in candidates if not never(row)]
    wanted = None if alert.limit is None else alert.limit.critical
    bad = Verdict.CRITICAL if alert.severity in PAGING else Verdict.WARNING
    row: dict[str, object] = {
        "item": alert.item,
        "alert": alert.alert,
        "rule": "",
        "limit": None,
        "state": "",
        "query": "",
    }
    if not candidates:
        return bad, {**row, "state": "there is no rule"}
    if not able:
        first = candidates[0]
        why = "; ".join(f"{one['rule']} can never fire: {', '.join(never(one))}" for one in candidates[:3])
        return bad, {**row, "rule": first["rule"], "query": first["query"][:SHOWN], "state": why}
    best = min(able, key=lambda one: _distance(limit_of(one, alert), wanted))
    limit = limit_of(best, alert)
    row |= {"rule": best["rule"], "limit": limit, "query": best["query"][:SHOWN], "state": "can fire"}
    odd = "; ".join(_oddities(alert, best, limit, wanted))
    return (Verdict.WARNING, {**row, "state": f"{best['rule']} {odd}"}) if odd else (Verdict.OK, row)


def _oddities(alert: Alert, best: Row, limit: float | None, wanted: float | None) -> Iterator[str]:
    """Yield what a rule that can fire has otherwise than the guide."""
    if alert.severity in PAGING and best["severity"] not in PAGING:
        yield f"is labelled {best['severity'] or 'nothing'}, so it pages nobody"
    if wanted is None or alert.limit is None:
        return
    if limit is None:
        yield "has a limit that cannot be read from its query"
    elif _distance(limit, wanted) > NEAR:
        yield f"fires at {limit:g} {alert.limit.unit.split(' of ')[0]}, the guide at {wanted:g}"


def _distance(limit: float | None, wanted: float | None) -> float:
    if limit is None or not wanted:
        return 1e9
    return abs(limit - wanted) / wanted


guide_alerts = Check(
    name="observability-guide-alerts",
    title="Each of the guide's alerts has a rule that can fire at its limit",
    probe=probes.rules,
    judge=_judge_guide,
    remedy=(
        "Write the rule, or correct it: on a series that somebody exports, in its unit (ms or s, share or percent), "
        "below the histogram's last edge, at the guide's limit. Until then look yourself: diagnostics/application."
    ),
    items=tuple(alert.item for alert in alerts()),
)
"""CRITICAL for an alert that pages and has no rule that can fire; WARNING for the others, and for another limit."""


def _judge_silent(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.CRITICAL, "Prometheus has no alert rule: nobody is told of anything.", 0.0, ())
    found = [(row, why) for row in reading.rows if (why := never(row))]
    rows = tuple(
        {"rule": row["rule"], "severity": row["severity"], "why": "; ".join(why), "query": row["query"][:SHOWN]}
        for row, why in found
    )
    if not found:
        said = f"All {len(reading.rows)} rules stand on series that somebody exports, within what these can show"
        return Judgement(Verdict.OK, f"{said}.", 0.0, _shown(reading))
    paging = any(row["severity"] in PAGING for row, _ in found)
    said = "; ".join(f"{row['rule']}: {', '.join(why)}" for row, why in found)
    verdict = Verdict.CRITICAL if paging else Verdict.WARNING
    return Judgement(verdict, f"{len(found)} of {len(reading.rows)} rules can never fire: {said}.", len(found), rows)


def _shown(reading: Reading) -> tuple[Row, ...]:
    names = ("rule", "severity", "for")
    return tuple({**{name: row[name] for name in names}, "query": row["query"][:SHOWN]} for row in reading.rows)


silent_rules = Check(
    name="observability-silent-rules",
    title="Every alert rule can fire",
    probe=probes.rules,
    judge=_judge_silent,
    remedy=(
        "A rule that cannot fire is worse than none: it is believed. Export the series, or write the rule on one that "
        "is there; for times above a histogram's last edge, on the share of requests above an edge."
    ),
)
"""CRITICAL where a rule that pages can never fire; WARNING for the others; CRITICAL where there is no rule at all."""
