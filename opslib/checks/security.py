"""The checks of the area: whether a secret can be rotated, who signs in from many networks, unguarded functions."""

from opslib.checks.security_incident import definers, networks, rotation

__all__ = ["definers", "networks", "rotation"]
