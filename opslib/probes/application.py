"""The application: what it has answered, and whether it says that it is ready."""

from opslib.probes.application_ready import readiness, serving
from opslib.probes.application_traffic import traffic

__all__ = ["readiness", "serving", "traffic"]
