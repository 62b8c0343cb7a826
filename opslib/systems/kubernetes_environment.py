"""The environment that a deployment gives its container, as the cluster puts it together when a pod is started.

A pod that was started before a secret or a config map changed still has what they held then. Sources: Kubernetes API
description (core/v1 Container, EnvVar, EnvFromSource, ConfigMap); "Define Environment Variables for a Container",
"Define Dependent Environment Variables", "Configure a Pod to Use a ConfigMap".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import Field

from opslib.errors import Unreachable
from opslib.systems.kubernetes import APPS, CORE
from opslib.systems.kubernetes_secrets import ReadOnlyClusterSecrets
from opslib.systems.kubernetes_shapes import Part, Thing

_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")


class _Whole(Part):
    name: str = ""
    optional: bool = False


class _Key(_Whole):
    key: str


class _Source(Part):
    prefix: str = ""
    config: _Whole | None = Field(None, alias="configMapRef")
    secret: _Whole | None = Field(None, alias="secretRef")


class _From(Part):
    config: _Key | None = Field(None, alias="configMapKeyRef")
    secret: _Key | None = Field(None, alias="secretKeyRef")


class _Variable(Part):
    name: str
    value: str = Field("", repr=False)
    source: _From | None = Field(None, alias="valueFrom")


class _Container(Part):
    name: str
    sources: tuple[_Source, ...] = Field((), alias="envFrom")
    variables: tuple[_Variable, ...] = Field((), alias="env")


class _PodSpec(Part):
    containers: tuple[_Container, ...]


class _Template(Part):
    spec: _PodSpec


class _Spec(Part):
    template: _Template


class _Deployment(Thing):
    spec: _Spec


class _ConfigMap(Thing):
    data: dict[str, str] = Field({}, repr=False)


@dataclass(frozen=True)
class Environment:
    """What a container's next start finds: ``values``, and what of it cannot be told.

    ``untold`` are variables that are set and whose value nobody here can read, each with the reason. ``unread`` are
    whole sources that could not be read: they may give more. ``broken`` names what is not there: no pod starts then.
    """

    values: Mapping[str, str] = field(repr=False)
    untold: Mapping[str, str]
    unread: tuple[str, ...]
    broken: tuple[str, ...]


class ReadOnlyClusterEnvironment(ReadOnlyClusterSecrets):
    """Also puts together what a container is started with, from config maps and secrets, by GET alone."""

    def environment(self, deployment: str, container: str | None) -> Environment:
        """Return what ``container`` gets; None is the deployment's only one.

        Raises Unreachable: missing, forbidden; several, where nobody said which container.
        """
        found = self._api.get(_Deployment, *self._home(APPS), "deployments", deployment)
        return _Together(self, _container(found, container)).made()

    def config_map(self, name: str) -> dict[str, str]:
        """Return what a config map holds as text; raises Unreachable (missing, forbidden)."""
        return self._api.get(_ConfigMap, *self._home(CORE), "configmaps", name).data


class _Together:
    """One container's environment while it is put together; each source is asked for once."""

    def __init__(self, cluster: ReadOnlyClusterEnvironment, container: _Container) -> None:
        self._cluster, self._container = cluster, container
        self._known: dict[tuple[str, str], dict[str, str | None] | Unreachable] = {}
        self._values: dict[str, str] = {}
        self._untold: dict[str, str] = {}
        self._unread: dict[str, None] = {}
        self._broken: dict[str, None] = {}

    def made(self) -> Environment:
        for source in self._container.sources:
            for kind, whole in (("config map", source.config), ("secret", source.secret)):
                if whole is not None:
                    self._take_whole(kind, whole, source.prefix)
        for one in self._container.variables:
            self._take(one)
        return Environment(self._values, self._untold, tuple(self._unread), tuple(self._broken))

    def _take_whole(self, kind: str, whole: _Whole, prefix: str) -> None:
        found = self._held(kind, whole.name)
        if isinstance(found, Unreachable):
            self._none(kind, whole, found)
            return
        for key, value in found.items():
            self._set(f"{prefix}{key}", value, f"{kind} {whole.name} holds no text there")

    def _take(self, one: _Variable) -> None:
        if one.source is None:
            named = {found[1] for found in _REFERENCE.finditer(one.value) if found[1]} - self._values.keys()
            # What could not be read may have it; else nobody has, and it stays as it is.
            hidden = sorted(name for name in named if name in self._untold or self._unread)
            self._set(one.name, None if hidden else self._expanded(one.value), f"holds {', '.join(hidden)}")
            return
        kind, key = ("secret", one.source.secret) if one.source.secret else ("config map", one.source.config)
        if key is None:
            self._set(one.name, None, "is known to the pod alone")
            return
        found = self._held(kind, key.name)
        if isinstance(found, Unreachable) and found.kind != "missing":
            self._set(one.name, None, f"is from the {kind} {key.name}: {found.message}")
        elif isinstance(found, Unreachable) or key.key not in found:
            self._none(kind, key, Unreachable("", "", "missing"), f"{key.key} in the ")
        else:
            self._set(one.name, found[key.key], f"{kind} {key.name} holds no text there")

    def _set(self, name: str, value: str | None, why: str) -> None:
        self._values.pop(name, None)
        self._untold.pop(name, None)
        if value is None:
            self._untold[name] = why
        else:
            self._values[name] = value

    def _none(self, kind: str, whole: _Whole, error: Unreachable, key: str = "") -> None:
        if error.kind != "missing":
            self._unread[f"{kind} {whole.name}: {error.message}"] = None
        elif not whole.optional:
            self._broken[f"{key}{kind} {whole.name}"] = None

    def _held(self, kind: str, name: str) -> dict[str, str | None] | Unreachable:
        if (kind, name) not in self._known:
            try:
                self._known[kind, name] = dict(self._read(kind, name))
            except Unreachable as error:
                self._known[kind, name] = error
        return self._known[kind, name]

    def _read(self, kind: str, name: str) -> Iterator[tuple[str, str | None]]:
        if kind == "config map":
            yield from self._cluster.config_map(name).items()
            return
        secret = self._cluster.secret(name)
        for key in secret.keys:
            value = secret.value(key)
            yield key, None if value is None else value.reveal()

    def _expanded(self, text: str) -> str:
        """Put in what ``$(NAME)`` names among the variables so far; ``$$`` is a dollar, another name stays as it is."""

        def put(found: re.Match[str]) -> str:
            return "$" if found[1] is None else self._values.get(found[1], found[0])

        return _REFERENCE.sub(put, text)


def _container(found: _Deployment, named: str | None) -> _Container:
    every = {one.name: one for one in found.spec.template.spec.containers}
    if named is None and len(every) == 1:
        return next(iter(every.values()))
    if named is None or named not in every:
        raise Unreachable(
            f"{found.name} has the containers {', '.join(every)}; OPS_API_CONTAINER names none of them.",
            "Set it.",
            "several",
        )
    return every[named]
