"""A target whose systems do not answer: every address, or one system's, leads to a port where nobody listens."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

_PLACE = re.compile(r"(127\.0\.0\.\d+):\d+")


@contextmanager
def closed_port() -> Iterator[int]:
    """Hold a port of loopback that refuses connections, so that no other process comes to listen there."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def closed(text: str, port: int) -> str:
    """Return ``text`` with every address of loopback that has a port led to ``port``."""
    return _PLACE.sub(rf"\1:{port}", text)


SYSTEMS: dict[str, tuple[str, ...]] = {
    "database": ("read_database_url", "database_url", "scratch_database_url"),
    "cache": ("read_cache_url", "cache_url"),
    "aws": ("aws_endpoint_url",),
    "application": ("application_url", "api_replicas"),
    "server metrics": ("server_metrics_url",),
    "prometheus": ("prometheus_url",),
    "alertmanager": ("alertmanager_url",),
    "grafana": ("grafana_url",),
    "jaeger": ("jaeger_url",),
    "status pages": ("status_pages",),
    "resolver": ("resolver",),
    "sentry": ("sentry_url",),
    "front end": ("front_end_url",),
    "vercel": ("vercel_url",),
    "github": ("github_url",),
    "supabase": ("supabase_url",),
    "supabase site": ("supabase_site",),
    "kubernetes": ("kubernetes_url",),
    "together": ("together_url",),
    "openai": ("openai_url",),
}
"""The systems that a triage asks of any lab, with the settings that say where each is."""


def without(settings, system: str, port: int):
    """Return ``settings`` with that system's addresses led to ``port``."""
    return settings.model_copy(update={name: _led(getattr(settings, name), port) for name in SYSTEMS[system]})


def _led(value, port: int):
    if value is None:
        return None
    if isinstance(value, tuple):
        return tuple(closed(one, port) for one in value)
    return type(value)(closed(value.reveal(), port)) if hasattr(value, "reveal") else closed(value, port)
