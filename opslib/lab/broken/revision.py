"""What a new revision of the lab's API brings with it: it is rolled out, and gone with the revision before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from opslib.lab.application_front import REVISION
from opslib.lab.doors import Doors
from opslib.lab.processes import LabError
from opslib.settings import Settings

GOOD, BAD = "valuecanvas/api-server:1.4.2", "valuecanvas/api-server:1.4.3"
LONGEST_SECONDS, PAUSE_SECONDS = 40.0, 0.1
COUNTED = ("replicas", "updatedReplicas", "availableReplicas")


def place(settings: Settings, name: str) -> str:
    """Return where the cluster keeps a deployment: who watches has a namespace of its own."""
    watching = name in (settings.prometheus_deployment, settings.grafana_deployment)
    return f"{settings.observability_namespace if watching else settings.kubernetes_namespace}/{name}"


def change_api(settings: Settings, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the spec of the API's deployment, as whoever deploys it does; nothing where that is so already."""
    change_spec(settings, settings.api_deployment, change)


def change_spec(settings: Settings, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the spec of a deployment; nothing where that is so already."""
    doors = Doors(settings, cluster=True)
    state = doors.state()["kubernetes"]
    one = state["objects"]["deployments"][place(settings, name)]
    before = json.dumps(one["spec"])
    change(one["spec"])
    if json.dumps(one["spec"]) != before:
        one["metadata"]["generation"] += 1
        doors.put(kubernetes=state)


def roll_out(settings: Settings, change: Callable[[dict[str, Any]], None], name: str = "") -> None:
    """Change it, and wait until its pods are those of the new template alone; raises LabError where that takes long.

    ``name`` is the deployment's, the API's unless said otherwise.
    """
    change_spec(settings, name or settings.api_deployment, change)
    until, key = time.monotonic() + LONGEST_SECONDS, place(settings, name or settings.api_deployment)
    while True:
        one = Doors(settings, cluster=True).state()["kubernetes"]["objects"]["deployments"][key]
        said = one.get("status", {})
        seen = said.get("observedGeneration") == one["metadata"]["generation"]
        if seen and {said.get(name, 0) for name in COUNTED} == {one["spec"]["replicas"]}:
            return
        if time.monotonic() > until:
            raise LabError(f"The rollout of {key} in the lab does not end.", "Look at its pods: diagnostics/cluster.")
        time.sleep(PAUSE_SECONDS)


def released(worker: bool = False, **said: Any) -> Callable[[Settings], None]:
    """Return what rolls out a revision of the API whose answers are otherwise (:mod:`opslib.lab.application_front`).

    Or of the ``worker``, whose steps are otherwise (:mod:`opslib.lab.broken.at_work`).
    """
    more = [{"name": REVISION, "value": json.dumps(said, sort_keys=True)}]

    def make(settings: Settings) -> None:
        name, images = _of(settings, worker)
        roll_out(settings, lambda spec: _set(spec, images[1], more), name)

    return make


def _of(settings: Settings, worker: bool) -> tuple[str, tuple[str, str]]:
    if worker:
        return settings.worker_deployment, ("valuecanvas/llm-worker:1.4.2", "valuecanvas/llm-worker:1.4.3")
    return settings.api_deployment, (GOOD, BAD)


def taken_back(settings: Settings, worker: bool = False) -> None:
    """Roll out the revision before it."""
    name, images = _of(settings, worker)
    roll_out(settings, lambda spec: _set(spec, images[0], []), name)


def _set(spec: dict[str, Any], image: str, more: list[dict[str, str]]) -> None:
    container = spec["template"]["spec"]["containers"][0]
    others = [one for one in container.get("env", ()) if one["name"] != REVISION]
    container["image"] = image
    # Without any variable it has no list either, as before: a patch that adds to a list fails where there is none.
    container.pop("env", None)
    if others or more:
        container["env"] = [*others, *more]
