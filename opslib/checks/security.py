"""The checks of the area: whether a secret rotates, sign-ins from many networks, unguarded functions, logs, keys."""

from opslib.checks.security_incident import definers, networks, rotation
from opslib.checks.security_keys import key_in_use, key_stores, new_key_serves, old_key_refused, old_key_rests
from opslib.checks.security_logs import pod_logs

__all__ = [
    "definers",
    "key_in_use",
    "key_stores",
    "networks",
    "new_key_serves",
    "old_key_refused",
    "old_key_rests",
    "pod_logs",
    "rotation",
]
