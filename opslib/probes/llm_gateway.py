"""The product's LLM gateway: its breakers beside what it served, its counters, and what its chat route answered.

A breaker's state is one replica's, kept in its memory: which replica answered nobody is told.
"""

from __future__ import annotations

from typing import Any

from opslib.errors import OpsError, Unreachable
from opslib.model import Probe, now
from opslib.probes.application_traffic import address
from opslib.probes.llm_answers import answers
from opslib.systems.gateway import PROVIDERS, state_of
from opslib.systems.target import ReadTarget

CHAT = "/api/llm/chat"
COUNTS = ("fires", "successes", "failures", "timeouts", "rejects", "calls")
CLASSES = {
    400: "the request",
    401: "who asks",
    403: "who asks",
    440: "who asks",
    402: "a limit",
    429: "a limit",
}
"""What an answer of the chat route that is no success is about; 5xx is a failure, other 4xx the request."""


def breakers(minutes: float) -> Probe:
    """Return the probe of both breakers, each beside how many users its provider answered in the last ``minutes``.

    One question to the router. ``answers`` is None, with ``why``, where the rows of usage cannot be read.
    """

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        told = target.gateway.health()
        served, why = _served(target, minutes)
        replicas = _replicas(target)
        return [
            {
                "breaker": name,
                "provider": provider,
                "state": state_of(told.data.get(name)),
                "status": told.status,
                "answers": None if served is None else served.get(provider, (0, None))[0],
                "newest_age": None if served is None else served.get(provider, (0, None))[1],
                "minutes": minutes,
                "replicas": replicas,
                "left": told.left,
                "why": why,
            }
            for name, provider in PROVIDERS.items()
        ]

    return Probe(
        "llm-breakers",
        "Breakers, and who served meanwhile",
        read,
        source="GET /api/llm/health · " + answers(minutes).source,
        units={"newest_age": "s"},
    )


def _served(target: ReadTarget, minutes: float) -> tuple[dict[str, tuple[int, Any]] | None, str]:
    try:
        rows = answers(minutes).read(target)
    except OpsError as error:
        return None, str(error)
    return {row["provider"]: (row["answers"], row["newest_age"]) for row in rows}, ""


def _replicas(target: ReadTarget) -> int | None:
    try:
        return target.cluster.deployment(target.settings.api_deployment).status.ready
    except OpsError:
        return None


def _stats(target: ReadTarget) -> list[dict[str, Any]]:
    told = target.gateway.stats()
    rows: list[dict[str, Any]] = []
    for name, provider in PROVIDERS.items():
        said = told.data.get(name)
        one = said if isinstance(said, dict) else {}
        percentiles = one.get("percentiles")
        p95 = percentiles.get("0.95") if isinstance(percentiles, dict) else None
        rows.append({"provider": provider, **{key: _number(one.get(key)) for key in COUNTS}, "p95_ms": _number(p95)})
    cached = told.data.get("cache")
    hits = cached if isinstance(cached, dict) else {}
    rows.append({"provider": "cache", "successes": _number(hits.get("hits")), "failures": _number(hits.get("misses"))})
    return [{**dict.fromkeys(("provider", *COUNTS, "p95_ms")), **row, "left": told.left} for row in rows]


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _chat(target: ReadTarget) -> list[dict[str, Any]]:
    where = address(target, "/metrics")
    answer = target.web.get(where)
    if answer.status != 200:
        raise Unreachable(f"{where} answered {answer.status}.", "Look whether metrics are served there.", "other")
    by_status, began = chat_counts(answer.text, f"{target.settings.metrics_prefix}http_requests_total")
    age = None if began is None else max(0.0, now().timestamp() - began)
    rows = [
        {"status": status, "about": about(status), "requests": count, "age": age}
        for status, count in sorted(by_status.items())
    ]
    return rows or [{"status": None, "about": "nothing", "requests": 0, "age": age}]


def about(status: int) -> str:
    """Return what an answer of the chat route is about: ``answered``, or whose fault it is."""
    if status < 400:
        return "answered"
    return CLASSES.get(status) or ("the server" if status >= 500 else "the request")


def chat_counts(text: str, series: str) -> tuple[dict[int, int], float | None]:
    """Return the chat route's answers by status, and when the process began; raises Unreachable for other text."""
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[int, int] = {}
    began: float | None = None
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == "process_start_time_seconds":
                    began = sample.value
                if sample.name == series and _is_chat(str(sample.labels.get("route", ""))):
                    status = sample.labels.get("status_code", "")
                    if status.isdecimal():
                        found[int(status)] = found.get(int(status), 0) + int(sample.value)
    except ValueError as error:
        raise Unreachable(f"The metrics are no Prometheus text ({error}).", "Look at /metrics.", "malformed") from None
    if series not in text:
        raise Unreachable(f"The metrics hold no {series}.", "Correct OPS_METRICS_PREFIX, or look at /metrics.", "other")
    return found, began


def _is_chat(route: str) -> bool:
    return route.rstrip("/") in (CHAT, CHAT.replace("/api/", "/api/v1/"))


stats = Probe(
    "llm-stats",
    "The gateway's counters",
    _stats,
    source="GET /api/llm/stats",
    units={"p95_ms": "ms"},
)
"""A row per provider and one of the cache (hits as successes, misses as failures).

Counters of ten seconds, but calls and failures, which count since the process began; the product's ``fallbacks``
stays 0 even when the fallback served, and is not shown.
"""

chat = Probe(
    "llm-chat-answers",
    "What the chat route answered since the process began",
    _chat,
    source=f"GET /metrics: http_requests_total of {CHAT}, by status_code",
    units={"age": "s"},
)
"""A row per status: how many answers, and what they are about; ``age`` is the process's."""
