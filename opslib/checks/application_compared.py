"""Whether errors or slow answers became more since a deployment: two shares, each by its 95 % interval."""

from __future__ import annotations

from opslib.checks.application_watch import ERROR_RATE, RESPONSE_TIME, SLOW_SHARE, Share
from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes.application_compared import compared

LEAST = 100
"""Requests under which no share is given."""
_BACK = "Take it back: runbooks/roll-back-deployment, the API by disaster/recover-everything with back=previous."


def errors_compared(deployed: Reading) -> Check:
    """Return the check of the share of 5xx since a deployment against that right before it.

    CRITICAL where it surely grew and is beyond the guide's alert, WARNING where it surely grew; UNKNOWN with too few
    requests on either side.
    """

    def judge(reading: Reading) -> Judgement:
        return _judge(reading, "requests", "failures", ERROR_RATE.critical or 0.0, "of the requests failed")

    return Check(
        name="application-errors-compared",
        title="Not more requests fail than before the deployment",
        probe=compared(deployed),
        judge=judge,
        remedy=f"{_BACK} Too few requests prove nothing: look again later.",
        threshold=ERROR_RATE,
    )


def times_compared(deployed: Reading) -> Check:
    """Return the check of the share of answers beyond the guide's target, since a deployment against before it."""

    def judge(reading: Reading) -> Judgement:
        said = f"of the answers took more than {RESPONSE_TIME.warning:g} ms"
        return _judge(reading, "timed", "slow", SLOW_SHARE, said)

    return Check(
        name="application-times-compared",
        title="Answers are not slower than before the deployment",
        probe=compared(deployed),
        judge=judge,
        remedy=f"{_BACK} See which routes are slow: diagnostics/application.",
        threshold=RESPONSE_TIME,
    )


def _judge(reading: Reading, whole: str, part: str, limit: float, words: str) -> Judgement:
    sides = {row["when"]: row for row in reading.rows}
    if missing := next((why for name, row in sides.items() if (why := _few(name, row, whole, part))), ""):
        return Judgement(Verdict.UNKNOWN, missing, None, reading.rows)
    before, since = (Share(sides[name][part], sides[name][whole]) for name in ("before", "since"))
    more = since.ends[0] > before.ends[1]
    said = f"{since} {words} since the deployment; before it {before}"
    if more and since.percent > limit:
        return Judgement(Verdict.CRITICAL, f"{said}: more for certain, and beyond {limit:g} %.", None, reading.rows)
    if more:
        return Judgement(Verdict.WARNING, f"{said}: more for certain.", since.percent, reading.rows)
    return Judgement(Verdict.OK, f"{said}: not more for certain.", since.percent, reading.rows)


def _few(name: str, row: Row, whole: str, part: str) -> str:
    if row[whole] is None or row[part] is None:
        return f"There is no such series of the time {name} the deployment, or no edge at the limit."
    if row[whole] < LEAST:
        return f"Only {row[whole]} requests in the {row['minutes']} minutes {name} the deployment."
    return ""
