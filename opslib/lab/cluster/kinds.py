"""The kinds of object that the stand-in keeps, and how they are named in addresses and answers.

Source: Kubernetes API description (paths of the groups core, apps, autoscaling, policy, networking.k8s.io).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]
"""An object as the API has it."""


@dataclass(frozen=True)
class Kind:
    """One kind: ``plural`` stands in addresses, ``kind`` in objects."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Group and version as objects say them."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """What stands before namespaces and names in addresses."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def resource(self) -> str:
        """The name in messages: ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


KINDS: dict[str, Kind] = {
    kind.plural: kind
    for kind in (
        Kind("namespaces", "Namespace", namespaced=False),
        Kind("nodes", "Node", namespaced=False),
        Kind("pods", "Pod"),
        Kind("events", "Event"),
        Kind("resourcequotas", "ResourceQuota"),
        Kind("secrets", "Secret"),
        Kind("configmaps", "ConfigMap"),
        Kind("services", "Service"),
        Kind("deployments", "Deployment", "apps"),
        Kind("replicasets", "ReplicaSet", "apps"),
        Kind("statefulsets", "StatefulSet", "apps"),
        Kind("horizontalpodautoscalers", "HorizontalPodAutoscaler", "autoscaling", "v2"),
        Kind("poddisruptionbudgets", "PodDisruptionBudget", "policy"),
        Kind("networkpolicies", "NetworkPolicy", "networking.k8s.io"),
        Kind("ingresses", "Ingress", "networking.k8s.io"),
    )
}
"""Every kind, by its plural: no two groups share one here."""

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


def status(code: int, message: str, reason: str = "") -> Object:
    """Return an error as the API words it."""
    said = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return {**said, "reason": reason or REASONS.get(code, "Unknown"), "code": code}


def stamp(moment: float) -> str:
    """Return a moment as objects say it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> float:
    """Return the seconds since the epoch of what :func:`stamp` wrote."""
    return datetime.fromisoformat(text).timestamp()
