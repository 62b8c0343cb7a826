"""What a drill or a game day breaks, service by service, and how a person does the same where there is no lab. Data.

In the words of chaos engineering: the steady state is :data:`opslib.checks.triage_steady.STEADY`, the method is the
fault, and the rollback is what takes it back where the recovery has not.
"""

from __future__ import annotations

from dataclasses import dataclass

from opslib.guide.promises import Service


@dataclass(frozen=True)
class Line:
    """One service: the lab's fault, the runbook that recovers it, and for people the same by hand and its way back."""

    fault: str
    notebook: str
    elsewhere: str
    back: str


LINES: dict[Service, Line] = {
    "database": Line(
        "primary-killed",
        "disaster/recover-database",
        "switch the primary's machine off; never both servers",
        "start it again: fenced, it comes back as a standby",
    ),
    "application": Line(
        "api-at-zero",
        "disaster/recover-everything",
        "scale the API's autoscaler and deployment to nought",
        "set the numbers back that you wrote down before",
    ),
    "llm": Line(
        "breakers-stay-open",
        "disaster/recover-llm",
        "keep one replica from the first provider by a network policy until its breaker is open",
        "delete that policy",
    ),
    "cache": Line(
        "cache-overgrown",
        "runbooks/maintain-cache",
        "write keys of a family of your own until the memory's limit is near",
        "delete that family",
    ),
    "frontend": Line(
        "deployment-incomplete",
        "runbooks/roll-back-deployment",
        "point production at a deployment of which a file was left out",
        "point it at the deployment before",
    ),
}
