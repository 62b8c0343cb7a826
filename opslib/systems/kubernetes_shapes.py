"""What is used of Kubernetes' nodes and pods, with quantities as numbers (cores, bytes).

Source: Kubernetes API description (core/v1). What runs and bounds them: :mod:`opslib.systems.kubernetes_workloads`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from opslib.systems.api import Shape
from opslib.systems.kubernetes_quantities import quantity

Amount = Annotated[float, BeforeValidator(quantity)]
Amounts = dict[str, Amount]
Labels = dict[str, str]


class Part(Shape):
    """A part of an object; what is null counts as not said, and models are built at their first use."""

    model_config = ConfigDict(**Shape.model_config, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _said(cls, given: Any) -> Any:
        return {key: value for key, value in given.items() if value is not None} if isinstance(given, dict) else given


class Meta(Part):
    """What every object says of itself."""

    name: str
    namespace: str = ""
    uid: str
    version: str = Field(alias="resourceVersion")
    generation: int = 0
    created: datetime = Field(alias="creationTimestamp")
    going: datetime | None = Field(None, alias="deletionTimestamp")
    labels: Labels = Field({})
    annotations: Labels = Field({})


class Condition(Part):
    """A condition: ``status`` is True, False or Unknown, as text."""

    type: str
    status: str
    reason: str = ""
    message: str = ""


class Thing(Part):
    """An object of its own."""

    meta: Meta = Field(alias="metadata")

    @property
    def name(self) -> str:
        """Its name."""
        return self.meta.name


class Expression(Part):
    """A condition on one label."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()

    def fits(self, labels: Labels) -> bool:
        """Tell whether ``labels`` meet it; one that is not there is in no list, so ``NotIn`` holds."""
        if self.operator in ("Exists", "DoesNotExist"):
            return (self.key in labels) is (self.operator == "Exists")
        return (labels.get(self.key) in self.values) is (self.operator == "In")


class Selector(Part):
    """A label selector; ``expressions`` are its conditions that are more than equality. An empty one selects all."""

    labels: Labels = Field({}, alias="matchLabels")
    expressions: tuple[Expression, ...] = Field((), alias="matchExpressions")

    def fits(self, labels: Labels) -> bool:
        """Tell whether ``labels`` are selected."""
        same = all(labels.get(key) == value for key, value in self.labels.items())
        return same and all(one.fits(labels) for one in self.expressions)


class Resources(Part):
    """What a container asks for and may use at most."""

    requests: Amounts = Field({})
    limits: Amounts = Field({})


class EnvVar(Part):
    """An environment variable. ``source`` is where its value comes from, where it is not said here."""

    name: str
    value: str = Field("", repr=False)
    source: dict[str, Any] | None = Field(None, alias="valueFrom", repr=False)


class _HttpGet(Part):
    path: str = "/"


class PodProbe(Part):
    """What a node asks a container: an HTTP path (``get``), else a command or a port."""

    get: _HttpGet | None = Field(None, alias="httpGet")
    period: float = Field(10.0, alias="periodSeconds")
    failures: int = Field(3, alias="failureThreshold")

    @property
    def seconds(self) -> float:
        """For how long it fails before anything is done."""
        return self.period * self.failures


class Container(Part):
    """A container of a pod. ``restart`` is Always for one that runs beside the others though it starts first."""

    name: str
    image: str
    resources: Resources = Resources()
    restart: str = Field("", alias="restartPolicy")
    env: tuple[EnvVar, ...] = ()
    liveness: PodProbe | None = Field(None, alias="livenessProbe")
    readiness: PodProbe | None = Field(None, alias="readinessProbe")

    def variables(self, name: str) -> list[EnvVar]:
        """Return each entry of that name: a list that was added to carelessly has several, and the last one counts."""
        return [one for one in self.env if one.name == name]


class Taint(Part):
    """Why a node takes some pods only."""

    key: str
    value: str = ""
    effect: str


class Toleration(Part):
    """What a pod puts up with."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def allows(self, taint: Taint) -> bool:
        """Tell whether a pod with this may run in spite of ``taint``."""
        same = not self.key or self.key == taint.key
        value = self.operator == "Exists" or self.value == taint.value
        return same and value and self.effect in ("", taint.effect)


class PodSpec(Part):
    """What a pod is made of, and where it may run."""

    containers: tuple[Container, ...]
    first: tuple[Container, ...] = Field((), alias="initContainers")
    guests: tuple[Container, ...] = Field((), alias="ephemeralContainers")
    host_network: bool = Field(False, alias="hostNetwork")
    node: str = Field("", alias="nodeName")
    node_labels: Labels = Field({}, alias="nodeSelector")
    tolerations: tuple[Toleration, ...] = ()
    affinity: dict[str, Any] = Field({})
    spread: tuple[dict[str, Any], ...] = Field((), alias="topologySpreadConstraints")
    overhead: Amounts = Field({})

    def asks(self, what: str, *, limits: bool = False) -> float | None:
        """Return how much of ``what`` a node must have free for it; None where a container does not say.

        The larger of all containers together, and of the largest that runs before them.
        """
        said = [(one.resources.limits if limits else one.resources.requests).get(what) for one in self.containers]
        beside = [one for one in self.first if one.restart == "Always"]
        before = [one for one in self.first if one.restart != "Always"]
        if any(one is None for one in said):
            return None
        aside = sum(one.resources.requests.get(what, 0.0) for one in beside)
        largest = max((one.resources.requests.get(what, 0.0) for one in before), default=0.0)
        total = max(sum(one or 0.0 for one in said), largest) + aside + self.overhead.get(what, 0.0)
        return round(total, 9)


class _State(Part):
    reason: str = ""
    message: str = ""
    code: int | None = Field(None, alias="exitCode")
    started: datetime | None = Field(None, alias="startedAt")
    finished: datetime | None = Field(None, alias="finishedAt")


class States(Part):
    """What a container is doing: one of the three."""

    running: _State | None = None
    waiting: _State | None = None
    terminated: _State | None = None


class ContainerStatus(Part):
    """How a container is."""

    name: str
    ready: bool
    restarts: int = Field(alias="restartCount")
    digest: str = Field("", alias="imageID")
    state: States = States()
    last: States = Field(States(), alias="lastState")


class PodStatus(Part):
    """How a pod is."""

    phase: str = "Pending"
    reason: str = ""
    conditions: tuple[Condition, ...] = ()
    address: str = Field("", alias="podIP")
    containers: tuple[ContainerStatus, ...] = Field((), alias="containerStatuses")
    first: tuple[ContainerStatus, ...] = Field((), alias="initContainerStatuses")
    guests: tuple[ContainerStatus, ...] = Field((), alias="ephemeralContainerStatuses")


class Pod(Thing):
    """A pod."""

    spec: PodSpec
    status: PodStatus = PodStatus()

    @property
    def containers(self) -> list[tuple[Container, ContainerStatus | None]]:
        """Every container, those that run first and those that were added by hand as well, each with how it is."""
        known = {one.name: one for one in (*self.status.first, *self.status.containers, *self.status.guests)}
        return [(one, known.get(one.name)) for one in (*self.spec.first, *self.spec.containers, *self.spec.guests)]

    @property
    def ready(self) -> bool:
        """Whether it takes traffic."""
        return any(one.type == "Ready" and one.status == "True" for one in self.status.conditions)

    @property
    def over(self) -> bool:
        """Whether it has ended and takes no room any more."""
        return self.status.phase in ("Succeeded", "Failed")


class _NodeSpec(Part):
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    ranges: tuple[str, ...] = Field((), alias="podCIDRs")


class _NodeAddress(Part):
    type: str
    address: str


class _NodeStatus(Part):
    allocatable: Amounts
    conditions: tuple[Condition, ...] = ()
    addresses: tuple[_NodeAddress, ...] = ()


class Node(Thing):
    """A node."""

    spec: _NodeSpec = _NodeSpec()
    status: _NodeStatus

    def condition(self, kind: str) -> str:
        """Return a condition's status, ``Unknown`` where it says none."""
        return next((one.status for one in self.status.conditions if one.type == kind), "Unknown")
