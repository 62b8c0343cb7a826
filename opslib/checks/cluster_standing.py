"""The check of one of the guide's deployments: whether anybody serves, and whether its template lets pods start."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import cluster_standing as probes
from opslib.probes.cluster_standing import Recovered

TITLES: dict[Recovered, str] = {
    "api": "The API's replicas are there",
    "worker": "The LLM workers are there",
    "prometheus": "Prometheus is there",
    "grafana": "Grafana is there",
}


def standing(which: Recovered) -> Check:
    """Return the check of one deployment: the API's, the workers', or one of who watches them.

    CRITICAL where nobody serves, or where the newest template lets no pod start; WARNING where a pod is not ready.
    """
    return Check(
        name=f"cluster-standing-{which}",
        title=TITLES[which],
        probe=probes.standing(which),
        judge=_judge,
        remedy=(
            f"disaster/recover-everything with services={which}: from 0 to its least, back to the template of before, "
            "or one wedged pod replaced. Pods without a node: runbooks/scale-for-high-traffic."
        ),
    )


def _judge(reading: Reading) -> Judgement:
    row = reading.row
    said = f"{row['available']} of {row['wanted']} replicas of {row['deployment']} are available"
    if row["wanted"] == 0:
        return Judgement(Verdict.CRITICAL, f"{row['deployment']} is scaled to 0: nobody serves.", 0, reading.rows)
    late = f": {row['not_ready']}" if row["not_ready"] else ""
    if row["template_is_broken"]:
        said += f", and revision {row['revision']} ({row['images']}) lets no pod start"
        return Judgement(Verdict.CRITICAL, f"{said}{late}.", row["available"], reading.rows)
    if not row["available"]:
        return Judgement(Verdict.CRITICAL, f"{said}{late}.", 0, reading.rows)
    verdict = Verdict.WARNING if row["available"] < row["wanted"] or late else Verdict.OK
    return Judgement(verdict, f"{said}{late}.", row["available"], reading.rows)
