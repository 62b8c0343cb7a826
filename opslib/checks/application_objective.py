"""The API's objective: are its metrics fresh, was it up, and how fast is the budget of failures used up?"""

from __future__ import annotations

from opslib.guide.objectives import MONTH, PAIRS, Pair
from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.pictures.figures import count
from opslib.probes import application as probes

UPTIME = threshold("uptime")
MISSED = threshold("metrics-missed")
LEAST_FAILURES = threshold("burn-failures")
OBJECTIVE = UPTIME.warning or 0.0
LEAST_MINUTES = 60.0
"""Minutes that must have been seen before anything is said of uptime."""


def _judge_fresh(reading: Reading) -> Judgement:
    if not reading.rows:
        said = "Prometheus has no target of the API's job: nothing is measured, and no alert on it can fire"
        return Judgement(Verdict.CRITICAL, f"{said}.", None, ())
    verdicts = [MISSED.judge(row["missed"]) for row in reading.rows]
    stale = [row["instance"] for row, verdict in zip(reading.rows, verdicts, strict=True) if verdict is not Verdict.OK]
    least = min((row["missed"] for row in reading.rows if row["missed"] is not None), default=None)
    all_of_them = len(stale) == len(reading.rows)
    if all_of_them and Verdict.WARNING not in verdicts:
        said = f"No instance's metrics are fresh (0 of {len(stale)}): what they say is over, and no alert fires"
        return Judgement(Verdict.CRITICAL, f"{said}.", least, reading.rows)
    if stale:
        return Judgement(Verdict.WARNING, f"Not scraped lately: {', '.join(stale)}.", least, reading.rows)
    return Judgement(Verdict.OK, f"All {len(reading.rows)} instances were scraped lately.", least, reading.rows)


fresh = Check(
    name="application-fresh",
    title="The API's metrics are fresh",
    probe=probes.fresh,
    judge=_judge_fresh,
    remedy="See why it is not scraped: diagnostics/observability (targets). Until then nobody is told of an outage.",
    threshold=MISSED,
)
"""CRITICAL where no instance has been scraped lately: a dead man's switch for all that is judged below it."""


def uptime(days: int = 30) -> Check:
    """Return the check of the share of ``days`` in which the API could be scraped.

    What nobody measured is counted once as up and once as down: where that changes the verdict it is UNKNOWN.
    """

    def judge(reading: Reading) -> Judgement:
        up, down, unknown = (sum(row[name] for row in reading.rows) for name in ("up", "down", "unknown"))
        # Days with an outage or without a measurement first, then the newest.
        newest = sorted(reading.rows, key=lambda row: str(row["day"]), reverse=True)
        rows = tuple(sorted(newest, key=lambda row: not (row["down"] or row["unknown"])))
        seen = up + down
        if seen < LEAST_MINUTES:
            said = f"Only {seen:g} minutes of {days} days were measured: nobody knows"
            return Judgement(Verdict.UNKNOWN, f"{said}.", None, rows)
        share = 100 * up / seen
        ends = {UPTIME.judge(100 * (up + extra) / (seen + unknown)) for extra in (0.0, unknown)}
        allowed = (seen + unknown) * (100 - OBJECTIVE) / 100
        said = f"Up {share:.3f} % of the {seen / 1440:.1f} days that were measured, down {down:.1f} min"
        said += f" (at {OBJECTIVE:g} % {allowed:.1f} min are allowed)"
        if unknown:
            said += f"; nobody measured {unknown:.0f} min"
        if len(ends) > 1:
            return Judgement(Verdict.UNKNOWN, f"{said}, which could change the verdict.", share, rows)
        return Judgement(ends.pop(), f"{said}.", share, rows)

    return Check(
        name="application-uptime",
        title=f"Uptime of the last {days} days",
        probe=probes.uptime(days),
        judge=judge,
        remedy=(
            "See which days (below), and what was deployed then: diagnostics/delivery. The guide's alert (below 99 %) "
            "allows 7 h a month, its target (99.9 %) 43 min."
        ),
        threshold=UPTIME,
        items=("MON-APP-01T", "MON-APP-01A"),
    )


def burn(objective: float = OBJECTIVE, month: bool = True) -> Check:
    """Return the check of how fast the budget of failures is used up, by four pairs of windows.

    A pair counts where both its windows are beyond its limit, and the long one holds enough failures. CRITICAL for
    the pairs that page, WARNING for those that write a ticket; UNKNOWN where nobody asked anything.
    """

    def judge(reading: Reading) -> Judgement:
        by = {row["window"]: row for row in reading.rows}
        rows = tuple(_pair(pair, by[pair.long], by[pair.short]) for pair in PAIRS)
        if all(row["state"] == "no requests" for row in rows):
            said = "No window holds a request (or the series are not there): nobody knows"
            return Judgement(Verdict.UNKNOWN, f"{said}.", None, rows)
        seen, fewest = max(row["requests"] or 0.0 for row in rows), 100 / (100 - objective)
        if seen < fewest:
            said = f"{count(round(seen))} requests in the longest window cannot show a share of {100 - objective:g} %"
            return Judgement(Verdict.UNKNOWN, f"{said}: it takes {count(round(fewest))}.", None, rows)
        worst = max((row["pace"] for row in rows if row["pace"] is not None), default=None)
        burning = [row for row in rows if row["state"] in ("page", "ticket")]
        verdict = Verdict.CRITICAL if any(row["state"] == "page" for row in burning) else Verdict.WARNING
        if not burning:
            few = [row["pair"] for row in rows if row["state"] == "too few failures"]
            said = f"The budget of {100 - objective:g} % lasts: the fastest pace is {worst:.2g} times it"
            said += f"; too few failures to count: {', '.join(few)}" if few else ""
            return Judgement(Verdict.OK, f"{said}{_left(by.get(MONTH), objective)}.", worst, rows)
        said = "; ".join(f"{row['pair']}: {row['pace']:.3g} and {row['pace_short']:.3g} times" for row in burning)
        return Judgement(verdict, f"The budget burns ({said}){_left(by.get(MONTH), objective)}.", worst, rows)

    return Check(
        name="application-burn",
        title=f"The budget of failures ({100 - objective:g} % in 30 days) lasts",
        probe=probes.burn(objective, month),
        judge=judge,
        remedy=(
            "CRITICAL: as for an outage, see what fails and since when. If the API's newest version did it: "
            "disaster/recover-everything with services=api, back=previous. WARNING: mend it this week; deploy nothing "
            "risky until the budget has recovered, which it does by time alone."
        ),
        threshold=PAIRS[0].limit,
        items=("MON-APP-01T", "MON-APP-03T"),
    )


def _pair(pair: Pair, long: Row, short: Row) -> Row:
    limit = pair.limit.critical or pair.limit.warning or 0.0
    state = "lasts"
    if long["pace"] is None or short["pace"] is None:
        state = "no requests"
    elif long["pace"] > limit and short["pace"] > limit:
        few = LEAST_FAILURES.judge(long["failures"]) is not Verdict.OK
        state = "too few failures" if few else "page" if pair.limit.critical else "ticket"
    return {
        "pair": f"{pair.long} & {pair.short}",
        "limit": limit,
        "pace": long["pace"],
        "pace_short": short["pace"],
        "failures": long["failures"],
        "requests": long["requests"],
        "state": state,
    }


def _left(month: Row | None, objective: float) -> str:
    if month is None or month["pace"] is None:
        return ""
    used = f"{100 * month['pace']:.0f} % of the month's budget is used"
    return f"; {used} ({count(round(month['failures']))} failures of {count(round(month['requests']))})"
