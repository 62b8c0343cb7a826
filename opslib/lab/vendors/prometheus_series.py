"""The series of the lab's Prometheus: a planted month of two API pods, and what it scrapes from the application.

The planted ones are computed from the state: a steady traffic, and ``episodes`` in which it was otherwise. Moments are
said in hours before now, so that a lab that stays up keeps its month. The scraped ones are in memory only.
"""

from __future__ import annotations

import json
import math
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise, product
from pathlib import Path
from typing import Any

from opslib.lab.vendors.prometheus_parse import Labels, Select
from opslib.lab.vendors.prometheus_promql import Samples

DAYS = 31
PLANTED_STEP, SCRAPE_STEP = 60.0, 5.0
"""Seconds between two samples of a pod, and between two scrapes of the application."""
PODS = ("api-server-0:8000", "api-server-1:8000")
PREFIX = "valuecanvas_http_"
LABELLED = "valuecanvas_response_bytes"
REQUEST = {"method": "GET", "route": "/api/cases", "tenant_id": "unknown"}
MOST_SAMPLES = 4000
KINDS = ("failing", "slow", "quiet", "down", "lost")
"""Of an episode: requests fail (``share``), take longer than every bucket (``share``), stay away; no scrape, no pod."""

BUCKETS = {"10": 0.31, "50": 0.62, "100": 0.81, "200": 0.936, "500": 0.986, "1000": 0.9985}
"""The share of the planted requests that took at most so many milliseconds; the product's edges."""


def first() -> dict[str, Any]:
    """Return a month of an API that is well: 600 requests a minute, one of 12 500 fails.

    ``slow_routes`` have a hundredth of the requests each, all of them slower than every bucket; ``label_values`` is how
    many addresses a metric has as values of its label.
    """
    return {
        "per_minute": 600.0,
        "failing": 0.00008,
        "buckets": dict(BUCKETS),
        "episodes": [],
        "newborn": [],
        "slow_routes": [],
        "label_values": 0,
        "stopped_hours": 0.0,
    }


@dataclass(frozen=True)
class Scrape:
    """The last look at the application: whose, when (epoch seconds), and what went wrong."""

    instance: str
    at: float
    error: str


class Series:
    """All series, planted and scraped. ``lab`` is the lab's own record of where the application is."""

    def __init__(self, state: dict[str, Any], lab: Path | None) -> None:
        self._state, self._lab = state, lab
        self._scraped: dict[tuple[tuple[str, str], ...], Samples] = {}
        self._lock = threading.Lock()
        self.scrape = Scrape("", 0.0, "")
        self.declared: set[str] = set()

    def select(self, wanted: Select, since: float, until: float, job: str) -> list[tuple[Labels, Samples]]:
        """Return the series that ``wanted`` selects, with their samples after ``since`` and up to ``until``."""
        until = min(until, time.time() - self.stopped)
        more = (self._newborn, self._slow_routes, self._labelled)
        planted = chain(self._planted(wanted, since, until, job), *(one(wanted, since, until, job) for one in more))
        found = [(labels, samples) for labels, samples in planted if samples]
        with self._lock:
            kept = [(dict(key), list(samples)) for key, samples in self._scraped.items()]
        for labels, samples in kept:
            if wanted.fits(labels):
                within = [(t, v) for t, v in samples if since < t <= until]
                found += [(labels, within)] if within else []
        return found

    def names(self) -> set[str]:
        """Return the names of all series."""
        with self._lock:
            scraped = {dict(key)["__name__"] for key in self._scraped}
        planted = {"up", f"{PREFIX}requests_total", f"{PREFIX}request_duration_ms_bucket"}
        return scraped | planted | {f"{PREFIX}request_duration_ms_{tail}" for tail in ("count", "sum")}

    @property
    def stopped(self) -> float:
        """Seconds for which nothing has been scraped."""
        return 3600.0 * float(self._state.get("stopped_hours", 0.0))

    def look(self, job: str) -> None:
        """Scrape the application where that is due."""
        now = time.time()
        with self._lock:
            if self.stopped or now - self.scrape.at < SCRAPE_STEP:
                return
            address = self._address()
            if address:
                self._scrape(address, now, job)

    def _address(self) -> str:
        try:
            said = json.loads(self._lab.read_text(encoding="utf-8")) if self._lab else {}
            return f"127.0.0.1:{int(said['services']['application']['port'])}"
        except (OSError, ValueError, KeyError):
            return ""

    def _scrape(self, address: str, now: float, job: str) -> None:
        from prometheus_client.parser import text_string_to_metric_families

        own = {"job": job, "instance": address}
        values: list[tuple[Labels, float]] = []
        error = ""
        try:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=2) as answer:
                text = answer.read().decode()
            self.declared |= set(re.findall(r"(?m)^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) ", text))
            for family in text_string_to_metric_families(text):
                values += [({**one.labels, **own, "__name__": one.name}, one.value) for one in family.samples]
        except urllib.error.HTTPError as failure:
            error = f"server returned HTTP status {failure.code} {failure.reason}"
        except (OSError, ValueError) as failure:
            error = str(failure)
        values.append(({**own, "__name__": "up"}, 0.0 if error else 1.0))
        for labels, value in values:
            kept = self._scraped.setdefault(tuple(sorted(labels.items())), [])
            kept.append((now, value))
            del kept[:-MOST_SAMPLES]
        self.scrape = Scrape(address, now, error)

    def _planted(self, wanted: Select, since: float, until: float, job: str) -> Iterator[tuple[Labels, Samples]]:
        plan = Plan(self._state, time.time())
        for pod in PODS:
            for labels, rate in self._kinds():
                whole = {**labels, "job": job, "instance": pod}
                if wanted.fits(whole):
                    yield whole, plan.samples(since, until, labels["__name__"], rate)

    def _newborn(self, wanted: Select, since: float, until: float, job: str) -> Iterator[tuple[Labels, Samples]]:
        """Yield the series that began ``hours`` ago with ``count`` failures of one ``tenant``, and stood still."""
        now = time.time()
        for one in self._state["newborn"]:
            said = {"__name__": f"{PREFIX}requests_total", **REQUEST, "status_code": "503", "tenant_id": one["tenant"]}
            labels = {**said, "job": job, "instance": PODS[0]}
            first = math.floor(max(since, now - 3600 * one["hours"]) / PLANTED_STEP) + 1
            steps = range(first, math.floor(until / PLANTED_STEP) + 1)
            if wanted.fits(labels):
                yield labels, [(step * PLANTED_STEP, float(one["count"])) for step in steps]

    def _slow_routes(self, wanted: Select, since: float, until: float, job: str) -> Iterator[tuple[Labels, Samples]]:
        plan = Plan(self._state | {"per_minute": self._state["per_minute"] / 100}, time.time())
        for route, edge in product(self._state.get("slow_routes", ()), (*self._state["buckets"], "+Inf")):
            said = {"__name__": f"{PREFIX}request_duration_ms_bucket", **REQUEST, "status_code": "200", "route": route}
            labels = {**said, "le": edge if edge == "+Inf" else f"{float(edge)}", "job": job, "instance": PODS[0]}
            if wanted.fits(labels):
                yield labels, plan.samples(since, until, said["__name__"], ("within", float(edge == "+Inf")))

    def _labelled(self, wanted: Select, since: float, until: float, job: str) -> Iterator[tuple[Labels, Samples]]:
        """Yield a series for every address that somebody asked for: what a route's label becomes without a pattern."""
        for number in range(self._state.get("label_values", 0)):
            labels = {"__name__": LABELLED, "path": f"/api/cases/{number:08x}", "job": job, "instance": PODS[0]}
            if wanted.fits(labels):
                last = math.floor(until / PLANTED_STEP) * PLANTED_STEP
                yield labels, [(last, 1.0)] if last > since else []

    def _kinds(self) -> Iterator[tuple[Labels, tuple[str, float]]]:
        """Yield each planted series' labels, with the share of requests that it counts: (kind, share)."""
        yield {"__name__": "up"}, ("up", 1.0)
        for status, kind in (("200", "good"), ("503", "failed")):
            yield {"__name__": f"{PREFIX}requests_total", **REQUEST, "status_code": status}, (kind, 1.0)
        buckets = {**self._state["buckets"], "+Inf": 1.0}
        for edge, share in buckets.items():
            said = {"__name__": f"{PREFIX}request_duration_ms_bucket", **REQUEST, "status_code": "200"}
            # A scraped edge is a float's text, as the client libraries write it.
            yield {**said, "le": edge if edge == "+Inf" else f"{float(edge)}"}, ("within", share)


class Plan:
    """What a pod has counted by any moment: steady, but for the episodes, which may overlap."""

    def __init__(self, state: dict[str, Any], now: float) -> None:
        self._per_second = float(state["per_minute"]) / 60 / len(PODS)
        self._failing = float(state["failing"])
        self._origin = now - DAYS * 86400
        episodes = [(now - 3600 * one["from"], now - 3600 * one["to"], one) for one in state["episodes"]]
        inner = {moment for begin, end, _ in episodes for moment in (begin, end) if self._origin < moment < now}
        self._parts: list[tuple[float, float, dict[str, float]]] = []
        """Stretches of time, each with the kinds of episodes that it is in and their share."""
        for begin, end in pairwise(sorted({self._origin, *inner, math.inf})):
            during: dict[str, float] = {}
            for since, to, one in episodes:
                if since <= begin < to:
                    during[one["kind"]] = max(during.get(one["kind"], 0.0), float(one.get("share", 1.0)))
            self._parts.append((begin, end, during))

    def samples(self, since: float, until: float, name: str, what: tuple[str, float]) -> Samples:
        """Return the samples of one series after ``since`` and up to ``until``."""
        first = math.floor(max(since, self._origin) / PLANTED_STEP) + 1
        found: Samples = []
        for begin, end, during, before in self._counted(*what):
            low, high = max(first, math.ceil(begin / PLANTED_STEP)), min(end, until)
            if "lost" in during or ("down" in during and name != "up"):
                continue
            rate = self._per_second * self._part(*what, during)
            for step in range(low, math.floor(high / PLANTED_STEP) + 1):
                at = step * PLANTED_STEP
                if at < end:
                    value = (
                        float("down" not in during) if name == "up" else float(math.floor(before + rate * (at - begin)))
                    )
                    found.append((at, value))
        return found

    def _counted(self, kind: str, share: float) -> Iterator[tuple[float, float, dict[str, float], float]]:
        """Yield each stretch with what had been counted when it began."""
        total = 0.0
        for begin, end, during in self._parts:
            yield begin, end, during, total
            total += 0.0 if math.isinf(end) else self._per_second * self._part(kind, share, during) * (end - begin)

    def _part(self, kind: str, share: float, during: dict[str, float]) -> float:
        """Return which part of the usual traffic a series counts in a stretch."""
        if "quiet" in during or "down" in during:
            return 0.0
        if kind == "within":
            return 1.0 if share == 1.0 else share * (1 - during.get("slow", 0.0))
        failing = during.get("failing", self._failing)
        return failing if kind == "failed" else 1 - failing
