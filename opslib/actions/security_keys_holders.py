"""Where an old key is still read: stores that hold it, builds and pods that were made before, and functions."""

from __future__ import annotations

import re

from opslib.actions.security_keys import mark_of
from opslib.probes.security_keys import Rotation, hosted
from opslib.probes.security_keys_places import beside
from opslib.systems.issuers import Which, older
from opslib.systems.target import PlanTarget

GIVEN = "SUPABASE_SECRET_KEYS"
"""What Supabase gives each function: the project's secret keys, by their names."""
OLDER = ("SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_ANON_KEY")
"""What Supabase gives each function as well: the older keys."""


def holders(target: PlanTarget, now: Rotation) -> list[str]:
    """Return the places of the description in which the old key is read."""
    settings, found = target.settings, []
    if settings.supabase_project is not None and now.holds(target.supabase.secrets().get(now.variable)) == now.old.id:
        found.append("the functions' secrets at Supabase")
    variable = hosted(target, now.variable)
    if variable is not None and variable.updated is not None:
        live = target.hosting.current().deployment
        if live is None or target.hosting.deployment(live).created < variable.updated:
            found.append("the live front end, built before its variable was set")
    if settings.kubernetes_url is None:
        return found
    # Looked at again: while the old key rested, somebody may have put it where no step here sets a new one.
    found += [f"the cluster's secret {name}, as {key}" for name, key in beside(target, now)]
    secret = target.cluster_secrets.secret(settings.kubernetes_secret)
    key = secret.key_of(now.variable)
    if key is None:
        return found
    if now.holds(secret.value(key)) == now.old.id:
        found.append(f"the cluster's secret {secret.name}")
    mark = mark_of(now.provider)
    for one in target.cluster_secrets.readers(secret.name):
        pods = target.cluster_secrets.pods_of(one)
        if old := [pod.name for pod in pods if pod.meta.annotations.get(mark) != now.version]:
            found.append(f"{len(old)} pods of {one.name}, started before")
    return found


def readers(target: PlanTarget, which: Which) -> list[str]:
    """Return the functions whose source reads a key of the Supabase project's by the name that it has there.

    Supabase itself hands them out: no store that is set here holds them, and they are gone with the key.
    """
    names = OLDER if older(which) else (GIVEN,)
    named = re.compile(rf"""["'.]{re.escape(which.get("named", ""))}\b""")
    found = []
    for slug in sorted(target.supabase.functions()):
        text = b"\n".join(target.supabase.files(slug).values()).decode("utf-8", "replace")
        if any(name in text for name in names) and (older(which) or named.search(text)):
            found.append(slug)
    return found
