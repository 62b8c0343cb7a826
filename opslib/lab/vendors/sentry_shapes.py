"""Sentry's answers with all that its description requires, of which the diagnostics use a few."""

from __future__ import annotations

from typing import Any

_PROJECT = {"id": "4509000000000001", "name": "valuecanvas", "slug": "valuecanvas", "platform": "javascript-react"}
_DERIVED = {"blocker": "", "hasOpenFixPr": False, "hasRootCause": False, "isAssigned": False, "viewCount": 0} | {
    "lastCompletedAutofixStep": "",
    "lastProgressedAt": None,
    "progress": "",
    "status": "",
}


def issue(number: int, one: dict[str, Any], base: str, first: str) -> dict[str, Any]:
    """Return an issue of the state ``one`` as the API words it; ``first`` is when it was first seen."""
    many = {"count": str(one["events"]), "userCount": one["users"], "firstSeen": first, "lastSeen": first}
    return {
        **many,
        "id": str(6_900_000_000 + number),
        "shortId": one["short"],
        "shareId": None,
        "title": one["title"],
        "culprit": one.get("culprit", "src/pages/Cases"),
        "permalink": f"{base}/organizations/valuecanvas/issues/{6_900_000_000 + number}/",
        "logger": None,
        "level": one["level"],
        "status": one["status"],
        "statusDetails": {},
        "substatus": "new",
        "isPublic": False,
        "platform": "javascript",
        "priority": "high",
        "priorityLockedAt": None,
        "seerFixabilityScore": None,
        "seerAutofixLastTriggered": None,
        "seerExplorerAutofixLastTriggered": None,
        "project": _PROJECT,
        "type": "error",
        "issueType": "error",
        "issueCategory": "error",
        "metadata": {"type": "Error", "value": one["title"]},
        "numComments": 0,
        "assignedTo": None,
        "isBookmarked": False,
        "isSubscribed": False,
        "subscriptionDetails": None,
        "hasSeen": False,
        "annotations": [],
        "isUnhandled": True,
        "derivedData": _DERIVED,
        "stats": {"24h": []},
        "lifetime": many,
        "filtered": None,
        "sessionCount": 0,
        "inbox": {"reason": 0, "reason_details": None, "date_added": first},
        "owners": {"type": "ownershipRule", "owner": "team:1", "date_added": first},
        "integrationIssues": [],
        "sentryAppIssues": [],
        "latestEventHasAttachments": False,
        "matchingEventId": None,
        "matchingEventEnvironment": None,
    }


def release(number: int, one: dict[str, Any], created: str) -> dict[str, Any]:
    """Return a release of the state ``one`` as the API words it."""
    package, _, version = one["version"].rpartition("@")
    return {
        "id": 1_000 + number,
        "version": one["version"],
        "shortVersion": version,
        "versionInfo": {
            "package": package or None,
            "version": {"raw": version},
            "description": version,
            "buildHash": None,
        },
        "status": "open",
        "ref": None,
        "url": None,
        "dateReleased": None,
        "dateCreated": created,
        "newGroups": one["new"],
        "firstEvent": created,
        "lastEvent": created,
        "commitCount": 0,
        "deployCount": 0,
        "data": {},
        "authors": [],
        "projects": [],
        "lastCommit": None,
        "lastDeploy": None,
        "owner": None,
    }
