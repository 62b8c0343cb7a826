"""The probes of the area: how a secret stands, sessions that stand out, functions with their owner's rights, logs."""

from opslib.probes.security_asked import clocks as log_clocks
from opslib.probes.security_asked import hours as log_hours
from opslib.probes.security_asked import session as log_session
from opslib.probes.security_incident import SHOWN, came_since, definers, networks, secret, sign_ins
from opslib.probes.security_keys import answers, previous, stores, use
from opslib.probes.security_logs import pod_logs
from opslib.probes.security_signing import signing, verifiers

__all__ = [
    "SHOWN",
    "answers",
    "came_since",
    "definers",
    "log_clocks",
    "log_hours",
    "log_session",
    "networks",
    "pod_logs",
    "previous",
    "secret",
    "sign_ins",
    "signing",
    "stores",
    "use",
    "verifiers",
]
