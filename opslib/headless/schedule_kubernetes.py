"""Schedules as CronJobs of Kubernetes, only printed: whoever owns the cluster reads and applies them.

One pod per due time, never two at once, never begun again. Pods share the archive's volume, which must know links and
locks between machines (NFS 4 does): claims are made by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import yaml

from opslib.headless import schedule_times
from opslib.headless.schedule_callers import TELL, TELL_MINUTES
from opslib.headless.schedule_table import Schedule

ARCHIVE = "/srv/archive"
LEAST_SECONDS = 60


def manifests(schedules: Sequence[Schedule], image: str) -> str:
    """Return the manifests as YAML documents. The target's description comes from a Secret named in them."""
    jobs = [
        _job(
            one.name,
            ("schedule", "run", one.name),
            one.environment,
            image,
            expression(one.cron),
            one.zone,
            one.catch_up,
        )
        for one in schedules
    ]
    # A pod has the description of one target.
    for target in sorted({one.environment for one in schedules if one.tell}):
        called, every = (*TELL, "--environment", target), timedelta(minutes=TELL_MINUTES)
        jobs.append(_job(f"tell-{target}", called, target, image, f"*/{TELL_MINUTES} * * * *", "UTC", every))
    return yaml.safe_dump_all(jobs, sort_keys=False, explicit_start=True)


def expression(cron: str) -> str:
    """Return an expression as Kubernetes takes it: there Sunday is 0 and never 7."""
    *others, weekdays = cron.split()
    if "7" in weekdays:
        weekdays = ",".join(str(day) for day in sorted(schedule_times.fields(cron).weekdays))
    return " ".join([*others, weekdays])


def _job(
    name: str, called: Sequence[str], environment: str, image: str, cron: str, zone: str, late: timedelta
) -> dict[str, Any]:
    container = {
        "name": "ops",
        "image": image,
        "args": ["ops", *called],
        "env": [{"name": "OPS_ARCHIVE", "value": ARCHIVE}],
        "envFrom": [{"secretRef": {"name": f"ops-{environment}"}}],
        "volumeMounts": [{"name": "archive", "mountPath": ARCHIVE}],
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "containers": [container],
        "volumes": [{"name": "archive", "persistentVolumeClaim": {"claimName": "ops-archive"}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": f"ops-{name}"},
        "spec": {
            "schedule": cron,
            "timeZone": zone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": max(int(late.total_seconds()), LEAST_SECONDS),
            "jobTemplate": {"spec": {"backoffLimit": 0, "template": {"spec": pod}}},
        },
    }
