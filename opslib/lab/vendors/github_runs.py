"""A part of GitHub's stand-in: the jobs of a run, which go on by the clock, and how the run stands by them."""

from __future__ import annotations

import time
from typing import Any

JOBS = (
    *("test", "security-scan", "detect-changes", "build-frontend", "build-images"),
    *("deploy-infrastructure", "deploy-kubernetes", "deploy-frontend", "smoke-tests", "deployment-summary", "notify"),
)
"""The workflow's jobs, in the order in which they run."""
SERVICES, FRONT_END = ("build-images", "deploy-kubernetes"), ("build-frontend", "deploy-frontend")
INFRASTRUCTURE = ("deploy-infrastructure",)


def _names(one: dict[str, Any]) -> list[tuple[str, bool]]:
    """Return the names of a run's jobs, and whether each is skipped; a matrix is a job for each of its values."""
    if "changed" not in one:
        return [(name, False) for name in JOBS]
    changed = one["changed"]
    services = [name for name in changed if name not in ("frontend", "infrastructure")]
    wanted = {
        **dict.fromkeys(SERVICES, bool(services)),
        **dict.fromkeys(FRONT_END, "frontend" in changed),
        **dict.fromkeys(INFRASTRUCTURE, "infrastructure" in changed),
        "smoke-tests": bool(changed),
    }
    found: list[tuple[str, bool]] = []
    for name in JOBS:
        legs = [f"{name} ({service})" for service in services] if name == "build-images" and services else [name]
        found += [(leg, not wanted.get(name, True)) for leg in legs]
    return found


def jobs_of(one: dict[str, Any]) -> list[tuple[str, str, str | None, float, float | None]]:
    """Return (name, status, conclusion, start, end) of each job of a run, by the clock."""
    begun, each, now = one["created"], one["job_seconds"], one.get("cancelled") or time.time()
    found: list[tuple[str, str, str | None, float, float | None]] = []
    failed = held = False
    number = 0
    for name, skipped in _names(one):
        start, end = begun + number * each, begun + (number + 1) * each
        number += not skipped
        if failed or skipped:
            end = start if skipped else end
            found.append((name, "completed", "skipped", end, end))
        elif held or now < start:
            cancelled = one["conclusion"] == "cancelled"
            found.append(
                (name, *(("completed", "cancelled", now, now) if cancelled else ("queued", None, start, None)))
            )
        elif name == one["waits"] and one["conclusion"] is None:
            found.append((name, "waiting", None, start, None))
            held = True
        elif now < end:
            cancelled = one["conclusion"] == "cancelled"
            over = ("completed", "cancelled", start, now) if cancelled else ("in_progress", None, start, None)
            found.append((name, *over))
        else:
            failed = name == one["fails"]
            found.append((name, "completed", "failure" if failed else "success", start, end))
    return found


def standing(one: dict[str, Any]) -> tuple[str, str | None, float]:
    """Return a run's status, how it ended, and when something last happened to it."""
    jobs = jobs_of(one)
    states = {status for _, status, _, _, _ in jobs}
    if states == {"completed"}:
        ends = {conclusion for _, _, conclusion, _, _ in jobs}
        conclusion = next((word for word in ("cancelled", "failure") if word in ends), "success")
        return "completed", conclusion, max(end or start for _, _, _, start, end in jobs)
    status = next((word for word in ("waiting", "in_progress") if word in states), "queued")
    return status, None, time.time()
