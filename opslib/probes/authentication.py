"""How the sign-in is set, who signs in again and again, and what the sign-in answered.

Sources: Supabase's Management API (config/auth, logs), GoTrue's tables, GoTrue's configuration for what redirect
addresses are allowed. Nobody is signed in or out by any of this.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe, now
from opslib.probes.database_asking import source_of
from opslib.probes.questions import question
from opslib.systems.supabase import Event
from opslib.systems.target import ReadTarget

LONGEST = 160
HOUR = 3600.0


def _redirects(target: ReadTarget) -> list[dict[str, Any]]:
    config = target.supabase.auth_config()
    address = target.settings.front_end_url
    if address is None:
        raise Unreachable("VITE_APP_URL is not in the target description.", "Name where users open it.", "unset")
    row = {"front_end": address.rstrip("/"), "lab": target.environment == "lab"}
    site = {**row, "what": "site URL", "pattern": (config.site_url or "")[:LONGEST]}
    listed = [one.strip() for one in (config.uri_allow_list or "").split(",") if one.strip()]
    return [site, *({**row, "what": "redirect URL", "pattern": one[:LONGEST]} for one in listed)]


def _lifetimes(target: ReadTarget) -> list[dict[str, Any]]:
    config = target.supabase.auth_config()
    return [
        {
            "access_token": config.jwt_exp,
            "described": target.settings.access_token_seconds,
            # The API counts these in hours; 0 or nothing is "never".
            "session_ends": HOUR * config.sessions_timebox if config.sessions_timebox else None,
            "idle_ends": HOUR * config.sessions_inactivity_timeout if config.sessions_inactivity_timeout else None,
            "rotates": config.refresh_token_rotation_enabled,
            "reuse_seconds": config.security_refresh_token_reuse_interval,
            "one_session_each": config.sessions_single_per_user,
            "email_sign_in": config.external_email_enabled,
        }
    ]


def sign_ins(hours: float) -> Probe:
    """Return the probe of users by the sessions that they began within the last ``hours``, most first."""
    asked = question("authentication/sign_ins")

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        return target.database.ask(asked, {"hours": hours})

    return Probe("authentication-sign-ins", asked.title, read, source_of(asked))


def refresh(hours: float) -> Probe:
    """Return the probe of sessions that can and cannot be refreshed; revoked and used twice: of the last ``hours``."""
    asked = question("authentication/refresh")

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        return target.database.ask(asked, {"hours": hours})

    return Probe("authentication-refresh", asked.title, read, source_of(asked))


def events(hours: float) -> Probe:
    """Return the probe of what the sign-in answered within the last ``hours`` (24 at most), by Supabase's logs.

    Not tried on a real project: where the logs answer otherwise, nothing is said.
    """
    asked = question("authentication/events")

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        end = now()
        found = target.supabase.logs(Event, asked.text, end - timedelta(hours=hours), end)
        return [
            {
                "path": one.path[:40],
                "status": one.status,
                "said": one.said[:LONGEST],
                "events": one.events,
                "code": code_of(one.path, one.status, one.said),
            }
            for one in found
        ]

    return Probe(
        "authentication-events",
        asked.title,
        read,
        source=f"GET /v1/projects/REF/analytics/endpoints/logs.all; {asked.name}.sql",
    )


def code_of(path: str, status: int, said: str) -> str:
    """Return the guide's code that an answer of the sign-in stands for, inferred: no program sends these codes."""
    words = said.lower()
    if status < 400:
        return ""
    if status == 429 or "rate limit" in words:
        return "rate limit"
    if status >= 500:
        return "server"
    if any(one in words for one in ("refresh", "session", "expired", "jwt")):
        return "AUTH_002"
    return "AUTH_001" if path in ("/token", "/verify", "/otp") else "other"


def _by_hand(target: ReadTarget) -> list[dict[str, Any]]:
    """Return what only a browser can tell, and what to do there; the names are those of this project."""
    ref = target.settings.supabase_project or "REF"
    return [
        {
            "look_at": f"local storage, key sb-{ref}-auth-token (or cookies sb-{ref}-auth-token.0, .1)",
            "what_it_tells": "several of them, or one of another project: an old sign-in is taken for the present one",
            "then": "delete that key alone, sign in again; deleting everything hides which of them it was",
        },
        {
            "look_at": "network: the first answer that is not 2xx after signing in",
            "what_it_tells": "401 with “JWT expired” or 440: see lifetimes; 403 session_not_found: it was ended",
            "then": "compare with the checks above; export it as HAR without cookies",
        },
        {
            "look_at": "the address after the provider: error, error_code, error_description behind #",
            "what_it_tells": "what the sign-in itself says, e.g. bad_oauth_state, flow_state_not_found (PKCE)",
            "then": "flow_state_not_found: the way began at another origin (www., preview); use one origin",
        },
        {
            "look_at": "the same in a private window",
            "what_it_tells": "works there: something kept in the browser; fails there too: not the browser",
            "then": "works: the first line; fails: the checks above",
        },
        {
            "look_at": "the clock of the device",
            "what_it_tells": "more than 60 s off: tokens look expired, or not valid yet",
            "then": "set it by the network",
        },
    ]


redirects = Probe(
    "authentication-redirects",
    "Where people may be sent after signing in",
    _redirects,
    source="GET /v1/projects/REF/config/auth: site_url, uri_allow_list",
)
"""One row for the site URL and one for each pattern of the list."""

lifetimes = Probe(
    "authentication-lifetimes",
    "How long tokens and sessions last",
    _lifetimes,
    source="GET /v1/projects/REF/config/auth: jwt_exp, sessions_…, refresh_token_…, security_refresh_token_…",
    units={"access_token": "s", "described": "s", "session_ends": "s", "idle_ends": "s", "reuse_seconds": "s"},
)
"""One row; an end that is None never comes."""

by_hand = Probe(
    "authentication-by-hand", "What only the person's own browser tells", _by_hand, source="to be done by a person"
)
"""The guide's "clear local storage", and what to look at first."""
