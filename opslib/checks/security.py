"""The checks of the area: who sees whose rows, secrets in the open, browsers, an incident's signs, keys."""

from opslib.checks.security_asked import answer as log_answer
from opslib.checks.security_asked import lines as log_lines
from opslib.checks.security_asked import sign_ins as log_sign_ins
from opslib.checks.security_asked import streams as log_streams
from opslib.checks.security_asked import volume as log_volume
from opslib.checks.security_incident import definers, networks, rotation
from opslib.checks.security_keys import key_in_use, key_stores, new_key_serves, old_key_refused, old_key_rests
from opslib.checks.security_logs import pod_logs
from opslib.checks.security_secrets import bundle, tracked
from opslib.checks.security_signing import keys as signing_keys
from opslib.checks.security_signing import standby_published, token_verifiers
from opslib.checks.security_tenants import matrix, open_policies, row_security, views
from opslib.checks.security_web import content_policy, cors, headers, transport
from opslib.checks.security_writes import writes
from opslib.checks.tree import Tree
from opslib.model import Check

DECISIVE: tuple[Check, ...] = (row_security, views, matrix, open_policies, writes, bundle, cors, headers)
"""What tells most, most first; counting rows with others' eyes (``matrix``) takes some seconds."""

TREES: tuple[Tree, ...] = ()
"""The guide has no common issue of this area."""

__all__ = [
    "DECISIVE",
    "TREES",
    "bundle",
    "content_policy",
    "cors",
    "definers",
    "headers",
    "key_in_use",
    "key_stores",
    "log_answer",
    "log_lines",
    "log_sign_ins",
    "log_streams",
    "log_volume",
    "matrix",
    "networks",
    "new_key_serves",
    "old_key_refused",
    "old_key_rests",
    "open_policies",
    "pod_logs",
    "rotation",
    "row_security",
    "signing_keys",
    "standby_published",
    "token_verifiers",
    "tracked",
    "transport",
    "views",
    "writes",
]
