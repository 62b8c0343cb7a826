"""For tests of the hosters: each with its settings, its handles and the ids that its stand-in begins with."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

from opslib.lab.vendors.cloudflare import Cloudflare
from opslib.lab.vendors.netlify import Netlify
from opslib.lab.vendors.vercel import Vercel
from opslib.systems import hosters

FEW = ("SENTRY_AUTH_TOKEN", "VITE_API_BASE_URL")
STAND_INS = {kind.name: kind for kind in (Vercel, Netlify, Cloudflare)}


@dataclass
class Hoster:
    """One hoster of a lab. ``ids`` are the deployments at the beginning, by what they are."""

    name: str
    settings: Any
    doors: Any

    @property
    def ids(self) -> dict[str, str]:
        return STAND_INS[self.name].ids

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.doors.state()[self.name]
        return found

    def put(self, **said: Any) -> None:
        """Change what the stand-in remembers."""
        self.doors.put(**{self.name: {**self.state, **said}})

    def change(self, name: str, **said: Any) -> None:
        """Change one deployment."""
        made = [one | said if one["id"] == self.ids[name] else one for one in self.state["deployments"]]
        self.put(deployments=made)

    def bare(self) -> Hoster:
        """Take away what builds for production get, all but :data:`FEW`; return the hoster."""
        self.put(variables=[one for one in self.state["variables"] if one["name"] in FEW])
        return self

    def looking(self) -> Any:
        return closing(hosters.looking(self.settings, self.settings))

    def moving(self) -> Any:
        return closing(hosters.moving(self.settings, self.settings))


def of(settings: Any, doors: Any, name: str) -> Hoster:
    """Return the hoster called ``name``, with a description that leads there."""
    front = f"{doors.url}/{name}/sites/production"
    return Hoster(name, settings.model_copy(update={"hoster": name, "front_end_url": front}), doors)
