"""Sentry: new unresolved issues, and whether it takes what is sent. Nothing shown where nothing arrives is UNKNOWN."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Row, Threshold, Verdict
from opslib.pictures.figures import count
from opslib.probes import dependencies_sentry as probes
from opslib.systems.sentry import MOST

DROPPED = threshold("sentry-dropped")
LOSING = ("rate_limited", "abuse", "cardinality_limited", "invalid")
"""Outcomes of events that somebody wanted to keep; ``filtered`` ones nobody did."""
HELD_BACK = ("ratelimit_backoff", "queue_overflow", "network_error")
"""Reasons for which a client drops events itself, after Sentry or the network refused others."""


def new_issues(hours: int = 24, critical_users: int = 25) -> Check:
    """Return the check of unresolved issues first seen within ``hours``, by how many users they touch.

    One that touches more than ``critical_users``, or is fatal, is CRITICAL; any other is a WARNING.
    """
    limit = threshold("new-issue-users", critical=critical_users)
    return Check(
        name="dependencies-new-issues",
        title="Sentry has no new unresolved issue",
        probe=probes.new_issues(hours),
        judge=lambda reading: _judge_issues(reading, limit),
        remedy=(
            "Open the worst one, and compare its first moment with the newest release: a deployment that brought it is "
            "taken back by runbooks/roll-back-deployment. Resolve or archive what is known, so that new ones stand out."
        ),
        threshold=limit,
    )


def _judge_issues(reading: Reading, limit: Threshold) -> Judgement:
    arrivals, issues = reading.rows[0], reading.rows[1:]
    if not issues:
        if nothing := _nothing(arrivals):
            return Judgement(Verdict.UNKNOWN, nothing, None, reading.rows)
        said = f"No new unresolved issue in {arrivals['hours']} h; {count(arrivals['accepted'])} events were taken."
        return Judgement(Verdict.OK, said, 0, reading.rows[:1])
    users = max(row["users"] for row in issues)
    fatal = [row for row in issues if row["level"] == "fatal"]
    verdict = Verdict.CRITICAL if fatal else Verdict.worst([Verdict.WARNING, limit.judge(users)])
    worst = (fatal or sorted(issues, key=lambda row: -row["users"]))[0]
    many = f"{'at least ' if len(issues) >= MOST else ''}{len(issues)} new and unresolved"
    said = f"{many}; {worst['name']} “{worst['title']}” ({worst['level']}) touches {count(worst['users'])} users."
    return Judgement(verdict, said, users, tuple(_without_kind(row) for row in issues))


def intake(hours: int = 24) -> Check:
    """Return the check that Sentry takes what it is sent: nothing dropped for quota or rate, and something arrives."""
    return Check(
        name="dependencies-intake",
        title="Sentry takes what it is sent",
        probe=probes.intake(hours),
        judge=_judge_intake,
        remedy=(
            "Dropped for quota or rate: look at the project's spike protection and at the key's limit, and at which "
            "issue floods it. Nothing arrives: look at VITE_SENTRY_DSN and VITE_SENTRY_ENABLED of the build, and at "
            "the content security policy (connect-src)."
        ),
        threshold=DROPPED,
    )


def _judge_intake(reading: Reading) -> Judgement:
    arrivals, outcomes = reading.rows[0], reading.rows[1:]
    errors = [row for row in outcomes if row["category"] == "error"]
    taken = sum(row["events"] for row in errors if row["outcome"] == probes.ACCEPTED)
    lost = [row for row in errors if row["events"] and _is_lost(row)]
    shown = tuple(_without_kind(row) for row in outcomes)
    dropped = sum(row["events"] for row in lost)
    if dropped:
        share = 100 * dropped / (dropped + taken)
        why = ", ".join(f"{row['outcome']}{_reason(row)} {count(row['events'])}" for row in lost)
        said = f"{share:.1f} % of the error events were dropped: {why}; {count(taken)} were taken."
        return Judgement(DROPPED.judge(share), said, share, shown)
    if nothing := _nothing(arrivals):
        return Judgement(Verdict.UNKNOWN, nothing, None, shown or reading.rows)
    said = f"{count(taken)} error events and {count(arrivals['accepted'] - taken)} others were taken, none dropped."
    return Judgement(Verdict.OK, said, 0.0, shown)


def _nothing(arrivals: Row) -> str:
    """Return why an empty list proves nothing; empty where events arrived."""
    if arrivals["accepted"]:
        return ""
    none = f"Nothing arrives: Sentry took no event of any kind in {arrivals['hours']} h"
    if arrivals["requests"] is None:
        return f"{none}, and whether the application had requests nobody knows: {arrivals['why']}"
    since = f" since {arrivals['since']}" if arrivals["since"] else ""
    if arrivals["requests"]:
        return f"{none}, while the application answered {count(arrivals['requests'])} requests{since}."
    return f"{none}, and the application had no request{since} either."


def _is_lost(row: Row) -> bool:
    return row["outcome"] in LOSING or (row["outcome"] == "client_discard" and row["reason"] in HELD_BACK)


def _reason(row: Row) -> str:
    return f" ({row['reason']})" if row["reason"] else ""


def _without_kind(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "what"}
