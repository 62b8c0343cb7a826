"""A check of how an area's checks went: what got worse, and what would be beyond its limit before long."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.guide.trend import chosen, shown
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes.observability_trends import trends

AHEAD = threshold("trend-ahead")


def trending(area: str, names: str = "none", runs: int = 50) -> Check:
    """Whether nothing of an area got worse over its newest ``runs``, and no figure is on its way beyond its limit.

    ``names`` are some of its checks by commas, or ``none`` for all. UNKNOWN without a run, where a check that was named
    was never made, and where no check was made twice.
    """

    def judge(reading: Reading) -> Judgement:
        found = chosen(reading.rows, names, runs)
        missing = set() if names == "none" else set(names.split(",")) - {one.check for one in found}
        rows = tuple(shown(one) for one in found)
        if not found:
            return Judgement(Verdict.UNKNOWN, f"No run of this archive made these checks of {area} here.")
        if missing:
            return Judgement(Verdict.UNKNOWN, f"Never made here: {', '.join(sorted(missing))}.", None, rows)
        told = [one for one in found if one.before]
        if not told:
            return Judgement(Verdict.UNKNOWN, f"No check of {area} was made twice: there is no trend.", None, rows)
        worse = [one for one in told if one.state == "worse"]
        soon = [one for one in told if AHEAD.judge(one.days) in (Verdict.WARNING, Verdict.CRITICAL)]
        blind = [one for one in told if one.verdict == Verdict.UNKNOWN]
        parts = [
            *(f"{one.check} is {one.verdict}, usually {one.before}" for one in worse),
            *(f"{one.check} beyond {one.limit:g} {one.unit} in {one.days:.1f} days at its pace" for one in soon),
            *(f"{one.check}: nobody could look" for one in blind),
        ]
        several = "1 check" if len(told) == 1 else f"{len(told)} checks"
        said = f"{several} over up to {max(one.runs for one in told)} runs: "
        said += "; ".join(parts) or "nothing got worse"
        verdict = Verdict.worst(
            [Verdict.WARNING if worse else Verdict.OK, *(AHEAD.judge(one.days) for one in soon)]
            + [Verdict.UNKNOWN for _ in blind]
        )
        ahead = min((one.days for one in told if one.days is not None), default=None)
        return Judgement(verdict, f"{said}.", None if ahead is None else round(ahead, 2), rows)

    return Check(
        "trends",
        "Nothing got worse over the last runs",
        trends[area],
        judge,
        "Open the newest report of what got worse, and hold it against an earlier one: ops archive diff OLD NEW.",
        AHEAD,
    )
