"""The probes of the area: how a secret stands, sessions that stand out, functions with their owner's rights."""

from opslib.probes.security_incident import SHOWN, came_since, definers, networks, secret, sign_ins

__all__ = ["SHOWN", "came_since", "definers", "networks", "secret", "sign_ins"]
