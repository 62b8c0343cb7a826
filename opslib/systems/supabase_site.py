"""A Supabase project at its own address (``https://REF.supabase.co``), asked as a browser asks it: with the public key.

Source: PostgREST's and GoTrue's references, and Supabase's "Understanding API keys": the key goes as ``apikey`` and,
where nobody is signed in, as bearer token too. Nothing here signs in, and nothing but GET and preflights is sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from opslib.errors import Unreachable
from opslib.redaction import Secret
from opslib.settings_vendors import VendorNames
from opslib.systems.web import Preflights
from opslib.systems.web_exchange import Answer

SECONDS = 8.0
ASKED_HEADERS = "apikey,authorization,content-type"
"""What a browser's call of the API carries beyond what needs no permission."""


class Site:
    """The project of a target description, for who has its public key or none."""

    def __init__(self, settings: VendorNames) -> None:
        self._base, self._key = settings.supabase_site, settings.supabase_anon_key
        self._web = Preflights()

    @property
    def base(self) -> str:
        """The project's address; raises Unreachable where the description does not say it."""
        if self._base is None:
            raise Unreachable("VITE_SUPABASE_URL is not in the target description.", "Name the project's address.")
        return self._base.rstrip("/")

    @property
    def has_key(self) -> bool:
        """Whether the description has the public key."""
        return self._key is not None

    def get(self, path: str, *, key: bool = True) -> Answer:
        """Return what ``path`` answers, with the public key or (``key=False``) without any; raises as the web's reader.

        Raises Unreachable (unset) where the key is wanted and not in the description.
        """
        return self._web.get(f"{self.base}{path}", deadline=SECONDS, headers=self._headers() if key else None)

    def preflight(self, path: str, origin: str) -> Answer:
        """Return what ``path`` answers to a browser that shows a page of ``origin`` and wants to call it."""
        asked = {
            "origin": origin,
            "access-control-request-method": "GET",
            "access-control-request-headers": ASKED_HEADERS,
        }
        return self._web.preflight(f"{self.base}{path}", asked, deadline=SECONDS)

    def close(self) -> None:
        """Close every connection."""
        self._web.close()

    def _headers(self) -> Mapping[str, str | Secret]:
        if self._key is None:
            said = "VITE_SUPABASE_ANON_KEY is not in the target description."
            raise Unreachable(said, "Put there what the front end is built with.", "unset")
        return {"apikey": self._key, "authorization": Secret(f"Bearer {self._key.reveal()}")}
