"""What breaks in the lab's cluster: pods that do not stay up, and nodes without room."""

from __future__ import annotations

from typing import Any

from opslib.lab.broken import Fault
from opslib.lab.broken.revision import BAD, change_api, place, taken_back
from opslib.lab.doors import Doors
from opslib.model import Verdict
from opslib.settings import Settings

RECOVER = "disaster/recover-everything"


def crash(settings: Settings, name: str = "", image: str = BAD) -> None:
    """Give a deployment, the API's unless named, an image that crashes as it starts; the pods of before are gone."""
    doors, label = Doors(settings, cluster=True), name or settings.api_deployment
    state = doors.state()["kubernetes"]
    objects = state["objects"]
    one = objects["deployments"][place(settings, label)]
    container = one["spec"]["template"]["spec"]["containers"][0]
    if container["image"] == image:
        return
    container["image"] = image
    one["metadata"]["generation"] += 1
    objects["pods"] = {n: p for n, p in objects["pods"].items() if p["metadata"].get("labels", {}).get("app") != label}
    # All at once: the cluster goes on by itself, and no pod of the image must be ready before it is ill.
    doors.put(kubernetes={**state, "ailing": {image: "CrashLoopBackOff"}})


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
    _put(settings, {})
    taken_back(settings)


def _image(settings: Settings, image: str) -> None:
    def change(spec: dict[str, Any]) -> None:
        spec["template"]["spec"]["containers"][0]["image"] = image

    change_api(settings, change)


def scale_to_zero(settings: Settings) -> None:
    """Let nobody serve the API: at 0 replicas its autoscaler is off."""
    change_api(settings, lambda spec: spec.update(replicas=0))


def scale_back(settings: Settings) -> None:
    """Let two replicas serve again."""
    change_api(settings, lambda spec: spec.update(replicas=max(2, spec["replicas"])))


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
        "The API's newest image crashes as it starts: none of its pods stays up.",
        "cluster-pods",
        RECOVER,
        crash,
        take_back,
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
