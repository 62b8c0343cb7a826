"""What keeps environments apart: the lab leads to this machine only, and no two lead to one place or share a key.

All of it is judged by the texts of the descriptions, before anything is connected to. A tunnel that ends on this
machine, or one server under two names, is not told from another by that.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from opslib.settings_telling import ADDRESSES as TELLING
from opslib.settings_vendors import ADDRESSES, LED_BY

Values = Mapping[str, str]

_DATABASES = ("DATABASE_URL", "OPS_READ_DATABASE_URL", "OPS_STANDBY_DATABASE_URL", "OPS_READ_STANDBY_DATABASE_URL")
_CACHES = ("REDIS_URL", "OPS_READ_REDIS_URL")
_KEYS = (
    "AWS_SECRET_ACCESS_KEY",
    "OPS_READ_AWS_SECRET_ACCESS_KEY",
    "OPS_BUCKET_OWNER_AWS_SECRET_ACCESS_KEY",
    "OPS_KUBERNETES_TOKEN",
    "OPS_READ_KUBERNETES_TOKEN",
    "SUPABASE_SERVICE_ROLE_KEY",
    "JWT_SECRET",
)
_LAB = (
    *_DATABASES,
    "OPS_SCRATCH_DATABASE_URL",
    *_CACHES,
    "AWS_ENDPOINT_URL",
    "VITE_API_BASE_URL",
    "OPS_SERVER_METRICS_URL",
    *ADDRESSES,
    *TELLING,
)
_LAB_OWN = (
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "OPS_READ_AWS_ACCESS_KEY_ID",
    "OPS_READ_AWS_SECRET_ACCESS_KEY",
)
_LAB_ANCHOR = ("OPS_ANCHOR_AWS_ACCESS_KEY_ID", "OPS_ANCHOR_AWS_SECRET_ACCESS_KEY")

_PLACES = (
    "environment",
    "read_database_url",
    "database_url",
    "read_standby_url",
    "standby_database_url",
    "continuous_prefix",
    "read_cache_url",
    "cache_url",
    "backup_bucket",
    "backup_prefix",
    "aws_endpoint_url",
    "front_end_url",
    "hoster",
    "vercel_url",
    "vercel_project",
    "vercel_team",
    "netlify_url",
    "netlify_site",
    "cloudflare_url",
    "cloudflare_account",
    "cloudflare_project",
    "github_url",
    "github_repository",
    "supabase_url",
    "supabase_project",
    "supabase_site",
    "vault_secret",
    "kubernetes_url",
    "kubernetes_namespace",
    "pagerduty_url",
    "slack_url",
    "slack_channel",
    "repository",
    "workspace",
    "development_secret",
    "development_port",
    "kubernetes_secret",
    "together_url",
    "openai_url",
    "openai_project",
    "api_replicas",
    "api_pod_port",
    "api_host",
    "hosted_zone",
    "site",
    "recovery_site",
)
"""Names of a description's fields that say where a target is."""

PREFIX = "backups/"
"""Where backups lie when a description says nothing."""


def lab_faults(values: Values) -> Iterator[str]:
    """Yield what could lead a run on the lab away from this machine, or lend it somebody else's credentials."""
    for name in _LAB:
        if values.get(name) and not _here(values[name]):
            yield f"{name}: the lab is on this machine only (localhost, 127.0.0.1, ::1)"
    yield from _asked_elsewhere(values)
    # Without them boto3 would look for others: in the shell, in the home folder, of the machine.
    for name in _LAB_OWN + (_LAB_ANCHOR if values.get("OPS_ANCHOR_BUCKET") else ()):
        if not values.get(name):
            yield f"{name}: missing (the lab uses its own, never those that are found on this machine)"
    if not values.get("OPS_REPOSITORY", "file://").startswith("file://"):
        yield "OPS_REPOSITORY: the lab clones from this machine only (file:///…)"
    for name, leading in LED_BY.items():
        if not values.get(name) and (set_ := [one for one in leading if values.get(one)]):
            yield f"{name}: missing ({set_[0]} is set, and the lab asks its own stand-in, never the vendor)"


def _asked_elsewhere(values: Values) -> Iterator[str]:
    """Yield which replica, status page, name server or site of a lab is not on this machine."""
    if not all(map(_here, filter(None, values.get("OPS_API_REPLICAS", "").split(",")))):
        yield "OPS_API_REPLICAS: the lab is on this machine only (127.0.0.1, ::1)"
    if values.get("OPS_API_POD_PORT"):
        yield "OPS_API_POD_PORT: pods of a lab have no addresses; its replicas are in OPS_API_REPLICAS"
    for page in filter(None, values.get("OPS_STATUS_PAGES", "").split(",")):
        if not _here(page.partition("=")[2]):
            yield f"OPS_STATUS_PAGES: {page.partition('=')[0].strip()}: the lab is on this machine only"
    if values.get("OPS_RESOLVER") and not _here(f"dns://{values['OPS_RESOLVER']}"):
        yield "OPS_RESOLVER: the lab is on this machine only (127.0.0.1, ::1)"
    for name in ("OPS_NAME_SERVERS", "OPS_PUBLIC_RESOLVERS", "OPS_SITE", "OPS_RECOVERY_SITE"):
        places = [place.strip() for place in values.get(name, "").split(",") if place.strip()]
        if not all(_here(f"dns://{_bracketed(place) if 'SITE' in name else place}") for place in places):
            yield f"{name}: the lab is on this machine only (127.0.0.0/8, ::1)"


def shared_faults(values: Values, others: Mapping[str, Values]) -> Iterator[str]:
    """Yield what ``values`` have in common with descriptions of other environments, which are given by file name."""
    for file, other in others.items():
        for names in (_DATABASES, _CACHES):
            theirs = {_place(other[name]) for name in names if other.get(name)}
            for name in names:
                if values.get(name) and _place(values[name]) in theirs - {None}:
                    yield f"{name}: leads to the same place as {file}"
        if values.get("S3_BUCKET_NAME") and _bucket(values) == _bucket(other):
            yield f"S3_BUCKET_NAME: with OPS_BACKUP_PREFIX the same place as in {file}"
        if values.get("OPS_KUBERNETES_URL") and _namespace(values) == _namespace(other):
            yield f"OPS_KUBERNETES_URL: with OPS_KUBERNETES_NAMESPACE the same place as in {file}"
        yield from (f"{name}: the same {what} as in {file}" for name, what in _alike(values, other))
        keys = {other[name] for name in _KEYS if other.get(name)}
        for name in _KEYS:
            if values.get(name) in keys:
                yield f"{name}: the same key stands in {file}"


def _alike(values: Values, other: Values) -> Iterator[tuple[str, str]]:
    for name, what in (("SUPABASE_PROJECT_REF", "project"), ("OPS_WORKSPACE", "folder")):
        if values.get(name) and values[name] == other.get(name):
            yield name, what


def moved(then: Values, now: Values) -> list[str]:
    """Return which addresses of a target, as its record shows them, are others than it has now."""
    return [name for name in _PLACES if name in then and then[name] != now.get(name)]


def _here(address: str) -> bool:
    host = _host(address)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bracketed(place: str) -> str:
    return f"[{place}]" if ":" in place else place


def _host(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def _place(address: str) -> tuple[str, int, str] | None:
    try:
        url = urlsplit(address)
        cache = url.scheme.startswith("redis")
        path = url.path.strip("/") or ("0" if cache else "")
        return (_host(address), url.port or (6379 if cache else 5432), path) if url.hostname else None
    except ValueError:
        return None


def _namespace(values: Values) -> tuple[str, str]:
    return values.get("OPS_KUBERNETES_URL", "").rstrip("/").lower(), values.get("OPS_KUBERNETES_NAMESPACE", "")


def _bucket(values: Values) -> tuple[str, str, str]:
    endpoint = values.get("AWS_ENDPOINT_URL", "").rstrip("/").lower()
    return endpoint, values.get("S3_BUCKET_NAME", ""), values.get("OPS_BACKUP_PREFIX") or PREFIX
