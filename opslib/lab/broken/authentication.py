"""What keeps people from signing in, or sends them back: circles, cookies, redirect URLs, tokens, guesses."""

from __future__ import annotations

from typing import LiteralString
from urllib.parse import urlsplit

from opslib.lab.broken import Fault
from opslib.lab.broken.revision import released, taken_back
from opslib.lab.doors import change
from opslib.lab.vendors.supabase_config import EVENTS, sign_in
from opslib.settings import Settings
from opslib.systems.postgres_admin import AdminDatabase

AREA = "authentication"
RECOVER = "disaster/recover-everything"
GUESSED = [
    {"path": "/token", "status": 200, "said": "", "events": 60},
    {"path": "/token", "status": 400, "said": "Invalid login credentials", "events": 940},
]


def _sign_in(settings: Settings, **said: str) -> None:
    """Set the sign-in as at first, but for what is ``said``."""
    parts = urlsplit(settings.supabase_url or "")
    first = sign_in(f"{parts.scheme}://{parts.netloc}/vercel/sites/production")
    change(settings, "supabase", auth={**first, **said})


def _sql(settings: Settings, statement: LiteralString) -> None:
    with AdminDatabase(settings.database_url, "opslib:lab") as session:
        session.execute(statement, what="break or mend the lab")


def _again(settings: Settings) -> None:
    _not_again(settings)
    _sql(
        settings,
        # Each with its refresh token, as a sign-in leaves it.
        "WITH again AS (INSERT INTO auth.sessions (user_id, user_agent)"
        " SELECT (SELECT min(id::text)::uuid FROM auth.users), 'lab: again' FROM generate_series(1, 25)"
        " RETURNING id, user_id)"
        " INSERT INTO auth.refresh_tokens (token, user_id, session_id)"
        " SELECT 'lab-again-' || id, user_id, id FROM again",
    )


def _not_again(settings: Settings) -> None:
    _sql(settings, "DELETE FROM auth.sessions WHERE user_agent = 'lab: again'")


FAULTS: tuple[Fault, ...] = (
    Fault(
        "authentication-circle",
        AREA,
        "The API's newest version leads its sign-in back to itself",
        "authentication-way",
        RECOVER,
        make=released(login="loop"),
        mend=taken_back,
    ),
    Fault(
        "authentication-cookie",
        AREA,
        "The API's newest version sets a cookie that browsers drop (SameSite=None without Secure)",
        "authentication-cookies",
        RECOVER,
        make=released(cookie="session={value}; Path=/; HttpOnly; SameSite=None"),
        mend=taken_back,
    ),
    Fault(
        "authentication-redirect",
        AREA,
        "The front end is not in the list of redirect URLs any more",
        "authentication-redirects",
        "",
        make=lambda settings: _sign_in(settings, site_url="http://localhost:3000", uri_allow_list=""),
        mend=lambda settings: _sign_in(settings),
        person="the list of redirect URLs is an administrator's decision, in the project's pages",
    ),
    Fault(
        "authentication-revoked",
        AREA,
        "All refresh tokens are revoked",
        "authentication-refresh",
        "",
        make=lambda settings: _sql(settings, "UPDATE auth.refresh_tokens SET revoked = true"),
        mend=lambda settings: _sql(settings, "UPDATE auth.refresh_tokens SET revoked = false"),
        person="nothing brings a revoked token back: people sign in anew",
    ),
    Fault(
        "authentication-again",
        AREA,
        "One user signs in again and again",
        "authentication-sign-ins",
        "",
        make=_again,
        mend=_not_again,
        person="the cause lies in one person's browser until somebody has looked there",
    ),
    Fault(
        "authentication-guesses",
        AREA,
        "Most sign-ins are refused: somebody guesses passwords",
        "authentication-credentials",
        "",
        make=lambda settings: change(settings, "supabase", events=GUESSED),
        mend=lambda settings: change(settings, "supabase", events=EVENTS),
        person="how often one address may try, and whether it must prove to be a person, is set in the project's pages",
    ),
)
"""Each is found by the look that it names; a healthy lab has no revoked refresh token."""
