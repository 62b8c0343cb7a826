"""A deployment that is made: found again, followed until it is built, compared with the commit that was approved."""

from __future__ import annotations

import time
from datetime import datetime

from opslib.actions.base import Progress
from opslib.errors import StepFailed
from opslib.model import Plan
from opslib.systems.hosting import Deployment, ReadOnlyHosting, State

PAUSE_SECONDS, LONGEST_PAUSE = 0.5, 10.0


def ours(hosting: ReadOnlyHosting, plan: Plan, run: str) -> Deployment | None:
    """Return the newest deployment of this work, a failed one only where there is no other.

    Where a deployment keeps no mark: one of this commit that is newer than the newest when it was planned. Whoever
    asked for it, it is what was approved.
    """
    listed = [one for one in hosting.deployments() if one.commit == plan.fingerprint["commit"]]
    if hosting.signs:
        mine = [one for one in listed if one.mark == run]
    else:
        since = plan.fingerprint["newest"]
        mine = [one for one in listed if since is None or one.created > datetime.fromisoformat(str(since))]
    return next((one for one in mine if one.state is not State.FAILED), mine[0] if mine else None)


def newest(hosting: ReadOnlyHosting) -> str | None:
    """Return when the newest deployment for production was made."""
    listed = hosting.deployments()
    return listed[0].created.isoformat() if listed else None


def of_this_commit(made: Deployment, commit: str) -> None:
    """Raise StepFailed where a deployment is of another commit, or not for production."""
    if made.commit != commit:
        raise StepFailed(
            f"{made.id} is built from {made.commit}, not from {commit}: the branch moved.",
            "If it went live: runbooks/roll-back-deployment. Then plan again.",
        )
    if not made.production:
        raise StepFailed(f"{made.id} is no deployment for production.", "Name the hoster's production branch.")


def built(hosting: ReadOnlyHosting, id: str, seconds: float, progress: Progress) -> Deployment:
    """Return the deployment once it is built, or failed; raises StepFailed when that takes longer than ``seconds``."""
    began, pause = time.monotonic(), PAUSE_SECONDS
    while (one := hosting.deployment(id)).state is State.BUILDING:
        waited = time.monotonic() - began
        if waited > seconds:
            raise StepFailed(f"{id} is {one.word} after {seconds:g} s.", "See its build log; then resume the run.")
        progress(f"{hosting.hoster} builds {id} ({one.word})", waited, seconds)
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.3)
    return one
