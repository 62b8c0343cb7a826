"""Where a rotated key stands besides its stores: under a name that browsers get or another one, in other secrets."""

from __future__ import annotations

from opslib.probes.security_keys import Rotation, same
from opslib.redaction import Secret
from opslib.systems.publishable import FRAMEWORKS, client_prefix
from opslib.systems.rotated_keys import ProjectKey, Rotated, names_of
from opslib.systems.supabase import Held
from opslib.systems.supabase_keyring import SECRET, SERVICE_ROLE, form_of
from opslib.systems.target import PlanTarget
from opslib.systems.vault import CURRENT


def exposed(target: PlanTarget, provider: Rotated) -> list[str]:
    """Return the stores that hold the key under a name that a build puts into every browser, by name or by value."""
    settings = target.settings
    public = {f"{prefix}{name}" for prefix in FRAMEWORKS for name in names_of(provider)}
    current = target.vault.stage(CURRENT)
    old = current.value(provider.variable) if current else None
    stores: dict[str, dict[str, Secret | Held | None]] = {"vault": {}}
    if current is not None:
        stores["vault"] = {key: current.value(key) for key in current.keys}
    if settings.supabase_project is not None:
        stores["supabase"] = dict(target.supabase.secrets())
    if settings.kubernetes_url is not None:
        pods = target.cluster_secrets.held_by_pods()
        stores["cluster"] = {key: secret.value(key) for secret in pods for key in secret.keys}
    if settings.hoster is not None:
        # A hoster shows no values.
        stores["front end"] = {one.name: None for one in target.hosting.variables()}
    anon = settings.supabase_anon_key
    if isinstance(provider, ProjectKey) and anon is not None and form_of(anon) in (SECRET, SERVICE_ROLE):
        stores["target description"] = {"VITE_SUPABASE_ANON_KEY": old}
    return [
        f"{store}: {name}"
        for store, held in stores.items()
        for name, value in held.items()
        if name in public or (client_prefix(name) and old is not None and value is not None and same(value, old))
    ]


def twins(target: PlanTarget, now: Rotation) -> list[str]:
    """Return where the old key also stands, under another name or in another secret of pods: it would stay there."""
    old = now.old_key()
    return [f"vault: {key}" for key in now.old.keys if key != now.variable and now.old.value(key) == old] + [
        f"{secret}: {key}" for secret, key in beside(target, now)
    ]


def beside(target: PlanTarget, now: Rotation) -> list[tuple[str, str]]:
    """Return the secrets of pods, and their keys, that hold the old key where no rotation sets it."""
    old, settings = now.old_key(), target.settings
    if settings.kubernetes_url is None:
        return []
    return [
        (secret.name, key)
        for secret in target.cluster_secrets.held_by_pods()
        for key in secret.keys_with(old)
        if (secret.name, key) != (settings.kubernetes_secret, secret.key_of(now.variable))
    ]
