"""Whether the logs of pods were preserved whole: what is missing is never green."""

from __future__ import annotations

from typing import Any

from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import security as probes
from opslib.probes.security_logs import Of


def pod_logs(of: Of, logs: Any, megabytes: int) -> Check:
    """Return the check that every log of every pod ``of`` the deployments was preserved whole.

    ``logs`` is the value of the step that preserved them, ``megabytes`` how much it might write. Missing is UNKNOWN;
    what Kubernetes has not kept, or may not have, is a WARNING, and so is that nothing was to be preserved.
    """

    def judge(reading: Reading) -> Judgement:
        if not megabytes:
            return Judgement(Verdict.WARNING, "No log was preserved, as was asked for.")
        if not reading.rows:
            return Judgement(Verdict.UNKNOWN, "There was no pod, so there is no log.", 0)
        gaps = tuple(row for row in reading.rows if row["gap"])
        limits = tuple(row for row in reading.rows if row["limit"] and not row["gap"])
        lines = sum(row["lines"] for row in reading.rows)
        if gaps:
            said = f"{len(gaps)} of {len(reading.rows)} logs are not whole: {_named(gaps[0], 'gap')}"
            return Judgement(Verdict.UNKNOWN, f"{said}.", len(gaps), gaps + limits)
        if limits:
            said = f"{lines} lines; {len(limits)} of {len(reading.rows)} logs may lack something: "
            return Judgement(Verdict.WARNING, f"{said}{_named(limits[0], 'limit')}.", len(limits), limits)
        return Judgement(Verdict.OK, f"{len(reading.rows)} logs are whole, {lines} lines.", 0, reading.rows[:20])

    return Check(
        name="incident-pod-logs",
        title="The pods' logs are preserved whole",
        probe=probes.pod_logs(of, logs, megabytes),
        judge=judge,
        remedy=(
            "Look in the log store for what is missing: a node hands out the newest file only, by default 10 MiB. Too "
            "much for the bound: run again with more log_megabytes or fewer log_hours. Broke off: run again, at once."
        ),
        items=("RUN-SEC-05",),
    )


def _named(row: Any, what: str) -> str:
    return " ".join(str(row[key]) for key in ("pod", "container") if row[key]) + f": {row[what]}"
