"""What the server counts of its own requests: Prometheus series with the product's names, and recent latencies.

No finite bucket lies above 1000 ms, as in the product: a quantile computed from the histogram stops there.
"""

from __future__ import annotations

import math
from collections import deque

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

BUCKETS = (10.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
LABELS = ("method", "route", "status_code", "tenant_id")
RECENT = 120
GROUPED = ("/api/llm/chat", "/api/billing", "/api/queue")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class RequestMetrics:
    """The series of one process."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the product exports no such series
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        name, text = "valuecanvas_http_request_duration_ms", "Duration of HTTP requests in milliseconds"
        self._duration = Histogram(name, text, LABELS, buckets=BUCKETS, registry=self._registry)
        self._requests = self._counter("valuecanvas_http_requests_total", "HTTP requests received", LABELS)
        self._errors = self._counter("valuecanvas_http_request_errors_total", "HTTP requests answered by 5xx", LABELS)
        # Registered and never counted up: the stand-in has no payments.
        self._counter("billing_stripe_webhooks_total", "Stripe webhooks processed", ("event_type", "status"))
        self._counter("billing_invoices_processed_total", "Invoice events processed", ("event_type",))
        self._counter("billing_jobs_failures_total", "Billing job failures", ("job", "reason"))
        self._recent: dict[str, deque[float]] = {}

    def note(self, method: str, path: str, status: int, tenant: str, milliseconds: float) -> None:
        """Count one answered request. Unknown paths become labels as they are, as in the product."""
        route = next((group for group in GROUPED if path.startswith(group)), path)
        self._recent.setdefault(route, deque(maxlen=RECENT)).append(milliseconds)
        if path == "/metrics":
            return
        labels = (method, path, str(status), tenant)
        self._requests.labels(*labels).inc()
        self._duration.labels(*labels).observe(milliseconds)
        if status >= 500:
            self._errors.labels(*labels).inc()

    def text(self) -> bytes:
        """Return all series as Prometheus text."""
        return generate_latest(self._registry)

    def latency(self) -> dict[str, dict[str, float]]:
        """Return p50, p95 (whole milliseconds) and count of each route's last 120 requests."""
        return {
            route: {"p50": _percentile(times, 50), "p95": _percentile(times, 95), "count": len(times)}
            for route, times in self._recent.items()
        }

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(name, text, labels, registry=self._registry)


def _percentile(times: deque[float], percent: int) -> int:
    ordered = sorted(times)
    return round(ordered[min(len(ordered), math.ceil(percent / 100 * len(ordered))) - 1])
