"""What breaks in the lab's cluster: pods that do not stay up, and nodes without room."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from opslib.lab.broken import Fault
from opslib.lab.doors import Doors
from opslib.model import Verdict
from opslib.settings import Settings

GOOD, BAD = "valuecanvas/api-server:1.4.2", "valuecanvas/api-server:1.4.3"
RECOVER = "disaster/recover-everything"


def crash(settings: Settings) -> None:
    """Let the API's pods crash again and again."""
    _put(settings, {"api-server": "CrashLoopBackOff"})


def lose_image(settings: Settings) -> None:
    """Let the worker's image be gone from its registry, and its pods have to start anew."""
    _put(settings, {"llm-worker": "ImagePullBackOff"})


def hang(settings: Settings) -> None:
    """Let one of the API's pods run and never be ready again."""
    doors = Doors(settings, cluster=True)
    state = doors.state()["kubernetes"]
    pods = state["objects"]["pods"].values()
    names = sorted(one["metadata"]["name"] for one in pods if one["metadata"]["labels"].get("app") == "api-server")
    doors.put(kubernetes={**state, "ailing": {**state["ailing"], names[0]: "hangs"}})


def roll_out(settings: Settings) -> None:
    """Give the API an image that cannot be pulled: the rollout stops at its first pod, the old ones serve."""
    doors = Doors(settings, cluster=True)
    # First: the cluster goes on by itself, and the first pod must not be ready before it is ill.
    doors.put(kubernetes={**doors.state()["kubernetes"], "ailing": {BAD: "ImagePullBackOff"}})
    _image(settings, BAD)


def take_back(settings: Settings) -> None:
    """Give it the image of before again."""
    _image(settings, GOOD)
    _put(settings, {})


def _image(settings: Settings, image: str) -> None:
    def change(spec: dict[str, Any]) -> None:
        spec["template"]["spec"]["containers"][0]["image"] = image

    _change(settings, change)


def scale_to_zero(settings: Settings) -> None:
    """Let nobody serve the API: at 0 replicas its autoscaler is off."""
    _change(settings, lambda spec: spec.update(replicas=0))


def scale_back(settings: Settings) -> None:
    """Let two replicas serve again."""
    _change(settings, lambda spec: spec.update(replicas=max(2, spec["replicas"])))


def _change(settings: Settings, change: Callable[[dict[str, Any]], None]) -> None:
    doors = Doors(settings, cluster=True)
    state = doors.state()["kubernetes"]
    one = state["objects"]["deployments"]["production/api-server"]
    before = json.dumps(one["spec"])
    change(one["spec"])
    if json.dumps(one["spec"]) != before:
        one["metadata"]["generation"] += 1
        doors.put(kubernetes=state)


def _put(settings: Settings, ailing: dict[str, str]) -> None:
    doors = Doors(settings, cluster=True)
    state = doors.state()["kubernetes"]
    anew, pods = {*ailing, *state["ailing"]}, state["objects"]["pods"]
    kept = {name: pod for name, pod in pods.items() if pod["metadata"].get("labels", {}).get("app") not in anew}
    doors.put(kubernetes={**state, "ailing": ailing, "objects": {**state["objects"], "pods": kept}})


def recover(settings: Settings) -> None:
    """Let no pod be ill; new ones take the place of those that were."""
    _put(settings, {})


FAULTS = (
    Fault(
        "api-crashes",
        "cluster",
        "The API's pods crash again and again.",
        "cluster-pods",
        "runbooks/roll-back-deployment",
        crash,
        recover,
    ),
    Fault(
        "image-gone",
        "cluster",
        "The worker's image cannot be pulled.",
        "cluster-pods",
        "runbooks/force-full-deployment",
        lose_image,
        recover,
    ),
    Fault(
        "replica-hangs",
        "cluster",
        "One of the API's pods runs and is not ready.",
        "cluster-pods",
        RECOVER,
        hang,
        recover,
        verdict=Verdict.WARNING,
    ),
    Fault(
        "rollout-stuck",
        "cluster",
        "The API's newest image cannot be pulled: its rollout stands still, and the pods of before serve.",
        "cluster-pods",
        RECOVER,
        roll_out,
        take_back,
    ),
    Fault(
        "api-at-zero",
        "cluster",
        "Somebody scaled the API to 0: nobody serves, and its autoscaler is off.",
        "cluster-autoscalers",
        RECOVER,
        scale_to_zero,
        scale_back,
    ),
)
