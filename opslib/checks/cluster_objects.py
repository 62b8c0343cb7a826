"""Checks of what the guide's commands name in the cluster, of its warnings, and of the images that run."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import cluster_objects as probes

WARNINGS = threshold("cluster-warnings")


def _judge_named(reading: Reading) -> Judgement:
    missing = [row["what"] for row in reading.rows if not row["there"]]
    blind = [
        f"{row['what']} chooses its pods by app={row['label']}, not by its own name"
        for row in reading.rows
        if row["there"] and row["pods"] == 0
    ]
    if missing or blind:
        absent = [f"{what} is not there" for what in missing]
        return Judgement(Verdict.CRITICAL, f"{'; '.join([*absent, *blind])}.", len(absent) + len(blind), reading.rows)
    return Judgement(Verdict.OK, "All that the guide's commands name is there.", 0, reading.rows)


named = Check(
    name="cluster-named",
    title="What the guide's commands name is there",
    probe=probes.named,
    judge=_judge_named,
    remedy=(
        "The product's own manifests name other deployments (backend, valuecanvas-api): say which are yours in "
        "OPS_API_DEPLOYMENT and OPS_WORKER_DEPLOYMENT. No metrics-server: autoscalers are blind without it; install it."
    ),
    items=("IMP-OBJ-01", "IMP-OBJ-02", "IMP-OBJ-03"),
)
"""CRITICAL where a deployment is missing, its label chooses nothing, or nobody measures."""


def warnings(minutes: float = 60.0) -> Check:
    """Return the check that the cluster warned of nothing again and again within the last ``minutes``."""

    def judge(reading: Reading) -> Judgement:
        if not reading.rows:
            said = f"No warning within {minutes:g} minutes (the cluster keeps them for about an hour)."
            return Judgement(Verdict.OK, said, 0)
        worst = max(reading.rows, key=lambda row: row["count"])
        said = f"{worst['about']}: {worst['reason']}, {worst['count']} times; {worst['message']}"
        more = f" {len(reading.rows) - 1} more kinds of warnings." if len(reading.rows) > 1 else ""
        return Judgement(WARNINGS.judge(worst["count"]), f"{said}.{more}", worst["count"], reading.rows)

    return Check(
        name="cluster-warnings",
        title="The cluster does not warn again and again",
        probe=probes.warnings(minutes),
        judge=judge,
        remedy=(
            "BackOff: the container's own log says why (kubectl logs --previous). FailedScheduling: nodes are full, "
            "runbooks/scale-for-high-traffic shows the room. Failed pull: runbooks/force-full-deployment builds the "
            "image again. Write down what is here: it is gone in an hour."
        ),
        threshold=WARNINGS,
    )


def _judge_images(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.UNKNOWN, "There is no deployment.", None)
    found = [f"{row['deployment']} runs {row['others']} beside {row['image']}" for row in reading.rows if row["others"]]
    found += [
        f"{row['image']} of {row['deployment']} is {row['digests']} different images"
        for row in reading.rows
        if row["digests"] > 1
    ]
    if found:
        return Judgement(Verdict.WARNING, f"{'; '.join(found)}.", len(found), reading.rows)
    return Judgement(Verdict.OK, f"{len(reading.rows)} containers run the one image that they should.", 0, reading.rows)


images = Check(
    name="cluster-images",
    title="Pods run the image that their deployment names",
    probe=probes.images,
    judge=_judge_images,
    remedy=(
        "While a rollout is under way two images are right: look again. One name with several images: its tag was "
        "moved, and pods that start from now on are others than those that run; deploy by digest, or by a tag of its "
        "own (runbooks/force-full-deployment)."
    ),
)
"""WARNING for another image than the deployment's, or for one name that is several images."""
