"""What the API says of itself, and what it has answered; each part in a module of its own, all of it offered here."""

from opslib.probes.application_burn import burn
from opslib.probes.application_coupling import coupling
from opslib.probes.application_fresh import fresh
from opslib.probes.application_health import health
from opslib.probes.application_latency import latency
from opslib.probes.application_ready import ready
from opslib.probes.application_routes import routes
from opslib.probes.application_serving import serving
from opslib.probes.application_uptime import uptime
from opslib.probes.application_window import window

__all__ = ["burn", "coupling", "fresh", "health", "latency", "ready", "routes", "serving", "uptime", "window"]
