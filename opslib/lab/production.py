"""What the lab's production is given: the guide's variables in their forms, none of them anybody's key.

One value for one variable, wherever it stands: in the vault, in what the cluster's pods are started with, at the
hosters.
"""

from __future__ import annotations

import base64
import json
from typing import Any

PROJECT = "labvaluecanvaslabref"
"""Reference of the project at the lab's Supabase, which the anonymous key is of."""
DOMAIN = "valuecanvas.com"
SITE, RECOVERY_SITE = "127.0.0.1", "127.0.0.2"
"""Where the application is, and where it listens as well: its recovery site."""
NAMES = {"postgres": f"db.{PROJECT}.supabase.co:5432", "standby": f"standby.{PROJECT}.supabase.co:5432"}
"""What the application calls the lab's two servers of the database; only the lab knows these names."""
_DUMMY = "lab-dummy"


def anonymous(project: str, role: str = "anon", until: int = 4_000_000_000) -> str:
    """Return a token as Supabase makes them for a project's key of ``role``; its signature is none."""
    said = {"iss": "supabase", "ref": project, "role": role, "iat": 1_760_000_000, "exp": until}
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, said)]
    parts.append(b"the lab signs nothing, and nobody looks")
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


OWN = {
    "TOGETHER_API_KEY": f"tgp_v1_{_DUMMY}-together-api-key-of-production",
    "OPENAI_API_KEY": f"sk-{_DUMMY}-openai-api-key",
    "SUPABASE_ANON_KEY": anonymous(PROJECT),
    "SUPABASE_SERVICE_KEY": f"sb_secret_{_DUMMY}-service-key-of-production",
    "JWT_SECRET": f"{_DUMMY}-jwt-secret-of-the-labs-production",
    "DATABASE_URL": f"postgresql://api:{_DUMMY}-database@{NAMES['postgres']}/postgres?sslmode=require",
    "REDIS_URL": f"rediss://api:{_DUMMY}-redis@cache.{DOMAIN}:6379/0",
    "ADMIN_TOKEN": f"{_DUMMY}-token-of-an-administrator",
    "HOSTED_ZONE_ID": "Z0LABDUMMYZONE",
}
"""What has a form of its own."""
RENEWED = {"TOGETHER_API_KEY": f"tgp_v1_{_DUMMY}-together-api-key-of-last-year"}
"""What the vault's previous version has in other words: a key that was renewed since."""


def dummy(name: str) -> str:
    """Return the value that a key of the product has in a new lab."""
    return OWN.get(name, f"{_DUMMY}-{name.lower().replace('_', '-')}")


API_SECRETS = {
    **{name: dummy(name) for name in ("JWT_SECRET", "DATABASE_URL", "REDIS_URL")},
    "AWS_ACCESS_KEY_ID": "AKIA" + "LABDUMMYLABDUMMY",
    "AWS_SECRET_ACCESS_KEY": "lab/dummy/" * 4,
}
"""What the API's pods alone are started with, as a secret; keys that are rotated are in one of others' as well."""
API_SETTINGS = {
    "REDIS_ENABLED": "true",
    "AWS_REGION": "us-east-1",
    "S3_BUCKET_NAME": "valuecanvas-backups",
    "S3_ENABLED": "true",
    "SECRETS_MANAGER_SECRET_NAME": "valuecanvas/production/secrets",
    "SECRETS_MANAGER_ENABLED": "true",
    "OTLP_ENDPOINT": "http://localhost:4318",
    "CLOUDWATCH_LOG_GROUP": "/valuecanvas/application",
    "CLOUDWATCH_ENABLED": "true",
    "CORS_ALLOWED_ORIGINS": f"https://{DOMAIN},https://app.{DOMAIN}",
    "RATE_LIMIT_PER_MINUTE": "60",
    "CSRF_PROTECTION_ENABLED": "true",
    "CSP_ENABLED": "true",
}
"""What they are started with, as a config map."""
BUILDS = {
    "VITE_APP_ENV": "production",
    "VITE_APP_URL": f"https://app.{DOMAIN}",
    "VITE_API_BASE_URL": f"https://api.{DOMAIN}",
    "VITE_SUPABASE_ANON_KEY": dummy("SUPABASE_ANON_KEY"),
    "VITE_LLM_PROVIDER": "together",
    "VITE_LLM_GATING_ENABLED": "true",
    "VITE_SENTRY_DSN": "https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/42",
    "VITE_SENTRY_ENABLED": "true",
    "VITE_HTTPS_ONLY": "true",
}
"""What the hosters give to builds for production, besides the address of the lab's own Supabase."""


def hosted(supabase: str, updated: float) -> list[dict[str, Any]]:
    """Return what a hoster has, set before its newest builds; of a secret nobody can read the value there.

    ``supabase`` is where the lab's projects are.
    """
    builds = BUILDS | {"VITE_SUPABASE_URL": f"{supabase}/sites/{PROJECT}"}
    public = [{"name": name, "secret": False, "updated": updated, "value": value} for name, value in builds.items()]
    return [{"name": "SENTRY_AUTH_TOKEN", "secret": True, "updated": updated}, *public]
