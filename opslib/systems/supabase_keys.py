"""What a Supabase project's keys say of themselves: role, project, until when, and whether one secret signed them.

They are decoded, compared and never shown. Sources: Supabase, "Understanding API keys" (a JSON web token with role,
ref, iss, exp; or sb_publishable_ and sb_secret_), RFC 7515 for the signature.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from opslib.redaction import Secret
from opslib.settings_supabase import ProjectAccess, ProjectSecrets
from opslib.systems.env_variables import key_of

ANON, SERVICE = "VITE_SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY"
Signature = Literal["fits", "does not fit", "not seen"]


@dataclass(frozen=True)
class KeyStanding:
    """One key: whether it is set, its form, and what it says; ``signature`` is held against JWT_SECRET."""

    variable: str
    set: bool
    form: str
    role: str
    project: str
    issuer: str
    expires: float | None
    signature: Signature


class ProjectKeys:
    """The keys of a target description, to be looked at by the executor."""

    def __init__(self, settings: Any) -> None:
        access: ProjectAccess = settings
        hidden: ProjectSecrets = settings
        self._keys = {ANON: access.supabase_anon_key, SERVICE: hidden.supabase_service_key}
        self._secret = hidden.jwt_secret

    def standings(self) -> Iterator[KeyStanding]:
        """Yield how each key stands."""
        for variable, key in self._keys.items():
            said = key_of(key.reveal()) if key else {}
            until = said.get("exp")
            yield KeyStanding(
                variable,
                key is not None,
                _form(key),
                _word(said.get("role")),
                _word(said.get("ref")),
                _word(said.get("iss")),
                float(until) if isinstance(until, (int, float)) else None,
                self._signature(key),
            )

    @property
    def same(self) -> bool:
        """Whether both variables hold one key."""
        anon, service = (key.reveal() if key else "" for key in self._keys.values())
        return bool(anon) and hmac.compare_digest(anon.encode(), service.encode())

    def _signature(self, key: Secret | None) -> Signature:
        if key is None or self._secret is None or _form(key) != "token" or _algorithm(key) != "HS256":
            return "not seen"
        head, _, signature = key.reveal().rpartition(".")
        made = hmac.digest(self._secret.reveal().encode(), head.encode(), "sha256")
        wanted = base64.urlsafe_b64encode(made).decode().rstrip("=")
        return "fits" if hmac.compare_digest(wanted.encode(), signature.encode()) else "does not fit"


def _form(key: Secret | None) -> str:
    plain = key.reveal() if key else ""
    if not plain:
        return "none"
    if plain.startswith(("sb_publishable_", "sb_secret_")):
        return "publishable" if plain.startswith("sb_publishable_") else "secret"
    return "token" if key_of(plain) else "neither a token nor sb_…"


def _algorithm(key: Secret) -> str:
    first = key.reveal().partition(".")[0]
    try:
        said = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except ValueError:
        return ""
    return str(said.get("alg")) if isinstance(said, dict) else ""


def _word(said: Any) -> str:
    """Return a claim as a report may show it: a stranger may have written it."""
    return said[:40] if isinstance(said, str) else ""
