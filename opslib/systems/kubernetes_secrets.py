"""A secret of the product's namespace, and the deployments whose pods start with it, by the executor's token.

Sources: Kubernetes API description (core/v1 Secret, apps/v1 Deployment), "Distribute Credentials Securely Using
Secrets" (variables are read when a container starts), "Deployments" (a changed template starts pods anew).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from opslib.errors import Unreachable
from opslib.redaction import DatabaseUrl, Redactor, Secret
from opslib.systems.kubernetes import APPS, CORE, MANAGER, MERGE, Cluster, ReadOnlyCluster
from opslib.systems.kubernetes_shapes import Meta, Part, Pod, Selector, Thing


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


class _PodSpec(Part):
    containers: tuple[_Container, ...]
    first: tuple[_Container, ...] = Field((), alias="initContainers")


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
        """Tell whether its pods get ``secret``, or a key of it, in their variables."""
        spec = self.spec.template.spec
        return any(secret in one.names() for one in (*spec.containers, *spec.first))


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
        specs = [one.spec.template.spec for one in self._templates()]
        names = {name for spec in specs for one in (*spec.containers, *spec.first) for name in one.names()}
        return [self.secret(name) for name in sorted(names)]

    def readers_named(self, names: Sequence[str]) -> list[Reader]:
        """Return the deployments of these names, as far as there are such."""
        return [one for one in self._templates() if one.name in names]

    def _templates(self) -> list[Reader]:
        return self._all(Reader, *self._home(APPS), "deployments")

    def pods_of(self, reader: Reader) -> list[Pod]:
        """Return the pods of a deployment that have not ended."""
        return [pod for pod in self.pods() if reader.spec.selector.fits(pod.meta.labels) and not pod.over]


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
