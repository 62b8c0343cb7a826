"""What production may go back to, by rule: pure functions on what a hoster says of its deployments."""

from __future__ import annotations

from collections.abc import Iterable

from opslib.systems.hosting import Deployment, State


def obstacle(one: Deployment, live: str | None) -> str:
    """Return why production cannot go back to ``one``, or nothing."""
    if one.id == live:
        return "is live already"
    if one.state is State.GONE:
        return "was deleted (retention)"
    if one.state is not State.READY:
        return f"is not ready ({one.word})"
    if not one.production:
        return "was not built for production"
    if not one.served:
        return "was never live, so nobody has seen it work in production"
    if one.allowed is False:
        return "is none that the hoster goes back to (on the hobby plan only the previous one is)"
    return ""


def previous(every: Iterable[Deployment], live: str | None) -> Deployment | None:
    """Return the newest deployment, older than the live one, that production can go back to."""
    listed = list(every)
    here = next((one for one in listed if one.id == live), None)
    older = [one for one in listed if (here is None or one.created < here.created) and not obstacle(one, live)]
    return max(older, key=lambda one: one.created, default=None)
