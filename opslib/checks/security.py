"""The checks of the area: whether a secret can be rotated, sign-ins from many networks, unguarded functions, logs."""

from opslib.checks.security_incident import definers, networks, rotation
from opslib.checks.security_logs import pod_logs

__all__ = ["definers", "networks", "pod_logs", "rotation"]
