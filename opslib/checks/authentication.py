"""The checks of the area: the way of a sign-in, its cookies and redirects, how long it lasts, what was refused."""

from opslib.checks import supabase
from opslib.checks.authentication_sessions import credentials, expired, lifetimes, refresh, sign_ins
from opslib.checks.authentication_way import cookies, redirects, way
from opslib.checks.tree import Branch, Tree
from opslib.model import Check

WINDOW = 24.0
"""Hours that are looked back at where nobody says otherwise: Supabase's logs tell no more at once."""

DECISIVE: tuple[Check, ...] = (way, redirects, cookies, refresh(WINDOW), sign_ins(WINDOW), credentials(WINDOW))
"""What tells most, most first."""

TREES: tuple[Tree, ...] = (
    Tree(
        name="authentication-loop",
        symptom="Authentication loop: signed in, and sent back to the login",
        branches=(
            Branch(way, "redirects lead in a circle"),
            Branch(cookies, "a browser drops the cookie that says who signed in"),
            Branch(redirects, "the front end is not in the list of redirect URLs, or the site URL leads elsewhere"),
            Branch(supabase.keys, "the front end has the key of another project"),
            Branch(supabase.clocks, "a clock is wrong: fresh tokens look expired"),
            Branch(refresh(WINDOW), "sessions cannot be refreshed: revoked, or used twice"),
            Branch(lifetimes, "the API ends sessions that the client goes on refreshing: a loop by design"),
        ),
        items=("TRB-AUT-00", "TRB-AUT-S1"),
    ),
    Tree(
        name="invalid-credentials",
        symptom="Sign-in refused",
        branches=(
            Branch(supabase.services_healthy(), "the sign-in itself is down"),
            Branch(supabase.keys, "the front end has the key of another project"),
            Branch(supabase.apikey, "the project does not accept the key"),
            Branch(credentials(WINDOW), "many are refused: e-mail sign-in is off, or somebody guesses"),
        ),
        codes=("AUTH_001",),
        items=("TRB-ERR-01",),
    ),
    Tree(
        name="session-expired",
        symptom="Session expired",
        branches=(
            Branch(supabase.clocks, "a clock is wrong: fresh tokens look expired"),
            Branch(refresh(WINDOW), "sessions cannot be refreshed: revoked, or used twice"),
            Branch(expired(WINDOW), "many sessions are refused at the sign-in"),
            Branch(lifetimes, "the API ends sessions that the client goes on refreshing: a loop by design"),
        ),
        codes=("AUTH_002",),
        items=("TRB-ERR-02",),
    ),
)
"""The guide's common issue "Authentication loop", and its codes AUTH_001 and AUTH_002, which no program sends."""

__all__ = [
    "DECISIVE",
    "TREES",
    "cookies",
    "credentials",
    "expired",
    "lifetimes",
    "redirects",
    "refresh",
    "sign_ins",
    "way",
]
