"""Whether a value may stand in what every browser gets: of the front end's variables only two are put there from here.

A build puts whatever begins with VITE_ into its files; other frameworks have other prefixes. A Supabase key is told
apart by what it says of itself, and nothing is trusted for it: an anonymous key's token names the role anon, a
publishable key begins so. Sources: Vite, "Env Variables and Modes"; Supabase, "Understanding API keys".
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from opslib.redaction import Redactor, Secret

PREFIX = "VITE_"
FRAMEWORKS = {
    PREFIX: "Vite",
    "NEXT_PUBLIC_": "Next.js",
    "REACT_APP_": "Create React App",
    "NUXT_PUBLIC_": "Nuxt",
    "EXPO_PUBLIC_": "Expo",
    "PUBLIC_": "SvelteKit and Astro",
}
"""Beginnings of names that a framework's build puts into browsers, each as its documentation on environment variables
has it. What is published here is what the description says (OPS_CLIENT_PREFIXES); whoever gave a secret another of
these names meant it for a browser all the same."""
URL, ANON_KEY = "VITE_SUPABASE_URL", "VITE_SUPABASE_ANON_KEY"
PUBLIC = (URL, ANON_KEY)
"""The names that are set for a build from here; every other one that begins with VITE_ is refused."""
MADE_PUBLIC = (ANON_KEY, "VITE_STRIPE_PUBLISHABLE_KEY", "VITE_POSTHOG_KEY", "VITE_SENTRY_DSN")
"""Names that say "key" and are none: their vendors mean them to be read by everybody."""

READ_AS_TEXT = frozenset([".js", ".mjs", ".css", ".html", ".json", ".map", ".txt", ".svg", ".xml", ".webmanifest"])
"""Files that are looked through for what looks like a credential; every file is, for those that are known."""

_SECRET = re.compile(r".*(KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|SERVICE_ROLE|PRIVATE|DATABASE|REDIS)")
_PUBLISHABLE, _HIDDEN = re.compile(r"sb_publishable_[A-Za-z0-9_-]{10,}"), "sb_secret_"


def client_prefix(name: str) -> str:
    """Return the beginning of a name by which some framework's build would publish it; empty where none would."""
    return next((prefix for prefix in FRAMEWORKS if name.startswith(prefix)), "")


def secret_by_name(name: str) -> bool:
    """Tell whether a name says "secret" in a build that everybody can read, whichever framework makes it."""
    prefix = client_prefix(name)
    bare = name.removeprefix(prefix)
    # The public half of a pair (PUBLIC_KEY) has the name that such a build would give a secret.
    half = prefix == "PUBLIC_" and bare.startswith("KEY")
    return bool(prefix) and f"{PREFIX}{bare}" not in MADE_PUBLIC and not half and bool(_SECRET.match(bare))


def unpublishable(name: str, value: Secret, project: str | None) -> str | None:
    """Return why ``value`` must not be what :data:`PUBLIC` says by its name, in words that do not repeat it, or None.

    ``project`` is the reference of the project that a key must be of, where it is known.
    """
    plain = value.reveal()
    if name == URL:
        parts = urlsplit(plain)
        whole = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and not parts.query
        return None if whole else "is no plain address"
    if plain.startswith(_HIDDEN):
        return "is a secret key (sb_secret_): it passes every policy"
    if _PUBLISHABLE.fullmatch(plain):
        return None
    said = _claims(plain)
    if said is None:
        return "is neither a publishable key (sb_publishable_) nor a JSON web token"
    if said.get("role") != "anon":
        role = "service_role" if said.get("role") == "service_role" else "another role than anon"
        return f"is a key of {role}: it passes policies that must hold for everybody"
    if project is not None and said.get("ref") not in (None, project):
        return f"is of another project than {project}"
    until = said.get("exp")
    if isinstance(until, (int, float)) and until < time.time():
        return "has expired"
    return None


def _claims(token: str) -> dict[str, Any] | None:
    """Return what a JSON web token says of itself, its signature unseen; None for what is no such token."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        said = json.loads(base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True))
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def secrets_in(content: Mapping[str, bytes], known: Iterable[Secret], public: Iterable[Secret]) -> list[str]:
    """Return where a secret stands in what would be served to everybody: file and kind, never what it is.

    ``known`` are looked for in every file, in whatever spelling; ``public`` values may stand there.
    """
    redactor, open_ = Redactor(known), Redactor(())
    shown = [part for value in public for part in value.parts()]
    said = []
    for path, data in sorted(content.items()):
        if redactor.leaks(data):
            said.append(f"{path}: a secret that the target description or the vault holds")
        if Path(path).suffix.lower() in READ_AS_TEXT:
            text = data.decode("utf-8", "replace")
            for value in shown:
                text = text.replace(value, "")
            said += [f"{path}: {kind}" for kind in dict.fromkeys(one.rule for one in open_.suspicious(text))]
    return said
