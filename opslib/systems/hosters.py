"""Which hoster a target description names, and the handle on it."""

from __future__ import annotations

from opslib.errors import SettingsError
from opslib.settings_vendors import VendorNames, VendorTokens
from opslib.systems.cloudflare_pages import Pages, ReadOnlyPages
from opslib.systems.hosting import Hosting, ReadOnlyHosting
from opslib.systems.netlify import Netlify, ReadOnlyNetlify
from opslib.systems.vercel import ReadOnlyVercel, Vercel


def looking(settings: VendorNames, tokens: VendorTokens) -> ReadOnlyHosting:
    """Return the handle that only asks; raises SettingsError where the description does not say whom, or how."""
    match settings.hoster:
        case "vercel":
            return ReadOnlyVercel(settings, tokens.vercel_token)
        case "netlify":
            return ReadOnlyNetlify(settings, tokens.netlify_token)
        case "cloudflare":
            return ReadOnlyPages(settings, tokens.cloudflare_token)
    raise _nobody()


def moving(settings: VendorNames, tokens: VendorTokens) -> Hosting:
    """Return the handle that also moves production; raises as :func:`looking`."""
    match settings.hoster:
        case "vercel":
            return Vercel(settings, tokens.vercel_token)
        case "netlify":
            return Netlify(settings, tokens.netlify_token)
        case "cloudflare":
            return Pages(settings, tokens.cloudflare_token)
    raise _nobody()


def _nobody() -> SettingsError:
    return SettingsError("OPS_HOSTER is not in the target description.", "Name who serves the front end.")
