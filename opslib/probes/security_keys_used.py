"""A key as its issuer lists it, with when it was used last: OpenAI's list says so, of Supabase its gateway's log.

The log is asked for a day at most, and may lag behind; what it does not hold was not used as far as is known. Source:
Supabase, "Logs field reference" (API Gateway). Not tried on a real project.
"""

from __future__ import annotations

from datetime import timedelta

from opslib.model import now
from opslib.probes.questions import question
from opslib.redaction import Secret
from opslib.systems.api import Shape
from opslib.systems.issuers import Entry
from opslib.systems.rotated_keys import ProjectKey, Rotated
from opslib.systems.supabase_keyring import SERVICE_ROLE
from opslib.systems.target import PlanTarget

HOURS = 24.0


class _Use(Shape):
    used: int
    hash: str


def listed(target: PlanTarget, one: Rotated, value: Secret) -> Entry | None:
    """Return the issuer's entry of a key; None where none can be it, or more than one, or nobody lists keys."""
    issuer = target.issuer(one.name)
    found = issuer.entry(value) if issuer is not None else None
    if found is None or not isinstance(one, ProjectKey):
        return found
    return Entry(found.id, _used(target, found.hash), found.hash)


def _used(target: PlanTarget, name: str) -> int | None:
    asked = question("keys/older_key_used" if name == SERVICE_ROLE else "keys/api_keys_used")
    end = now()
    found = target.supabase.logs(_Use, asked.text, end - timedelta(hours=HOURS), end)
    return max((one.used // 1000 for one in found if one.hash == name), default=None)
