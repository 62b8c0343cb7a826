"""What the application stand-in is told by its environment: addresses, shapes, and times that drills shorten."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from opslib.errors import SettingsError

PLACE = "/_lab/replica"
"""Below it each replica is found by itself, as a pod is at its own address."""
HEALTH_SHAPES = ("router", "billing", "legacy")
"""The three health surfaces found in the product: the router, the shipped server, and its predecessor."""


@dataclass(frozen=True)
class Times:
    """Seconds that the product fixes in its code; each has a variable ``LAB_<NAME>_SECONDS`` here."""

    call: float = 30.0
    """A breaker gives up on a call after this."""
    window: float = 10.0
    """The breaker's rolling window."""
    half_open: float = 60.0
    """An open breaker lets one call through after this."""
    upstream: float = 25.0
    """The HTTP client inside the breaker gives up after this."""
    look: float = 5.0
    """A health look at a provider gives up after this."""
    database: float = 3.0
    """A statement, or a connection, to the database gives up after this."""
    startup: float = 10.0
    """``/health/startup`` says ``starting`` until this uptime."""
    rate_window: float = 60.0
    """The minute of the request limits."""
    session_idle: float = 1800.0
    """A session ends when idle for longer."""
    session_absolute: float = 3600.0
    """A session ends at this age."""
    cache_ttl: float = 86400.0
    """A cached answer lives this long."""
    slow: float = 35.0
    """A provider stand-in with the fault ``slow`` waits this long before it answers."""


@dataclass(frozen=True)
class Options:
    """Everything the process reads from its environment, once, at the start."""

    database_url: str = field(default="", repr=False)
    cache_url: str = field(default="", repr=False)
    disk_path: Path = Path()
    together_url: str = ""
    openai_url: str = ""
    supabase_url: str = ""
    """The project's own address; unset: what the product reads through it is read where it is."""
    together_key: str = field(default="", repr=False)
    openai_key: str = field(default="", repr=False)
    pods_url: str = ""
    """Where the cluster's stand-in tells what the application's pods were started with; unset: the keys here."""
    pods_ca: str = ""
    names: Path | None = None
    """The lab's file that says where its servers are; with pods, their own DATABASE_URL counts then."""
    service_token: str = field(default="", repr=False)
    monitor_token: str = field(default="", repr=False)
    """Bearer token of a user who looks and has no session: health and stats are told, chat and reset are not."""
    admin_token: str = field(default="", repr=False)
    admin_session: str = field(default="", repr=False)
    """Bearer token and session of an administrator who is always signed in."""
    replicas: int = 1
    health_shape: str = "router"
    open_llm_health: bool = False
    load_per_second: float = 5.0
    pool_size: int = 4
    origins: tuple[str, ...] = ()
    """Origins of front ends that may call this one from a browser (CORS_ALLOWED_ORIGINS)."""
    version: str = "1.0.0"
    environment: str = "lab"
    times: Times = Times()


def from_environment(variables: Mapping[str, str] | None = None) -> Options:
    """Return the options; an unset variable keeps its default. Raises SettingsError that names the variable."""
    given = dict(os.environ if variables is None else variables)
    shape = given.get("LAB_HEALTH_SHAPE", "router")
    if shape not in HEALTH_SHAPES:
        raise SettingsError(f"LAB_HEALTH_SHAPE is {shape!r}.", f"Choose one of: {', '.join(HEALTH_SHAPES)}.")
    return Options(
        database_url=given.get("DATABASE_URL", ""),
        cache_url=given.get("REDIS_URL", ""),
        disk_path=Path(given.get("LAB_DISK_PATH") or "."),
        together_url=given.get("TOGETHER_URL", "").rstrip("/"),
        openai_url=given.get("OPENAI_URL", "").rstrip("/"),
        supabase_url=given.get("SUPABASE_URL", "").rstrip("/"),
        together_key=given.get("TOGETHER_API_KEY", "lab-together-key"),
        openai_key=given.get("OPENAI_API_KEY", "lab-openai-key"),
        pods_url=given.get("LAB_PODS_URL", "").rstrip("/"),
        pods_ca=given.get("LAB_PODS_CA", ""),
        names=Path(given["LAB_NAMES"]) if given.get("LAB_NAMES") else None,
        origins=tuple(filter(None, given.get("CORS_ALLOWED_ORIGINS", "").split(","))),
        service_token=given.get("SERVICE_IDENTITY_TOKEN", ""),
        monitor_token=given.get("LAB_MONITOR_TOKEN", ""),
        admin_token=given.get("LAB_ADMIN_TOKEN", ""),
        admin_session=given.get("LAB_ADMIN_SESSION", ""),
        replicas=int(_number(given, "LAB_REPLICAS", 1.0, least=1.0, most=9.0)),
        health_shape=shape,
        open_llm_health=given.get("LAB_OPEN_LLM_HEALTH", "0") not in ("", "0"),
        load_per_second=_number(given, "LAB_LOAD_PER_SECOND", 24.0, most=100.0),
        pool_size=int(_number(given, "LAB_POOL_SIZE", 4.0, least=1.0, most=40.0)),
        version=given.get("APP_VERSION") or "1.0.0",
        environment=given.get("NODE_ENV") or "lab",
        times=_times(given),
    )


def _times(given: Mapping[str, str]) -> Times:
    standard = Times()
    names = Times.__dataclass_fields__
    values = {n: _number(given, f"LAB_{n.upper()}_SECONDS", getattr(standard, n), least=0.01) for n in names}
    # A startup of no seconds is sensible: the probe then says "started" at once.
    values["startup"] = _number(given, "LAB_STARTUP_SECONDS", standard.startup)
    return Times(**values)


def _number(given: Mapping[str, str], name: str, default: float, *, least: float = 0.0, most: float = 1e6) -> float:
    text = given.get(name)
    if text is None or text == "":
        return default
    try:
        value = float(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}.", f"Give a number from {least:g} to {most:g}.") from None
    if not least <= value <= most:
        raise SettingsError(f"{name} is {text}.", f"Give a number from {least:g} to {most:g}.")
    return value
