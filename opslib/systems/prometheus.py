"""Prometheus: queries, targets, rules and alerts through its HTTP API. Reading only; only GET is sent.

Source: Prometheus' OpenAPI description (3.x). Values come as texts ("NaN", "+Inf"); an empty answer is no zero.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Generic, TypeVar

from pydantic import Field

from opslib.errors import SettingsError
from opslib.settings_observability import Observability
from opslib.systems.api import Api, Query, Shape
from opslib.systems.api_errors import Vendor

VENDOR = Vendor("Prometheus", "OPS_READ_PROMETHEUS_TOKEN", words=(("error",),))
D = TypeVar("D")
RECENT = 86_400.0
"""Seconds in which a series must have had a sample to be called exported."""
HOUR = 3600.0
TAILS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
"""What the series of a metric of this kind are called behind its name."""


class _Envelope(Shape, Generic[D]):
    data: D
    warnings: tuple[str, ...] = ()


class Sample(Shape):
    """One series' value at one moment (epoch seconds, by Prometheus' own clock)."""

    labels: dict[str, str] = Field(alias="metric")
    value: tuple[float, str]

    @property
    def number(self) -> float:
        """The value; NaN and infinities among them."""
        return float(self.value[1])


class Line(Shape):
    """One series over time."""

    labels: dict[str, str] = Field(alias="metric")
    values: tuple[tuple[float, str], ...]


class Target(Shape):
    """Something that is scraped. ``health`` is up, down or unknown (not scraped yet)."""

    labels: dict[str, str]
    pool: str = Field(alias="scrapePool")
    health: str
    error: str = Field("", alias="lastError")
    scraped: str = Field(alias="lastScrape")
    interval: str = Field("", alias="scrapeInterval")


class Alert(Shape):
    """An alert that is pending or firing."""

    labels: dict[str, str] = Field({})
    annotations: dict[str, str] = Field({})
    state: str
    since: str | None = Field(None, alias="activeAt")
    value: str = ""


class Rule(Shape):
    """A rule. ``duration`` is how many seconds its query must hold; ``health`` is ok, err or unknown."""

    name: str
    query: str
    type: str
    duration: float = 0.0
    labels: dict[str, str] = Field({})
    health: str = "unknown"
    error: str = Field("", alias="lastError")
    state: str = ""


class _Group(Shape):
    name: str
    rules: tuple[Rule, ...]


class _Vector(Shape):
    kind: str = Field(alias="resultType")
    result: list[Sample]


class _Matrix(Shape):
    result: list[Line]


class _Targets(Shape):
    active: list[Target] = Field(alias="activeTargets")


class _Rules(Shape):
    groups: list[_Group]


class _Alerts(Shape):
    alerts: list[Alert]


class _Meta(Shape):
    type: str


class _Told(Shape):
    url: str


class _Tellers(Shape):
    active: list[_Told] = Field(alias="activeAlertmanagers")


class ReadOnlyPrometheus:
    """The Prometheus of a target description."""

    def __init__(self, settings: Observability) -> None:
        if settings.prometheus_url is None:
            raise SettingsError("Prometheus is not in the target description.", "Set OPS_PROMETHEUS_URL.")
        token = settings.read_prometheus_token
        vendor = VENDOR if token is not None else replace(VENDOR, scheme="")
        self._api = Api(vendor, settings.prometheus_url, token)

    def ask(self, text: str, at: float | None = None) -> list[Sample]:
        """Return what a query gives now, or gave ``at`` (epoch seconds): a list that may be empty.

        Raises Unreachable (rejected) for one it refuses.
        """
        moment = None if at is None else f"{at:.3f}"
        return self._get(_Vector, "query", query={"query": text, "time": moment}).result

    def over(self, text: str, start: float, end: float, step: float) -> list[Line]:
        """Return what a query gives from ``start`` to ``end`` (epoch seconds), every ``step`` seconds."""
        query: Query = {"query": text, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        return self._get(_Matrix, "query_range", query=query).result

    def targets(self) -> list[Target]:
        """Return everything that is scraped."""
        return self._get(_Targets, "targets", query={"state": "active"}).active

    def rules(self) -> list[tuple[str, Rule]]:
        """Return the alerting rules, each with its group's name."""
        groups = self._get(_Rules, "rules", query={"type": "alert"}).groups
        return [(group.name, rule) for group in groups for rule in group.rules]

    def alerts(self) -> list[Alert]:
        """Return the alerts that are pending or firing."""
        return self._get(_Alerts, "alerts").alerts

    def alertmanagers(self) -> list[str]:
        """Return the addresses that alerts are sent to."""
        return [one.url for one in self._get(_Tellers, "alertmanagers").active]

    def names(self) -> frozenset[str]:
        """Return the names of all series of the last day, and of those that are declared and have no sample yet."""
        since = f"{time.time() - RECENT:.0f}"
        seen: list[str] = self._get(list[str], "label", "__name__", "values", query={"start": since})
        declared: dict[str, list[_Meta]] = self._get(dict[str, list[_Meta]], "metadata")
        parts = {f"{name}{tail}" for name, said in declared.items() for one in said for tail in TAILS.get(one.type, ())}
        return frozenset(seen) | frozenset(declared) | parts

    def edges(self, metric: str) -> list[float]:
        """Return the upper edges of a histogram's buckets (``…_bucket``), in order; none where it has no series."""
        found = self._get(list[str], "label", "le", "values", query={"match[]": metric})
        return sorted(float(edge) for edge in found)

    def labels(self, selector: str) -> list[str]:
        """Return the names of the labels of the series of the last hour that a selector matches."""
        query: Query = {"match[]": selector, "start": f"{time.time() - HOUR:.0f}"}
        return self._get(list[str], "labels", query=query)

    def values(self, selector: str, label: str, most: int) -> list[str]:
        """Return the values of a label of such series, at most ``most`` (older servers return all)."""
        query: Query = {"match[]": selector, "start": f"{time.time() - HOUR:.0f}", "limit": most}
        return self._get(list[str], "label", label, "values", query=query)

    def ready(self) -> str:
        """Return what it says of its readiness; raises Unreachable where it is not ready."""
        return self._api.text("-", "ready").strip()

    def close(self) -> None:
        """Close every connection."""
        self._api.close()

    def _get(self, shape: type[D], *path: str, query: Query | None = None) -> D:
        return self._api.get(_Envelope[shape], "api", "v1", *path, query=query).data  # type: ignore[valid-type]
