"""What the API says of itself, and what it has answered; each part in a module of its own, all of it offered here."""

from opslib.probes.application_ready import ready
from opslib.probes.application_serving import serving

__all__ = ["ready", "serving"]
