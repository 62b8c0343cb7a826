"""The keys that sign a Supabase project's tokens: in which status each is, what anybody may check with, who checks.

Sources: Supabase, "JWT Signing Keys": the public set is kept by others for about twenty minutes, and what checks tokens
with the shared secret refuses those of another key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opslib.canonical import to_json
from opslib.errors import Refused, Unreachable
from opslib.model import Probe
from opslib.probes.security_keys_places import exposed
from opslib.systems.rotated_keys import ProjectKey
from opslib.systems.supabase_keyring import BEFORE, IN_USE, SHARED, STANDBY, SigningKey
from opslib.systems.target import PlanTarget
from opslib.systems.vault import CURRENT

SECRET = ProjectKey(variable="JWT_SECRET", aliases=("SUPABASE_JWT_SECRET",))
"""The shared secret, by the names that it stands under."""
MIGRATE = (
    "Let the project sign with keys first: Migrate JWT secret, on its page of JWT keys. Nothing changes by that, and "
    "a standby key is made. Then plan again."
)


@dataclass(frozen=True)
class Signing:
    """The keys that sign, by their status; ``older`` is the id of the JWT secret that was made one of them."""

    keys: tuple[SigningKey, ...]
    older: str | None

    def of(self, status: str) -> list[SigningKey]:
        """Return the keys in a status, the one that came into it first first."""
        return sorted((one for one in self.keys if one.status == status), key=lambda one: one.updated)

    def key(self, identity: str) -> SigningKey:
        """Return a key; raises Refused where the project has it no more."""
        found = next((one for one in self.keys if one.id == identity), None)
        if found is None:
            raise Refused(f"The project has no signing key {identity}.", "Look who deleted it.")
        return found

    @property
    def current(self) -> SigningKey:
        """The key that signs; raises Refused where that is not one."""
        found = self.of(IN_USE)
        if not found:
            raise Refused(
                "The project signs with its JWT secret alone. Another secret would invalidate the API keys anon and "
                "service_role at once, and sign everybody out: nothing overlaps.",
                MIGRATE,
            )
        if len(found) > 1:
            raise Refused(f"Supabase lists {len(found)} keys in use.", "Look at the project's page of JWT keys.")
        return found[0]

    @property
    def standby(self) -> SigningKey | None:
        """The key that will sign next, if there is one; raises Refused for one that is a shared secret."""
        found = next(iter(self.of(STANDBY)), None)
        if found is not None and found.algorithm == SHARED:
            raise Refused(
                f"The standby key {found.id} is a shared secret: whoever checks tokens with it could also make them.",
                "Revoke it on the project's page of JWT keys; a key with a public half is made here.",
            )
        return found

    @property
    def before(self) -> list[SigningKey]:
        """The keys that signed before and are still trusted, but for the older secret."""
        return [one for one in self.of(BEFORE) if one.id != self.older]


def signing_of(target: PlanTarget) -> Signing:
    """Return how the project signs; no key where it was never told of keys."""
    try:
        found = target.keyring.signing_keys()
    except Unreachable as error:
        if error.kind != "missing":
            raise
        found = []
    older = target.keyring.older_secret() if found else None
    return Signing(tuple(found), older.id if older else None)


def shown_secret(target: PlanTarget) -> list[str]:
    """Return the stores that hold the shared secret under a name that a build puts into every browser."""
    return exposed(target, SECRET)


def _signing(target: PlanTarget) -> list[dict[str, Any]]:
    now = signing_of(target)
    published = set(target.door.public_keys()) if now.keys else set()
    return [
        {
            "key": one.id,
            "algorithm": one.algorithm,
            "status": one.status,
            "since": to_json(one.updated),
            "made": to_json(one.created),
            "older": one.id == now.older,
            "published": None if one.algorithm == SHARED else one.id in published,
        }
        for one in sorted(now.keys, key=lambda one: one.created)
    ]


def _verifiers(target: PlanTarget) -> list[dict[str, Any]]:
    """Return who may check tokens with the shared secret: stores that hold it, and functions that check by themselves.

    ``shared`` is whether a shared secret signs now: a key with a public half does already where it is not.
    """
    settings, now, found = target.settings, signing_of(target), []
    current = target.vault.stage(CURRENT)
    names = (SECRET.variable, *SECRET.aliases)
    found += [f"the vault: {key}" for key in (current.keys if current else ()) if key in names]
    if settings.kubernetes_url is not None:
        held = [(secret, secret.key_of(name)) for secret in target.cluster_secrets.held_by_pods() for name in names]
        found += [f"the cluster's secret {secret.name}: {key}" for secret, key in held if key]
    if settings.hoster is not None:
        found += [f"{target.hosting.hoster}: {one.name}" for one in target.hosting.variables() if one.name in names]
    checked = [one.slug for one in target.supabase.functions().values() if one.verify_jwt]
    found += [f"the function {slug}, whose callers' tokens Supabase checks" for slug in checked]
    shared = bool(now.keys) and now.current.algorithm == SHARED
    return [{"who": who, "shared": shared} for who in found] or [{"who": "", "shared": shared}]


signing = Probe(
    name="signing-keys",
    title="The keys that sign the project's tokens",
    read=_signing,
    source="GET projects/REF/config/auth/signing-keys · GET $VITE_SUPABASE_URL/auth/v1/.well-known/jwks.json",
    by_executor=True,
)
"""A row per key: algorithm, status, since when, and whether its public half is in the set that anybody checks with."""

verifiers = Probe(
    name="token-verifiers",
    title="Who may check tokens with the shared secret",
    read=_verifiers,
    source="Secrets Manager GetSecretValue · GET namespaces/NS/secrets/NAME · GET projects/REF/functions",
    by_executor=True,
)
"""A row per place that holds the secret, or function that has tokens checked; one row without ``who`` where none."""
