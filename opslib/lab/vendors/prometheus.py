"""Prometheus' stand-in: the documented HTTP API over series that are really there.

Source: Prometheus' OpenAPI description (3.x): query, query_range, targets, rules, alerts, alertmanagers, series,
metadata, label values, buildinfo. Queries: :mod:`opslib.lab.vendors.prometheus_promql`.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from opslib.lab.vendors import prometheus_rules, prometheus_series
from opslib.lab.vendors.faults import Faults
from opslib.lab.vendors.memory import Memory
from opslib.lab.vendors.prometheus_parse import BadQuery, Labels, Select, parse, seconds
from opslib.lab.vendors.prometheus_promql import Evaluation, Samples
from opslib.lab.vendors.prometheus_series import PLANTED_STEP, PODS, SCRAPE_STEP, Series
from opslib.lab.vendors.stand_in import Refusal, StandIn

MOST_POINTS = 11_000
JOB = "valuecanvas-api"
TYPES = {"_total": "counter", "_ms": "histogram", "_seconds": "histogram"}


class Prometheus(StandIn):
    """State: the planted traffic (:mod:`.prometheus_series`), ``exporters`` (their targets), ``groups`` of rules.

    ``exported`` are names of further series (what the exporters have), ``firing`` alerts by name, ``told`` the
    Alertmanagers that alerts are sent to.
    """

    name = "prometheus"

    def __init__(self, memory: Memory, faults: Faults, tokens: Mapping[str, str], base: str) -> None:
        super().__init__(memory, faults, tokens, base)
        self.series = Series(self.state, None)

    def scrapes(self, lab: Path) -> None:
        """Say where the lab keeps its record of the application's address."""
        self.series = Series(self.state, lab)

    def first(self) -> dict[str, Any]:
        """Return a month in which all was well."""
        return {**prometheus_series.first(), **prometheus_rules.first()}

    def routes(self) -> list[Route]:
        """Return what is asked of the API."""
        api = "/api/v1"
        return [
            Route(f"{api}/query", self.query),
            Route(f"{api}/query_range", self.query_range),
            Route(f"{api}/targets", self.targets),
            Route(f"{api}/rules", self.rules),
            Route(f"{api}/alerts", self.alerts),
            Route(f"{api}/alertmanagers", self.alertmanagers),
            Route(f"{api}/label/__name__/values", self.names),
            Route(f"{api}/label/{{label}}/values", self.values),
            Route(f"{api}/labels", self.labels),
            Route(f"{api}/series", self.found),
            Route(f"{api}/metadata", self.metadata),
            Route(f"{api}/status/buildinfo", self.build),
            Route("/-/ready", self.ready),
        ]

    def error(self, status: int, message: str, code: str = "") -> Response:
        """Return Prometheus' form of an error."""
        kinds = {400: "bad_data", 422: "execution", 503: "unavailable", 404: "not_found"}
        return JSONResponse({"status": "error", "errorType": kinds.get(status, "internal"), "error": message}, status)

    async def query(self, request: Request) -> Response:
        """Evaluate a query at one moment."""
        expression = self._parsed(request)
        await asyncio.to_thread(self.series.look, JOB)
        at = _moment(request.query_params.get("time"), time.time())
        found = await asyncio.to_thread(lambda: Evaluation(self._select, at, at).at(expression, at))
        result = [{"metric": labels, "value": [at, _text(value)]} for labels, value in found]
        return _good({"resultType": "vector", "result": result})

    async def query_range(self, request: Request) -> Response:
        """Evaluate a query at many moments."""
        expression, now = self._parsed(request), time.time()
        start, end = (_moment(request.query_params[name], now) for name in ("start", "end"))
        step = seconds(request.query_params["step"])
        if end < start:
            raise Refusal(400, 'invalid parameter "end": end timestamp must not be before start time')
        if step <= 0:
            raise Refusal(400, 'invalid parameter "step": zero or negative query resolution step widths')
        if (end - start) / step > MOST_POINTS:
            raise Refusal(400, "exceeded maximum resolution of 11,000 points per timeseries.")
        found: dict[tuple[tuple[str, str], ...], list[list[Any]]] = {}

        def work() -> None:
            evaluation = Evaluation(self._select, start, end)
            for number in range(math.floor((end - start) / step) + 1):
                at = start + number * step
                for labels, value in evaluation.at(expression, at):
                    found.setdefault(tuple(sorted(labels.items())), []).append([at, _text(value)])

        await asyncio.to_thread(work)
        result = [{"metric": dict(labels), "values": values} for labels, values in found.items()]
        return _good({"resultType": "matrix", "result": result})

    async def targets(self, request: Request) -> Response:
        """Return what is scraped, and how that goes."""
        await asyncio.to_thread(self.series.look, JOB)
        stopped, now = self.series.stopped, time.time()
        down = [one for one in self.state["episodes"] if one["kind"] in ("down", "lost") and one["to"] <= 0]
        scrape = self.series.scrape
        # A route that one process of the revision has not, none of its pods has.
        gone = scrape.error if "404" in scrape.error else ""
        said = [_target(JOB, pod, not down and not gone, now - stopped - 20, PLANTED_STEP, gone) for pod in PODS]
        if scrape.instance:
            said.append(_target(JOB, scrape.instance, not scrape.error, scrape.at - stopped, SCRAPE_STEP, scrape.error))
        for job, one in self._exporters():
            said.append(
                _target(job, one["instance"], one["health"] == "up", now - stopped - 7, 15.0, one.get("error", ""))
            )
        pool = request.query_params.get("scrapePool")
        return _good(
            {
                "activeTargets": [one for one in said if pool in (None, one["scrapePool"])],
                "droppedTargets": [],
                "droppedTargetCounts": {},
            }
        )

    async def rules(self, request: Request) -> Response:
        """Return the groups of rules, alerting ones alone where those are asked for."""
        kind = {"alert": "alerting", "record": "recording"}.get(request.query_params.get("type", ""))
        groups = prometheus_rules.groups(self.state, _stamp(time.time() - self.series.stopped))
        for group in groups:
            group["rules"] = [rule for rule in group["rules"] if kind in (None, rule["type"])]
        return _good({"groups": [group for group in groups if group["rules"]]})

    async def alerts(self, request: Request) -> Response:
        """Return the alerts that are pending or firing."""
        groups = prometheus_rules.groups(self.state, _stamp(time.time()))
        return _good({"alerts": [alert for group in groups for rule in group["rules"] for alert in rule["alerts"]]})

    async def alertmanagers(self, request: Request) -> Response:
        """Return whom alerts are sent to."""
        active = [{"url": url} for url in self.state["told"]]
        return _good({"activeAlertmanagers": active, "droppedAlertmanagers": []})

    async def names(self, request: Request) -> Response:
        """Return the names of all series."""
        await asyncio.to_thread(self.series.look, JOB)
        return _good(sorted(self.series.names() | set(self.state["exported"])))

    async def found(self, request: Request) -> Response:
        """Return the labels of the series that ``match[]`` selects, of the last five minutes."""
        return _good(await self._matched(request))

    async def values(self, request: Request) -> Response:
        """Return the values of one label of the series that ``match[]`` selects, at most ``limit``."""
        name, limit = request.path_params["label"], int(request.query_params.get("limit", "0"))
        found = sorted({labels[name] for labels in await self._matched(request) if name in labels})
        return _good(found[: limit or None])

    async def labels(self, request: Request) -> Response:
        """Return the names of the labels of the series that ``match[]`` selects."""
        return _good(sorted({name for labels in await self._matched(request) for name in labels}))

    async def _matched(self, request: Request) -> list[Labels]:
        await asyncio.to_thread(self.series.look, JOB)
        now, wanted = time.time(), [_selector(text) for text in request.query_params.getlist("match[]")]
        return [labels for one in wanted for labels, _ in self._select(one, now - 300, now)]

    async def metadata(self, request: Request) -> Response:
        """Return kind and help of each metric, by name."""
        said = {}
        for name in sorted(self.series.names() | self.series.declared):
            kind = next((kind for tail, kind in TYPES.items() if name.endswith(tail)), "gauge")
            said[name] = [{"type": kind, "unit": "", "help": name.replace("_", " ")}]
        return _good(said)

    async def build(self, request: Request) -> Response:
        """Return the version, which is the lab's word for itself."""
        names = ("version", "revision", "branch", "buildUser", "buildDate", "goVersion")
        return _good({**dict.fromkeys(names, "lab"), "version": "3.1.0"})

    async def ready(self, request: Request) -> Response:
        """Say that it is ready."""
        return PlainTextResponse("Prometheus Server is Ready.\n")

    def _parsed(self, request: Request) -> Any:
        try:
            return parse(request.query_params.get("query", ""))
        except BadQuery as error:
            raise Refusal(400, f'invalid parameter "query": {error}') from None

    def _exporters(self) -> list[tuple[str, dict[str, Any]]]:
        return list(self.state["exporters"].items())

    def _select(self, wanted: Select, since: float, until: float) -> list[tuple[Labels, Samples]]:
        found = self.series.select(wanted, since, until, JOB)
        newest = min(until, time.time() - self.series.stopped) - 1
        others = {(job, one["instance"], "up"): float(one["health"] == "up") for job, one in self._exporters()}
        others |= {("exporters", "exporters:9100", name): 1.0 for name in self.state["exported"]}
        for (job, instance, name), value in others.items():
            labels = {"__name__": name, "job": job, "instance": instance}
            if wanted.fits(labels) and since < newest:
                found.append((labels, [(newest - 15, value), (newest, value)]))
        return found


def _selector(text: str) -> Select:
    try:
        selected = parse(text)
    except BadQuery as error:
        raise Refusal(400, str(error)) from None
    if not isinstance(selected, Select):
        raise Refusal(400, "match[] must be a selector")
    return selected


def _target(job: str, instance: str, up: bool, at: float, step: float, error: str = "") -> dict[str, Any]:
    url = f"http://{instance}/metrics"
    return {
        "discoveredLabels": {"__address__": instance, "job": job},
        "labels": {"instance": instance, "job": job},
        "scrapePool": job,
        "scrapeUrl": url,
        "globalUrl": url,
        "lastError": "" if up else error or "context deadline exceeded",
        "lastScrape": _stamp(at),
        "lastScrapeDuration": 0.01,
        "health": "up" if up else "down",
        "scrapeInterval": f"{step:g}s",
        "scrapeTimeout": "10s",
    }


def _good(data: Any) -> Response:
    return JSONResponse({"status": "success", "data": data})


def _moment(text: str | None, otherwise: float) -> float:
    if text is None:
        return otherwise
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()


def _text(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf" if math.isinf(value) else repr(value)


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
