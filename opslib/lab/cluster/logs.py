"""The lines of a container, as far as the stand-in's node has kept them.

Source: Kubernetes API reference, "read log of the specified Pod"; the kubelet keeps the newest file of a container
that runs, and that of its last end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from opslib.lab.cluster.kinds import Object, moment, stamp
from opslib.lab.vendors.stand_in import Refusal

MOST_LINES = 200_000
KINDS_OF_CONTAINER = ("containers", "initContainers", "ephemeralContainers")
STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


def log(state: dict[str, Any], pod: Object, asked: Mapping[str, str], now: float) -> str:
    """Return the lines of one container; raises Refusal as the API does."""
    if "sinceSeconds" in asked and "sinceTime" in asked:
        raise Refusal(422, "PodLogOptions is invalid: at most one of `sinceTime` or `sinceSeconds` may be specified")
    name, app = pod["metadata"]["name"], pod["metadata"].get("labels", {}).get("app", "")
    begin, end = _span(state, pod, asked, now)
    # The node keeps the newest lines only, whatever is asked for.
    begin = max(begin, now - float(state["log_kept_seconds"]))
    if "sinceSeconds" in asked:
        begin = max(begin, now - int(asked["sinceSeconds"]))
    if "sinceTime" in asked:
        begin = max(begin, moment(asked["sinceTime"]))
    every = float(state["log_seconds"])
    first, last = -int(-begin // every), int(end // every)
    if "tailLines" in asked:
        first = max(first, last + 1 - int(asked["tailLines"]))
    numbers = range(max(first, last + 1 - MOST_LINES), last + 1)
    extra = state.get("log_says", {}).get(app)
    text = "".join(_lines(numbers, every, name, extra, asked.get("timestamps") == "true"))
    return text[: int(asked["limitBytes"])] if "limitBytes" in asked else text


def _span(state: dict[str, Any], pod: Object, asked: Mapping[str, str], now: float) -> tuple[float, float]:
    """Return since when and until when the container that is meant has written."""
    name = pod["metadata"]["name"]
    every = [one["name"] for kind in KINDS_OF_CONTAINER for one in pod["spec"].get(kind, ())]
    container, previous = asked.get("container") or every[0], asked.get("previous") == "true"
    if container not in every:
        raise Refusal(400, f"container {container} is not valid for pod {name}")
    statuses = [one for kind in STATUSES for one in pod["status"].get(kind, ())]
    known = next((one for one in statuses if one["name"] == container), None)
    ended = ((known or {}).get("lastState") or {}).get("terminated")
    if previous and (ended is None or pod["metadata"].get("labels", {}).get("app") in state.get("log_lost", ())):
        raise Refusal(400, f'previous terminated container "{container}" in pod "{name}" not found')
    running = ((known or {}).get("state") or {}).get("running")
    if running and not previous:
        return moment(running["startedAt"]), now
    ended = ((known or {}).get("state") or {}).get("terminated") or ended
    if not ended:
        raise Refusal(400, f'container "{container}" in pod "{name}" is waiting to start: ContainerCreating')
    return moment(ended["startedAt"]), moment(ended["finishedAt"])


def _lines(numbers: range, every: float, pod: str, extra: str | None, timestamps: bool) -> Iterator[str]:
    for number in numbers:
        path = ("/health", "/api/llm/chat", "/api/billing")[number % 3]
        said = {"level": "warn" if number % 60 == 0 else "info", "pod": pod, "path": path, "status": 200, "n": number}
        said |= {"ip": f"198.51.100.{number % 5 + 1}", "userId": f"user-{number % 7}", "sessionId": f"s-{number % 9}"}
        text = json.dumps(said | ({"said": extra} if extra else {}))
        at = number * every
        moment_ = f"{stamp(at)[:-1]}.{int(at % 1 * 1e9):09d}Z "
        yield f"{moment_ if timestamps else ''}{text}\n"
