"""What each variable of the product's environment must be, judged without showing a value. Pure.

Told of a value are whether it is there, how long it is roughly, and what is wrong with it in words that do not repeat
it. Source: guide items ENV-VARD, ENV-VARP, ENV-VARL and IMP-ENV-01; Supabase's documentation (API keys: a JSON web
token with a role, or sb_publishable_ and sb_secret_), docs of Together.ai, OpenAI, Sentry and AWS for how their keys
look. What production asks for besides is in :mod:`.env_variables_production`.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from opslib.model import Verdict
from opslib.redaction_known import weakness
from opslib.redaction_patterns import find
from opslib.systems.publishable import FRAMEWORKS, PREFIX, client_prefix, secret_by_name
from opslib.systems.vault import placeholder

Fault = str | None
SHORT, LONG = 16, 64
"""Characters below and from which a value is told to be short or long."""


@dataclass(frozen=True)
class Variable:
    """One variable: the guide's item, whose it is (``development`` or ``production`` as well), how it must look."""

    name: str
    item: str
    form: Callable[[str], Fault]
    production: bool = False
    secret: bool = False
    recommended: bool = False
    standard: str = ""
    """What a development environment sets it to; empty: the vault's."""


def _address(*schemes: str) -> Callable[[str], Fault]:
    def form(value: str) -> Fault:
        url = parted(value)
        if url is None or url.scheme not in schemes or not url.hostname:
            return f"is no address that begins with {' or '.join(f'{one}://' for one in schemes)}"
        if url.scheme == "http" and not loopback(url.hostname):
            return "leads over plain http to another machine"
        return "has user or password in it" if "@" in url.netloc and url.scheme.startswith("http") else None

    return form


def _collector(value: str) -> Fault:
    url = parted(value)
    # Beside the program, or a service of the same cluster: there collectors are spoken to without TLS.
    inside = url and url.scheme == "http" and url.hostname and re.fullmatch(_INSIDE, url.hostname)
    return None if inside else _address("http", "https")(value)


def _words(*allowed: str) -> Callable[[str], Fault]:
    return lambda value: None if value in allowed else f"is not {' or '.join(allowed)}"


def _like(pattern: str, what: str) -> Callable[[str], Fault]:
    known = re.compile(pattern, re.ASCII)
    return lambda value: None if known.fullmatch(value) else f"does not look like {what}"


def _supabase(*roles: str) -> Callable[[str], Fault]:
    def form(value: str) -> Fault:
        role = key_of(value).get("role")
        if role in roles:
            expires = key_of(value).get("exp")
            return "has expired" if isinstance(expires, (int, float)) and expires < time.time() else None
        if role in ("anon", "service_role"):
            return f"is the {'public' if role == 'anon' else 'service role'} key, not the one of this name"
        return "is no key of Supabase's"

    return form


def _random(value: str) -> Fault:
    if len(value) < 32:
        return "has fewer than 32 characters"
    return weakness(value)


def _dsn(value: str) -> Fault:
    url = parted(value)
    good = (
        url is not None
        and url.scheme == "https"
        and url.username
        and not url.password
        and url.path.strip("/").isdigit()
    )
    return None if good else "is no DSN of Sentry's (https://KEY@HOST/NUMBER)"


def _database(value: str) -> Fault:
    url = parted(value)
    good = url is not None and url.scheme in ("postgres", "postgresql") and url.hostname
    return None if good else "is no address of a PostgreSQL (postgresql://…)"


def _origins(value: str) -> Fault:
    if value.strip() in ("", "*") or "*" in value:
        return "allows any origin, or none"
    urls = [parted(one.strip()) for one in value.split(",")]
    good = all(url and url.scheme == "https" and url.hostname and url.path in ("", "/") for url in urls)
    return None if good else "has what is no https origin"


_INSIDE = r"[a-z0-9-]+|[a-z0-9.-]+\.svc(\.cluster\.local)?"
"""Names that only the cluster's own name server knows."""

_true = _words("true")
_together = _like(r"[0-9a-f]{64}|tgp_v1_[A-Za-z0-9_-]{30,}", "a key of Together.ai's")
_openai = _like(r"sk-[A-Za-z0-9_-]{20,}", "a key of OpenAI's")

VARIABLES: tuple[Variable, ...] = (
    Variable("VITE_APP_ENV", "ENV-VARD-01", _words("development", "staging", "production"), standard="development"),
    Variable("VITE_APP_URL", "ENV-VARD-02", _address("http", "https"), standard="http://localhost:5173"),
    Variable("VITE_API_BASE_URL", "ENV-VARD-03", _address("http", "https"), standard="http://localhost:3000"),
    Variable("VITE_SUPABASE_URL", "ENV-VARD-04", _address("https", "http")),
    Variable("VITE_SUPABASE_ANON_KEY", "ENV-VARD-05", _supabase("anon")),
    Variable("SUPABASE_SERVICE_ROLE_KEY", "ENV-VARD-06", _supabase("service_role"), secret=True),
    Variable("JWT_SECRET", "ENV-VARD-07", _random, secret=True),
    Variable("TOGETHER_API_KEY", "ENV-VARD-08", _together, secret=True),
    Variable("OPENAI_API_KEY", "ENV-VARD-09", _openai, secret=True, recommended=True),
    Variable("REDIS_URL", "ENV-VARD-10", _address("redis", "rediss"), standard="redis://localhost:6379"),
    Variable("REDIS_ENABLED", "ENV-VARD-11", _true, standard="true"),
    Variable("VITE_LLM_PROVIDER", "ENV-VARL-01", _words("together", "openai"), standard="together"),
    Variable("VITE_LLM_GATING_ENABLED", "ENV-VARL-02", _true, standard="true"),
    Variable("AWS_REGION", "ENV-VARP-01", _like(r"[a-z]{2}(-[a-z]+)+-\d", "a region"), production=True),
    Variable("AWS_ACCESS_KEY_ID", "ENV-VARP-02", _like(r"(AKIA|ASIA)[A-Z0-9]{16}", "an access key's id"), True, True),
    Variable("AWS_SECRET_ACCESS_KEY", "ENV-VARP-03", _like(r"[A-Za-z0-9/+]{40}", "a secret access key"), True, True),
    Variable("S3_BUCKET_NAME", "ENV-VARP-04", _like(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name"), True),
    Variable("S3_ENABLED", "ENV-VARP-05", _true, production=True),
    Variable(
        "SECRETS_MANAGER_SECRET_NAME", "ENV-VARP-06", _like(r"[A-Za-z0-9/_+=.@-]{1,512}", "a secret's name"), True
    ),
    Variable("SECRETS_MANAGER_ENABLED", "ENV-VARP-07", _true, production=True),
    Variable("VITE_SENTRY_DSN", "ENV-VARP-08", _dsn, production=True),
    Variable("VITE_SENTRY_ENABLED", "ENV-VARP-09", _true, production=True),
    Variable("OTLP_ENDPOINT", "ENV-VARP-10", _collector, production=True),
    Variable("CLOUDWATCH_LOG_GROUP", "ENV-VARP-11", _like(r"[A-Za-z0-9_/.#-]{1,512}", "a log group"), production=True),
    Variable("CLOUDWATCH_ENABLED", "ENV-VARP-12", _true, production=True),
    Variable("VITE_HTTPS_ONLY", "ENV-VARP-13", _true, production=True),
    Variable("CORS_ALLOWED_ORIGINS", "ENV-VARP-14", _origins, production=True),
    Variable("RATE_LIMIT_PER_MINUTE", "ENV-VARP-15", _like(r"[1-9][0-9]{0,4}", "a number of 1 to 99999"), True),
    Variable("CSRF_PROTECTION_ENABLED", "ENV-VARP-16", _true, production=True),
    Variable("CSP_ENABLED", "ENV-VARP-17", _true, production=True),
    Variable("DATABASE_URL", "IMP-ENV-01", _database, True, True),
)
"""The guide's variables. What only production needs is judged elsewhere only where it is set."""

_SWITCH = re.compile(r"true|false|[0-9]{1,6}", re.ASCII)
"""What no secret is, whatever its name says (VITE_LLM_TOKEN_LIMIT)."""
SECRETS = tuple(one.name for one in VARIABLES if one.secret)


def judged(
    values: Mapping[str, str],
    *,
    production: bool = False,
    more: tuple[Variable, ...] = (),
    published: tuple[str, ...] = (PREFIX,),
) -> list[dict[str, Any]]:
    """Return one row for each variable that is needed or set, and for each name that must not be: never a value.

    ``published`` are the beginnings of names that the front end's build puts into browsers.
    """
    rows, every = [], (*VARIABLES, *more)
    for one in every:
        value = values.get(one.name, "")
        if not value and one.production and not production:
            continue
        verdict, finding = _standing(one, value, values)
        rows.append(_row(one.name, one.item, value, verdict, finding))
    known = {one.name for one in every}
    for name in sorted(values.keys() - known):
        if placeholder(values[name]):
            rows.append(_row(name, "", values[name], Verdict.CRITICAL, "is a template's value"))
    public = [name for name in sorted(values) if client_prefix(name)]
    rows += [_row(name, "", values[name], *exposure(name, published)) for name in public if leaks(name, values[name])]
    return rows


def exposure(name: str, published: tuple[str, ...]) -> tuple[Verdict, str]:
    """Return how bad a secret under a public name is: given to every browser, or to those of another framework."""
    if name.startswith(published):
        return Verdict.CRITICAL, "is a secret under a name that every browser gets"
    other = FRAMEWORKS[client_prefix(name)]
    return Verdict.WARNING, f"is a secret under a name that builds with {other} give to every browser"


def leaks(name: str, value: str) -> bool:
    """Tell whether a variable that a build makes public is named as a secret, or holds one."""
    role, bare = key_of(value).get("role"), name.removeprefix(client_prefix(name))
    if not value or role == "anon" or bare == "SENTRY_DSN" or _SWITCH.fullmatch(value):
        return False
    return secret_by_name(name) or bool(role or find(f"{name}={value}"))


def length(value: str) -> str:
    """Return how long a value is, roughly: an exact length would tell more of it than a reader needs."""
    return "none" if not value else "short" if len(value) < SHORT else "long" if len(value) >= LONG else "middling"


def key_of(value: str) -> dict[str, Any]:
    """Return what a key of Supabase's says of itself (role, ref, exp), unverified; nothing where it is none."""
    if value.startswith("sb_publishable_") and len(value) > 30:
        return {"role": "anon"}
    if value.startswith("sb_secret_") and len(value) > 30:
        return {"role": "service_role"}
    parts = value.split(".")
    if len(parts) != 3 or not value.startswith("eyJ"):
        return {}
    try:
        said = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return {}
    return said if isinstance(said, dict) else {}


def project(values: Mapping[str, str]) -> str | None:
    """Return the project that VITE_SUPABASE_URL leads to, where that is a hosted one."""
    url = parted(values.get("VITE_SUPABASE_URL", ""))
    found = re.fullmatch(r"([a-z]{20})\.supabase\.co", url.hostname or "") if url else None
    return found[1] if found else None


def _standing(one: Variable, value: str, values: Mapping[str, str]) -> tuple[Verdict, str]:
    if not value:
        return (Verdict.WARNING if one.recommended else Verdict.CRITICAL), "is not set"
    if placeholder(value):
        return Verdict.CRITICAL, "is a template's value"
    if value != value.strip():
        return Verdict.CRITICAL, "begins or ends with a blank"
    fault = one.form(value)
    if fault is None and one.form in _KEYS and (ref := key_of(value).get("ref")) and ref != project(values):
        fault = "is of another project than VITE_SUPABASE_URL leads to" if project(values) else None
    return (Verdict.CRITICAL, fault) if fault else (Verdict.OK, "")


_KEYS = tuple(one.form for one in VARIABLES if "SUPABASE" in one.name and one.name.endswith("KEY"))


def _row(name: str, item: str, value: str, verdict: Verdict, finding: str) -> dict[str, Any]:
    return {
        "variable": name,
        "item": item,
        "set": "yes" if value else "no",
        "length": length(value),
        "standing": verdict.value,
        "finding": finding,
    }


def parted(value: str) -> SplitResult | None:
    """Return an address in its parts; None for what cannot be one."""
    try:
        url = urlsplit(value)
        return url if url.port is None or url.port else None
    except ValueError:
        return None


def loopback(host: str) -> bool:
    """Tell whether a host is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
