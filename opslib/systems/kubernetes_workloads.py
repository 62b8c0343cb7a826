"""What is used of Kubernetes' deployments, autoscalers, budgets and quotas, and of what is measured.

Source: Kubernetes API description (apps/v1, autoscaling/v2, policy/v1, core/v1, metrics.k8s.io/v1beta1).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from opslib.systems.kubernetes_shapes import Amounts, Condition, Labels, Part, PodSpec, Selector, Thing


class _TemplateMeta(Part):
    labels: Labels = Field({})


class _Template(Part):
    meta: _TemplateMeta = Field(_TemplateMeta(), alias="metadata")
    spec: PodSpec


class _Strategy(Part):
    type: str = "RollingUpdate"


class _DeploymentSpec(Part):
    replicas: int = 1
    paused: bool = False
    selector: Selector
    strategy: _Strategy = _Strategy()
    template: _Template


class _DeploymentStatus(Part):
    observed: int = Field(0, alias="observedGeneration")
    replicas: int = 0
    updated: int = Field(0, alias="updatedReplicas")
    ready: int = Field(0, alias="readyReplicas")
    available: int = Field(0, alias="availableReplicas")
    conditions: tuple[Condition, ...] = ()


class Deployment(Thing):
    """A deployment."""

    spec: _DeploymentSpec
    status: _DeploymentStatus = _DeploymentStatus()

    @property
    def done(self) -> bool:
        """Whether its rollout is over: seen by the controller, and every replica new and available."""
        said = self.status
        same = said.updated == said.replicas == said.available == self.spec.replicas
        return said.observed >= self.meta.generation and same


class _About(Part):
    kind: str = ""
    name: str = ""


class _Series(Part):
    count: int = 1
    last: datetime | None = Field(None, alias="lastObservedTime")


class Event(Part):
    """What the cluster tells of an object; it is kept for an hour. ``last`` is None where nobody says when."""

    about: _About = Field(_About(), alias="involvedObject")
    kind: str = Field("", alias="type")
    reason: str = ""
    message: str = ""
    counted: int = Field(1, alias="count")
    seen: datetime | None = Field(None, alias="lastTimestamp")
    began: datetime | None = Field(None, alias="eventTime")
    series: _Series | None = None

    @property
    def last(self) -> datetime | None:
        """When it was told last."""
        return (self.series.last if self.series else None) or self.seen or self.began

    @property
    def count(self) -> int:
        """How often it was told."""
        return self.series.count if self.series else self.counted


class _Ref(Part):
    kind: str
    name: str


class _AutoscalerSpec(Part):
    target: _Ref = Field(alias="scaleTargetRef")
    low: int = Field(1, alias="minReplicas")
    high: int = Field(alias="maxReplicas")
    metrics: tuple[dict[str, Any], ...] = ()


class _AutoscalerStatus(Part):
    current: int = Field(0, alias="currentReplicas")
    desired: int = Field(0, alias="desiredReplicas")
    metrics: tuple[dict[str, Any], ...] = Field((), alias="currentMetrics")
    conditions: tuple[Condition, ...] = ()


class Autoscaler(Thing):
    """A horizontal pod autoscaler."""

    spec: _AutoscalerSpec
    status: _AutoscalerStatus = _AutoscalerStatus()


class _BudgetSpec(Part):
    selector: Selector | None = None
    least: str | int | None = Field(None, alias="minAvailable")
    most: str | int | None = Field(None, alias="maxUnavailable")


class _BudgetStatus(Part):
    allowed: int = Field(0, alias="disruptionsAllowed")
    healthy: int = Field(0, alias="currentHealthy")
    wanted: int = Field(0, alias="desiredHealthy")


class Budget(Thing):
    """A PodDisruptionBudget."""

    spec: _BudgetSpec
    status: _BudgetStatus = _BudgetStatus()


class _QuotaSpec(Part):
    hard: Amounts = Field({})
    scopes: tuple[str, ...] = ()
    selector: dict[str, Any] | None = Field(None, alias="scopeSelector")


class _QuotaStatus(Part):
    hard: Amounts = Field({})
    used: Amounts = Field({})


class Quota(Thing):
    """A ResourceQuota."""

    spec: _QuotaSpec = _QuotaSpec()
    status: _QuotaStatus = _QuotaStatus()


class _MeasuredMeta(Part):
    name: str


class _Measured(Part):
    meta: _MeasuredMeta = Field(alias="metadata")
    at: datetime = Field(alias="timestamp")


class NodeUse(_Measured):
    """What a node uses now."""

    usage: Amounts


class _ContainerUse(Part):
    name: str
    usage: Amounts


class PodUse(_Measured):
    """What a pod's containers use now."""

    containers: tuple[_ContainerUse, ...]

    def sum(self, what: str) -> float:
        """Return what all of them use of ``what``."""
        return sum(one.usage.get(what, 0.0) for one in self.containers)


class Scale(Thing):
    """The number of replicas of something that can be scaled, by itself."""

    class _Spec(Part):
        replicas: int = 0

    spec: _Spec = _Spec()
