"""Checks of the API; each part in a module of its own, all of it offered here."""

from opslib.checks.application_compared import errors_compared, times_compared
from opslib.checks.application_health import coupling, health
from opslib.checks.application_limit import rate_limit
from opslib.checks.application_objective import burn, fresh, uptime
from opslib.checks.application_rates import error_rate, response_time
from opslib.checks.application_ready import ready
from opslib.checks.application_routes import routes
from opslib.checks.application_watch import after_change
from opslib.checks.tree import Tree
from opslib.model import Check

DECISIVE: tuple[Check, ...] = (
    *(health, error_rate(seconds=2.0), response_time(seconds=2.0), routes(seconds=2.0)),
    *(burn(month=False), uptime(), fresh, coupling),
)
"""What tells most of the API, most telling first, without waiting for a window."""

TREES: tuple[Tree, ...] = ()
"""The guide has no common issue of the API as a whole."""

__all__ = [
    "DECISIVE",
    "TREES",
    "after_change",
    "burn",
    "coupling",
    "error_rate",
    "errors_compared",
    "fresh",
    "health",
    "rate_limit",
    "ready",
    "response_time",
    "routes",
    "times_compared",
    "uptime",
]
