"""What production gets, made wrong on purpose: at the hoster, in the API's config map, in its secrets, in a build; and
what developers have (:mod:`opslib.lab.broken.environment_development`).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

from opslib.lab.broken import Fault, environment_development
from opslib.lab.cloud import client
from opslib.lab.cluster.planted import API_ENVIRONMENT, NAMESPACE, SECRET
from opslib.lab.doors import Doors, change, remembered
from opslib.lab.production import API_SECRETS, API_SETTINGS, BUILDS, dummy
from opslib.model import Verdict
from opslib.settings import Settings

AREA, CHECK = "environment", "environment-production"
DAY = 86_400.0


def build_with(name: str, value: str) -> Callable[[Settings], None]:
    """Return what gives the next builds another value."""

    def make(settings: Settings) -> None:
        hoster = str(settings.hoster)
        known = remembered(settings, hoster)["variables"]
        change(settings, hoster, variables=[one | {"value": value} if one["name"] == name else one for one in known])

    return make


def start_with(plural: str, name: str, value: str, of: str = API_ENVIRONMENT) -> Callable[[Settings], None]:
    """Return what gives the API's pods that start from now on another value; those that run keep theirs.

    ``of`` is the config map, or the secret, that it stands in.
    """

    def make(settings: Settings) -> None:
        doors = Doors(settings, cluster=True)
        state = doors.state()["kubernetes"]
        held = state["objects"][plural][f"{NAMESPACE}/{of}"]
        held["data"][name] = base64.b64encode(value.encode()).decode() if plural == "secrets" else value
        doors.put(kubernetes=state)

    return make


def _as_in_the_vault(name: str) -> Callable[[Settings], None]:
    """Return what gives the cluster's secret of keys what the vault has now: after a rotation that is a new one."""

    def mend(settings: Settings) -> None:
        said = client(settings, "secretsmanager").get_secret_value(SecretId=settings.vault_secret)["SecretString"]
        start_with("secrets", name, json.loads(said)[name], SECRET)(settings)

    return mend


def _set(name: str, seconds_ago: float) -> Callable[[Settings], None]:
    """Return what has somebody set a variable of the hoster, to what it is, so long ago."""

    def make(settings: Settings) -> None:
        hoster, moment = str(settings.hoster), time.time() - seconds_ago
        known = remembered(settings, hoster)["variables"]
        change(settings, hoster, variables=[one | {"updated": moment} if one["name"] == name else one for one in known])

    return make


def _hosted(name: str, there: bool) -> Callable[[Settings], None]:
    """Return what gives the hoster a variable of its own, whose value it hides, or takes it away."""

    def make(settings: Settings) -> None:
        hoster = str(settings.hoster)
        others = [one for one in remembered(settings, hoster)["variables"] if one["name"] != name]
        more = [{"name": name, "secret": True, "updated": time.time()}] if there else []
        change(settings, hoster, variables=[*others, *more])

    return make


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="builds-call-localhost",
        area=AREA,
        title="The next build would call an API on its user's own machine",
        check=CHECK,
        notebook="",
        make=build_with("VITE_API_BASE_URL", "http://localhost:3000"),
        mend=build_with("VITE_API_BASE_URL", BUILDS["VITE_API_BASE_URL"]),
        person="no runbook sets the API's address: whoever moved it corrects the variable at the hoster",
    ),
    Fault(
        name="forged-requests-pass",
        area=AREA,
        title="The API's protection against forged requests is switched off",
        check=CHECK,
        notebook="",
        make=start_with("configmaps", "CSRF_PROTECTION_ENABLED", "false"),
        mend=start_with("configmaps", "CSRF_PROTECTION_ENABLED", API_SETTINGS["CSRF_PROTECTION_ENABLED"]),
        person="the value is corrected in the config map's own manifest, and the rollout is its owner's",
    ),
    Fault(
        name="secret-for-browsers",
        area=AREA,
        title="The hoster has a provider's key under a name that builds with Next.js publish",
        check=CHECK,
        notebook="",
        make=_hosted("NEXT_PUBLIC_TOGETHER_API_KEY", there=True),
        mend=_hosted("NEXT_PUBLIC_TOGETHER_API_KEY", there=False),
        # The product's own build is Vite's, and publishes it not.
        verdict=Verdict.WARNING,
        person="whoever put it there takes it away, for a build may read it; only then is the key rotated",
    ),
    Fault(
        name="secret-not-renewed",
        area=AREA,
        title="The cluster has another JWT_SECRET than the vault",
        check=CHECK,
        notebook="",
        make=start_with("secrets", "JWT_SECRET", "lab-dummy-jwt-secret-of-last-year-long-gone"),
        mend=start_with("secrets", "JWT_SECRET", API_SECRETS["JWT_SECRET"]),
        verdict=Verdict.WARNING,
        person="which of both secrets is the right one, a person has to say first",
    ),
    Fault(
        name="key-not-renewed",
        area=AREA,
        title="The cluster still has the key of OpenAI's that the vault had before: a rotation by hand broke off",
        check=CHECK,
        notebook="runbooks/rotate-api-keys",
        make=start_with("secrets", "OPENAI_API_KEY", f"{dummy('OPENAI_API_KEY')}-of-last-year", SECRET),
        mend=_as_in_the_vault("OPENAI_API_KEY"),
        verdict=Verdict.WARNING,
    ),
    Fault(
        name="build-with-former-address",
        area=AREA,
        title="The API's address was corrected at the hoster, and what is live was built before that",
        check="environment-built",
        notebook="runbooks/deploy-new-version",
        make=_set("VITE_API_BASE_URL", 0),
        mend=_set("VITE_API_BASE_URL", 30 * DAY),
        verdict=Verdict.WARNING,
    ),
    *environment_development.FAULTS,
)
"""Those of production's variables are found by one check, which names the variable."""
