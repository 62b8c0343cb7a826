"""For tests of rotated keys: what a person does in a dashboard, and what the lab's pods run with."""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.request
from typing import Any

from opslib.lab.vendors.provider_keys import kept
from opslib.lab.vendors.supabase_keys import digest as hash_of
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


class ProjectKeys(Dashboard):
    """What people do and see of the API keys of the Supabase project."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings, "supabase")

    def add(self, name: str, value: str, **said: Any) -> None:
        """Make a secret key."""
        known = {"hash": hash_of(value), "prefix": value[:16], "description": None}
        self._put({**self.keys, name: {"type": "secret", "name": name, **known, "made": time.time(), **said}})

    def revoke(self, name: str) -> None:
        """Delete the secret keys of that name."""
        self._put({key: one for key, one in self.keys.items() if (one["type"], one["name"]) != ("secret", name)})

    def accounts(self) -> list[str]:
        """Return the names of the secret keys."""
        return sorted(one["name"] for one in self.keys.values() if one["type"] == "secret")

    @property
    def keys(self) -> dict[str, Any]:
        """The project's keys of today's form, by id."""
        return dict(self.state["api_keys"])

    def _put(self, keys: dict[str, Any]) -> None:
        self.doors.put(supabase={**self.state, "api_keys": keys})


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

    def mount(self, name: str, **values: str) -> None:
        """Let somebody else make a secret, and the pod of a stateful set have it as files."""
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        self.doors.make("secrets", name, {})
        state = self.doors.cluster()
        state["objects"]["secrets"][f"{NAMESPACE}/{name}"]["data"] = data
        pod = next(one for key, one in state["objects"]["pods"].items() if key == f"{NAMESPACE}/redis-0")
        pod["spec"]["volumes"] = [{"name": "kept", "projected": {"sources": [{"secret": {"name": name}}]}}]
        self.doors.put(kubernetes=state)
