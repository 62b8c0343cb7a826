"""Sentry: new issues, what became of the events that were sent, and releases.

That Sentry shows nothing proves nothing where nothing arrives: each reading says whether events came at all, and
whether the application had requests meanwhile.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from opslib.errors import OpsError
from opslib.model import Probe
from opslib.probes.application_traffic import counts
from opslib.systems.sentry import Outcome
from opslib.systems.target import ReadTarget

ACCEPTED = "accepted"
ARRIVALS, ISSUE = "arrivals", "issue"
LONGEST_TITLE = 200


def new_issues(hours: int) -> Probe:
    """Return the probe of the unresolved issues first seen within ``hours``, after one row on what arrived."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        found = target.sentry.new_issues(hours)
        arrivals = _arrivals(target, target.sentry.outcomes(hours), hours)
        return [
            arrivals,
            *(
                {
                    "what": ISSUE,
                    "name": one.short,
                    "title": one.title[:LONGEST_TITLE],
                    "level": one.level,
                    "users": one.users,
                    "events": one.events,
                    "first": one.first,
                    "last": one.last,
                    "unhandled": one.unhandled,
                    "link": one.link,
                }
                for one in found
            ),
        ]

    return Probe(
        "dependencies-new-issues",
        f"Unresolved issues of the last {hours} h at Sentry",
        read,
        source=f"GET /api/0/organizations/ORG/issues/?query=is:unresolved firstSeen:-{hours}h&sort=user",
    )


def intake(hours: int) -> Probe:
    """Return the probe of what became of the events of the last ``hours``, after one row on what arrived."""

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        found = target.sentry.outcomes(hours)
        rows = [
            {
                "what": "outcome",
                "outcome": one.by.outcome,
                "category": one.by.category,
                "reason": one.by.reason or "",
                "events": one.quantity,
            }
            for one in sorted(found, key=lambda one: -one.quantity)
        ]
        return [_arrivals(target, found, hours), *rows]

    return Probe(
        "dependencies-intake",
        f"Events that Sentry took and dropped, last {hours} h",
        read,
        source="GET /api/0/organizations/ORG/stats_v2/?groupBy=outcome&groupBy=category&groupBy=reason",
    )


def _arrivals(target: ReadTarget, outcomes: list[Outcome], hours: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "what": ARRIVALS,
        "hours": hours,
        "accepted": sum(one.quantity for one in outcomes if one.by.outcome == ACCEPTED),
        "requests": None,
        "since": None,
        "why": "",
    }
    try:
        said = counts(target)
    except OpsError as error:
        return {**row, "why": str(error)}
    begun = said["process"] and datetime.fromtimestamp(said["process"], UTC).isoformat(timespec="seconds")
    return {**row, "requests": said["requests"], "since": begun}


def _releases(target: ReadTarget) -> list[dict[str, Any]]:
    return [
        {"release": one.version, "created": one.created, "new_issues": one.new, "last_event": one.last_event}
        for one in target.sentry.releases()
    ]


releases = Probe(
    "dependencies-releases",
    "Newest releases at Sentry",
    _releases,
    source="GET /api/0/organizations/ORG/releases/",
)
"""One row a release, newest first: how many issues were first seen in it, and when its last event came."""
