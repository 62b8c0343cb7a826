"""What production's own processes get: the API's environment, the hoster's variables, the vault, and what people have.

Taken by the executor, which alone may read secrets: a row tells where a variable stands and what is wrong with it, and
neither its value nor a digest of it. A place that cannot be looked at takes nothing from what the others tell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opslib.errors import OpsError, Unreachable
from opslib.model import Probe, Verdict
from opslib.systems.env_variables_production import CLUSTER, DESCRIPTION, HOSTER, VAULT, Place, put_together
from opslib.systems.publishable import FRAMEWORKS
from opslib.systems.target import PlanTarget
from opslib.systems.vault import CURRENT


def _cluster(target: PlanTarget) -> Place:
    settings = target.settings
    found = target.cluster_environment.environment(settings.api_deployment, settings.api_container)
    return Place(found.values, found.untold, " ".join(found.unread), found.broken)


def _hoster(target: PlanTarget) -> Place:
    hosting = target.hosting
    return Place.of(hosting.all_shown(tuple(FRAMEWORKS)), f"is set, and {hosting.hoster} does not show it")


def _vault(target: PlanTarget) -> Place:
    version = target.vault.stage(CURRENT)
    if version is None:
        return Place(why=f"{target.vault.name} has no current version.")
    return Place.of({key: version.value(key) for key in version.keys}, "is no text in the vault")


def _description(target: PlanTarget) -> Place:
    """Return what runbooks work with and production must agree with, and the token that they look with."""
    settings, token = target.settings, target.settings.read_application_token
    said = {
        "AWS_REGION": settings.aws_region,
        "S3_BUCKET_NAME": settings.backup_bucket,
        "SECRETS_MANAGER_SECRET_NAME": settings.vault_secret,
        "CLOUDWATCH_LOG_GROUP": settings.log_group,
    }
    return Place({**said, **Place.of({"TOKEN": token} if token else {}).values})


PLACES: dict[str, Callable[[PlanTarget], Place]] = {
    CLUSTER: _cluster,
    HOSTER: _hoster,
    VAULT: _vault,
    DESCRIPTION: _description,
}


def _read(target: PlanTarget) -> list[dict[str, Any]]:
    places: dict[str, Place] = {}
    for name, look in PLACES.items():
        try:
            places[name] = look(target)
        except OpsError as error:
            places[name] = Place(why=error.message)
    settings = target.settings
    stage = "staging" if settings.environment == "staging" else "production"
    addresses = (settings.front_end_url, settings.application_url, settings.supabase_site)
    own = {url.rstrip("/") for url in addresses if url}
    return [
        *({"what": "place", **_place(name, place)} for name, place in places.items()),
        *({"what": "variable", **row} for row in put_together(places, own, stage, settings.client_prefixes)),
    ]


def _place(name: str, place: Place) -> dict[str, Any]:
    gone = f"names what is not there, so that no pod starts: {', '.join(place.broken)}" if place.broken else ""
    verdict = Verdict.CRITICAL if gone else Verdict.UNKNOWN if place.why else Verdict.OK
    return {"place": name, "variables": len(place.values), "standing": verdict.value, "finding": gone or place.why}


def _built(target: PlanTarget) -> list[dict[str, Any]]:
    hosting, published = target.hosting, target.settings.client_prefixes
    here = hosting.current().deployment
    if here is None:
        raise Unreachable("Production points at no deployment.", "Deploy, or promote one.", "missing")
    one = hosting.deployment(here)
    return [
        {
            "variable": each.name,
            "set_at": each.updated,
            "deployment": one.id,
            "built_at": one.created,
            "newer": None if each.updated is None else each.updated > one.created,
        }
        for each in hosting.variables()
        if each.name.startswith(published)
    ]


production = Probe(
    name="environment-production",
    title="What production's processes get",
    read=_read,
    source="GET deployments/NAME, configmaps/NAME, secrets/NAME · the hoster's variables · GetSecretValue",
    by_executor=True,
)
"""A row per place (``what`` is place) and per variable (``what`` is variable), worst first, each with its standing."""

built = Probe(
    name="environment-built",
    title="Variables of builds, and when what is live was built",
    read=_built,
    source="the hoster's API: project (site), deployment, environment variables (names and times)",
    by_executor=True,
)
"""A row per variable that builds publish: was it set after the build that is live (``newer``; None: not told)?"""
