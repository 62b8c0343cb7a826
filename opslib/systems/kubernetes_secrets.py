"""A secret of the product's namespace, and the deployments whose pods start with it, by the executor's token.

Sources: Kubernetes API description (core/v1 Secret, apps/v1 Deployment), "Distribute Credentials Securely Using
Secrets" (variables are read when a container starts), "Deployments" (a changed template starts pods anew).
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from opslib.errors import StepFailed, Unreachable
from opslib.redaction import DatabaseUrl, Redactor, Secret
from opslib.systems.kubernetes import APPS, CORE, MANAGER, MERGE, Cluster, ReadOnlyCluster
from opslib.systems.kubernetes_shapes import Meta, Part, Pod, Selector, Thing

TRIES = 5
"""How often a deployment is marked anew because its version moved: its controller reports on it all the time."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


class _Held(Thing):
    data: dict[str, str] = Field({}, repr=False)
    immutable: bool = False


class _Named(Part):
    name: str = ""


class _Source(Part):
    secret: _Named | None = Field(None, alias="secretRef")


class _From(Part):
    secret: _Named | None = Field(None, alias="secretKeyRef")


class _Variable(Part):
    source: _From | None = Field(None, alias="valueFrom")


class _Container(Part):
    sources: tuple[_Source, ...] = Field((), alias="envFrom")
    variables: tuple[_Variable, ...] = Field((), alias="env")

    def names(self) -> set[str]:
        named = [one.secret for one in self.sources]
        named += [one.source.secret for one in self.variables if one.source is not None]
        return {one.name for one in named if one is not None}


class _Mounted(Part):
    name: str = Field("", alias="secretName")


class _Piece(Part):
    secret: _Named | None = None


class _Projected(Part):
    sources: tuple[_Piece, ...] = ()


class _Volume(Part):
    secret: _Mounted | None = None
    projected: _Projected = _Projected()

    def names(self) -> set[str]:
        pieces = {one.secret.name for one in self.projected.sources if one.secret is not None}
        return pieces | ({self.secret.name} if self.secret is not None else set())


class _PodSpec(Part):
    containers: tuple[_Container, ...]
    first: tuple[_Container, ...] = Field((), alias="initContainers")
    volumes: tuple[_Volume, ...] = ()

    def names(self) -> set[str]:
        """Return the secrets that its containers find in their variables, or as files."""
        every = (one.names() for kind in (self.containers, self.first, self.volumes) for one in kind)
        return set().union(*every)


class _TemplateMeta(Part):
    annotations: dict[str, str] = Field({})


class _Template(Part):
    meta: _TemplateMeta = Field(_TemplateMeta(), alias="metadata")
    spec: _PodSpec


class _Spec(Part):
    replicas: int = 1
    selector: Selector
    template: _Template


class Reader(Thing):
    """A deployment, as far as it says which secrets its pods are started with."""

    spec: _Spec

    def mark(self, name: str) -> str | None:
        """Return the annotation that its pods are started with."""
        return self.spec.template.meta.annotations.get(name)

    def reads(self, secret: str) -> bool:
        """Tell whether its pods get ``secret``, or a key of it, in their variables or as files."""
        return secret in self.spec.template.spec.names()


class _Running(Thing):
    spec: _PodSpec


@dataclass(frozen=True)
class Started:
    """How far a deployment is with starting its pods anew: its rollout, and what each pod was started with."""

    deployment: str
    over: bool
    marks: dict[str, str | None]
    """By pod; None for a pod that was started with no mark."""

    def before(self, value: str) -> list[str]:
        """Return the pods that were started with another mark than ``value``."""
        return [pod for pod, mark in self.marks.items() if mark != value]

    def all_with(self, value: str) -> bool:
        """Tell whether the rollout is over and no pod of another mark is left."""
        return self.over and not self.before(value)


@dataclass(frozen=True)
class HeldSecret:
    """A secret: its version, and its values by their keys."""

    name: str
    meta: Meta
    immutable: bool
    _values: dict[str, str] = field(repr=False)

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of what it holds."""
        return tuple(sorted(self._values))

    def key_of(self, variable: str) -> str | None:
        """Return the key under which it holds ``variable``: as it is, or as file names have it."""
        return next((key for key in (variable, variable.lower().replace("_", "-")) if key in self._values), None)

    def value(self, key: str) -> Secret | None:
        """Return what stands under ``key``, or None; what is no text counts as none."""
        try:
            return Secret(base64.b64decode(self._values[key], validate=True).decode())
        except (KeyError, ValueError):
            return None

    def keys_with(self, value: Secret) -> tuple[str, ...]:
        """Return the keys under which ``value`` stands, alone or within more text: a whole file may be one value."""
        held = {key: self.value(key) for key in self.keys}
        return tuple(key for key, found in held.items() if found is not None and value.reveal() in found.reveal())

    def database(self, key: str) -> DatabaseUrl | None:
        """Return what stands under ``key`` as a database's address, or None; only its place may be shown."""
        found = self.value(key)
        return DatabaseUrl(found.reveal()) if found is not None else None


class ReadOnlyClusterSecrets(ReadOnlyCluster):
    """Secrets read with the executor's token, by GET alone."""

    def secret(self, name: str) -> HeldSecret:
        """Return a secret; raises Unreachable (missing, forbidden)."""
        found = self._api.get(_Held, *self._home(CORE), "secrets", name)
        return HeldSecret(found.name, found.meta, found.immutable, found.data)

    def readers(self, secret: str) -> list[Reader]:
        """Return the deployments whose pods are started with ``secret``."""
        return [one for one in self._templates() if one.reads(secret)]

    def read_by_pods(self) -> list[HeldSecret]:
        """Return every secret that pods of the deployments are started with; raises as :meth:`secret`."""
        return [
            self.secret(name)
            for name in sorted({name for one in self._templates() for name in one.spec.template.spec.names()})
        ]

    def held_by_pods(self) -> list[HeldSecret]:
        """Return every secret that a pod has or would be started with, whoever made the pod.

        One that is not there, as pods may name it if it is optional, holds nothing.
        """
        running = self._all(_Running, *self._home(CORE), "pods")
        specs = [*(one.spec.template.spec for one in self._templates()), *(one.spec for one in running)]
        names = {name for one in specs for name in one.names()}
        return [found for name in sorted(names) if (found := self._there(name)) is not None]

    def _there(self, name: str) -> HeldSecret | None:
        try:
            return self.secret(name)
        except Unreachable as error:
            if error.kind != "missing":
                raise
            return None

    def readers_named(self, names: Sequence[str]) -> list[Reader]:
        """Return the deployments of these names, as far as there are such."""
        return [one for one in self._templates() if one.name in names]

    def _templates(self) -> list[Reader]:
        return self._all(Reader, *self._home(APPS), "deployments")

    def pods_of(self, reader: Reader) -> list[Pod]:
        """Return the pods of a deployment that have not ended."""
        return [pod for pod in self.pods() if reader.spec.selector.fits(pod.meta.labels) and not pod.over]

    def started(self, names: Sequence[str], mark: str) -> list[Started]:
        """Return how far these deployments are, by ``mark``; of one that is gone nothing is over."""
        pods = {one.name: self.pods_of(one) for one in self.readers_named(names)}
        return [
            Started(
                name,
                name in pods and self.deployment(name).done,
                {pod.name: pod.meta.annotations.get(mark) for pod in pods.get(name, [])},
            )
            for name in sorted(names)
        ]

    def wait_started(
        self, names: Sequence[str], mark: str, value: str, seconds: float, told: Callable[[str, int, int], None]
    ) -> bool:
        """Wait until all pods were started with ``value``; False after ``seconds``. ``told`` hears how far it is."""
        until, pause = time.monotonic() + seconds, FIRST_PAUSE
        while True:
            there = sum(one.all_with(value) for one in self.started(names, mark))
            if there == len(names):
                return True
            if time.monotonic() >= until:
                return False
            told(f"{there} of {len(names)} deployments run with it", there, len(names))
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 1.5)


class ClusterSecrets(ReadOnlyClusterSecrets, Cluster):
    """Also sets one key of a secret, and lets a deployment's pods be started anew."""

    def set_value(self, secret: str, key: str, value: Secret, version: str) -> HeldSecret:
        """Set one key; raises Unreachable (conflict) where the secret's resourceVersion is another by now."""
        coded = base64.b64encode(value.reveal().encode()).decode()
        body = {"metadata": {"resourceVersion": version}, "data": {key: coded}}
        try:
            answer = self._patched((*self._home(CORE), "secrets", secret), body)
        except Unreachable as error:
            clean = Redactor([value, Secret(coded)]).text
            raise Unreachable(clean(error.message), clean(error.next_step), error.kind) from None
        found = self._api.read(_Held, "PATCH secrets", answer)
        return HeldSecret(found.name, found.meta, found.immutable, found.data)

    def restart(self, reader: Reader, name: str, value: str) -> None:
        """Let its pods be started anew, one after the other, with an annotation; the same again changes nothing.

        Raises Unreachable (conflict) where the deployment was changed since it was read.
        """
        annotations: dict[str, Any] = {"metadata": {"annotations": {name: value}}}
        body = {"metadata": {"resourceVersion": reader.meta.version}, "spec": {"template": annotations}}
        path = (*self._home(APPS), "deployments", reader.name)
        self._api.send("PATCH", *path, query={"fieldManager": MANAGER}, body=body, kind=MERGE)

    def restart_all(self, readers: Callable[[], list[Reader]], name: str, value: str) -> None:
        """Let the pods of all ``readers`` be started anew as by :meth:`restart`, while controllers write to them.

        ``readers`` is asked again after each try. Raises StepFailed where the deployments are written to all the time.
        """
        for _ in range(TRIES):
            left = [one for one in readers() if one.mark(name) != value]
            for one in left:
                try:
                    self.restart(one, name, value)
                except Unreachable as error:
                    # Most often its own controller wrote to it since; what it is then is read again.
                    if error.kind != "conflict":
                        raise
            if not left:
                return
        raise StepFailed(f"The deployments are written to all the time: {TRIES} tries failed.", "Look who does.")
