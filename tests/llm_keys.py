"""For tests of the providers' keys: what a person does in a provider's dashboard, and what the lab's pods run with."""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.request
from typing import Any

from opslib.lab.vendors.provider_keys import kept
from tests.kubernetes import NAMESPACE, ClusterDoors
from tests.vendors import Doors


class Dashboard:
    """What people do and see at a provider."""

    def __init__(self, settings: Any, provider: str) -> None:
        self.doors, self.provider = Doors(settings), provider

    @property
    def state(self) -> dict[str, Any]:
        """All that the stand-in remembers."""
        found: dict[str, Any] = self.doors.state()[self.provider]
        return found

    def add(self, name: str, value: str, **said: Any) -> None:
        """Make a key."""
        state = self.state
        state["keys"][name] = kept(value, name=name, created=int(time.time()), user="user_ann") | said
        self.doors.put(**{self.provider: state})

    def revoke(self, name: str) -> None:
        """Revoke a key."""
        state = self.state
        del state["keys"][name]
        self.doors.put(**{self.provider: state})

    def accounts(self) -> list[str]:
        """Return the names of the service accounts."""
        return sorted(one["name"] for one in self.state["accounts"].values())

    def calls(self, method: str = "", path: str = "") -> list[dict[str, Any]]:
        """Return the latest calls."""
        found = self.doors.calls(self.provider)
        return [call for call in found if call["method"] == (method or call["method"]) and path in call["path"]]


class Pods:
    """The lab's secret of the cluster, and what pods were started with."""

    def __init__(self, settings: Any) -> None:
        self.doors = ClusterDoors(settings)
        self._url, self._name = settings.kubernetes_url, f"{NAMESPACE}/{settings.kubernetes_secret}"
        self._trusted = ssl.create_default_context(cafile=settings.kubernetes_ca)

    def started_with(self, variable: str, app: str = "api-server") -> list[str]:
        """Return what each ready pod was started with."""
        url = f"{self._url}/_lab/environment?app={app}"
        with urllib.request.urlopen(url, timeout=20, context=self._trusted) as answer:
            return [pod.get(variable, "") for pod in json.load(answer)["pods"]]

    def held(self) -> dict[str, str]:
        """Return what the secret holds."""
        data = self.doors.cluster()["objects"]["secrets"][self._name]["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def hold(self, **values: str | None) -> None:
        """Let somebody else set keys of the secret; None removes one."""
        state = self.doors.cluster()
        one = state["objects"]["secrets"][self._name]
        for key, value in values.items():
            one["data"].pop(key, None)
            if value is not None:
                one["data"][key] = base64.b64encode(value.encode()).decode()
        state["version"] += 1
        one["metadata"]["resourceVersion"] = str(state["version"])
        self.doors.put(kubernetes=state)
