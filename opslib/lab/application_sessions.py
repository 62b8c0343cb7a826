"""Who is calling: users of the lab, with the bearer token, session and CSRF token that the product asks for."""

from __future__ import annotations

import math
import secrets
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

ROLES = ("member", "admin")
MANY = 1000
MONITOR = "00000000-0000-4000-8000-00000000a11c"
"""The user who only looks."""
ADMIN = "00000000-0000-4000-8000-0000000ad313"
"""The administrator."""


@dataclass(eq=False)
class Session:
    """One login: a user with a role, and when the session began and was last used (seconds)."""

    user: str
    organization: str | None
    role: str
    tier: str
    consent: bool
    created: float
    used: float
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)


class Sessions:
    """The logins of this process; a restart forgets them. The bearer token outlives the session, as a JWT does."""

    def __init__(
        self,
        *,
        idle: float,
        absolute: float,
        clock: Callable[[], float] = time.monotonic,
        monitor: str = "",
        admin: tuple[str, str] = ("", ""),
    ) -> None:
        """``monitor`` is the bearer token of a user who is always known and has neither session nor consent.

        ``admin`` are bearer token and session of an administrator who stays signed in for as long as the lab is up.
        """
        self._idle, self._absolute, self._clock = idle, absolute, clock
        self._all: list[Session] = []
        self._standing: list[Session] = []
        if monitor:
            self._standing.append(Session(MONITOR, None, "member", "anonymous", False, 0, 0, token=monitor))
        if all(admin):
            token, cookie = admin
            lasting = Session(ADMIN, None, "admin", "enterprise", True, math.inf, math.inf, token=token, cookie=cookie)
            self._standing.append(lasting)
        self._logins = 0

    def login(self, role: str, tier: str, consent: bool, members: Sequence[tuple[str, str]]) -> Session:
        """Log the next of ``members`` (user, organization) in, or a user of no organization if there are none."""
        user, organization = members[self._logins % len(members)] if members else (str(uuid.uuid4()), None)
        self._logins += 1
        now = self._clock()
        session = Session(user, organization, role, tier, consent, now, now)
        self._all = [*self._all[-MANY:], session]
        return session

    def by_token(self, authorization: str) -> Session | None:
        """Return the login of a header ``Bearer <token>``."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        every = [*self._all, *self._standing]
        mine = token.strip().encode()
        return next((known for known in every if secrets.compare_digest(known.token.encode(), mine)), None)

    def refusal(self, cookie: str) -> tuple[int, str] | None:
        """Return (status, error) when the session of ``cookie`` is missing or over; else note that it was used."""
        every = [*self._all, *self._standing]
        session = next((known for known in every if cookie and secrets.compare_digest(known.cookie, cookie)), None)
        if session is None:
            return 401, "Session missing or invalid"
        now = self._clock()
        if now - session.used > self._idle:
            return 440, "Session expired due to inactivity"
        if now - session.created > self._absolute:
            return 440, "Session exceeded absolute lifetime"
        session.used = max(session.used, now)
        return None
