"""What breaks in the lab's cluster: pods that do not stay up, and nodes without room."""

from __future__ import annotations

from opslib.lab.broken import Fault
from opslib.lab.doors import Doors
from opslib.settings import Settings


def crash(settings: Settings) -> None:
    """Let the API's pods crash again and again."""
    _put(settings, {"api-server": "CrashLoopBackOff"})


def lose_image(settings: Settings) -> None:
    """Let the worker's image be gone from its registry, and its pods have to start anew."""
    _put(settings, {"llm-worker": "ImagePullBackOff"})


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
)
