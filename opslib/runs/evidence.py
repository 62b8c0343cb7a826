"""Evidence and plans read back from plain JSON, as they come over the executor's line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opslib.model import Effect, Evidence, Plan, Repeat, StepStatus, Verdict, Verification


def plan_of(said: Mapping[str, Any]) -> Plan:
    """Return the plan that ``said`` (canonical.to_json of a Plan) describes."""
    return Plan(
        **{
            **said,
            "effect": Effect(said["effect"]),
            "repeat": Repeat(said["repeat"]),
            "items": tuple(said["items"]),
            "unknown": tuple(said["unknown"]),
        }
    )


def evidence_of(said: Mapping[str, Any]) -> Evidence:
    """Return the evidence that ``said`` (canonical.to_json of an Evidence) describes."""
    return Evidence(
        action=said["action"],
        title=said["title"],
        status=StepStatus(said["status"]),
        plan=plan_of(said["plan"]),
        values=said["values"],
        verification=verification_of(said.get("verification")),
        seconds=said["seconds"],
    )


def verification_of(said: Mapping[str, Any] | None) -> Verification | None:
    """Return the verification that ``said`` (canonical.to_json of a Verification) describes; None for nothing."""
    return Verification(Verdict(said["verdict"]), said["summary"], tuple(said["rows"])) if said else None
