"""Where the front end's production points, what it could go back to, and what its addresses serve.

A hoster's token can always write as well, so these are taken by the executor, with GET alone. Addresses that users
open are asked without any credential.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.frontend_documents import compared, look
from opslib.probes.frontend_loading import browser, bundle, former, timing
from opslib.probes.frontend_targets import obstacle, previous
from opslib.probes.questions import question
from opslib.systems.hosting import Stage
from opslib.systems.publishable import client_prefix, secret_by_name
from opslib.systems.target import PlanTarget

__all__ = [
    "browser",
    "bundle",
    "deployments",
    "documents",
    "former",
    "front_end",
    "live",
    "migrations",
    "pipeline",
    "public",
    "timing",
    "variables",
]
_VERSION = re.compile(r"(\d{14})(?!\d)")


def _live(target: PlanTarget) -> list[dict[str, Any]]:
    hosting = target.hosting
    standing = hosting.current()
    one = hosting.deployment(standing.deployment) if standing.deployment else None
    move = standing.move
    return [
        {
            "hoster": hosting.hoster,
            "project": hosting.project,
            "deployment": standing.deployment,
            "state": one.word if one else None,
            "ready": one.state.value == "ready" if one else False,
            "created": one.created if one else None,
            "commit": one.commit if one else None,
            "held_back": standing.pinned,
            "move": move.stage.value if move else None,
            "move_from": move.source if move else None,
            "move_to": move.target if move else None,
            "move_at": move.at if move else None,
        }
    ]


def _deployments(target: PlanTarget) -> list[dict[str, Any]]:
    hosting = target.hosting
    here, listed = hosting.current().deployment, hosting.deployments()
    back = previous(listed, here)
    return [
        {
            "deployment": one.id,
            "live": one.id == here,
            "back": back is not None and one.id == back.id,
            "state": one.word,
            "production": one.production,
            "created": one.created,
            "commit": one.commit,
            "branch": one.branch,
            "obstacle": obstacle(one, here),
            "address": one.address,
        }
        for one in listed
    ]


def _documents(target: PlanTarget) -> list[dict[str, Any]]:
    address = front_end(target)
    standing = target.hosting.current()
    if standing.deployment is None:
        raise Unreachable("Production points at no deployment.", "Deploy, or promote one.", "missing")
    one = target.hosting.deployment(standing.deployment)
    production, own = look(target.web, address), look(target.web, one.address)
    return [
        {
            "deployment": one.id,
            "moving": standing.move is not None and standing.move.stage is Stage.UNDER_WAY,
            "compared": compared(production, own),
            "production": production.address,
            "production_is": production.word,
            "production_status": production.status,
            "production_sha256": production.sha256,
            "own": own.address,
            "own_is": own.word,
            "own_status": own.status,
            "own_sha256": own.sha256,
            "why": production.why or own.why,
        }
    ]


def _migrations(target: PlanTarget) -> list[dict[str, Any]]:
    hosting = target.hosting
    here, listed = hosting.current().deployment, hosting.deployments()
    back = previous(listed, here)
    versions = [str(row["version"]) for row in target.database.ask(question("frontend/migrations"))]
    written = {version: _written(version) for version in versions}
    undated = sum(moment is None for moment in written.values())
    rows = []
    for one in listed:
        if obstacle(one, here):
            continue
        newer = [version for version, moment in written.items() if moment is not None and moment > one.created]
        rows.append(
            {
                "deployment": one.id,
                "back": back is not None and one.id == back.id,
                "created": one.created,
                "newer": len(newer),
                "versions": newer,
                "undated": undated,
                "applied": len(versions),
            }
        )
    return rows


def _variables(target: PlanTarget) -> list[dict[str, Any]]:
    hosting = target.hosting
    here, listed = hosting.current().deployment, hosting.deployments()
    back, every = previous(listed, here), hosting.variables()
    return [
        {
            "deployment": one.id,
            "back": back is not None and one.id == back.id,
            "created": one.created,
            "variables": len(every),
            "newer": [each.name for each in every if each.updated is not None and each.updated > one.created],
            "untold": [each.name for each in every if each.updated is None],
        }
        for one in listed
        if not obstacle(one, here)
    ]


def _public(target: PlanTarget) -> list[dict[str, Any]]:
    published = target.settings.client_prefixes
    return [
        {
            "variable": one.name,
            "kept_as": one.kind,
            "updated": one.updated,
            "secret": secret_by_name(one.name),
            "published": one.name.startswith(published),
        }
        for one in target.hosting.variables()
        if client_prefix(one.name)
    ]


def _pipeline(target: PlanTarget) -> list[dict[str, Any]]:
    hosting, found = target.hosting, target.hosting.pipeline()
    return [
        {
            "hoster": hosting.hoster,
            "builds": hosting.builds,
            "repository": found.repository,
            "meant": target.settings.github_repository,
            "branch": found.branch,
            "command": found.command,
            "output": found.output,
            "node": found.node,
        }
    ]


def front_end(target: PlanTarget) -> str:
    """Return the address that users open; raises Unreachable where the description does not say it."""
    if target.settings.front_end_url is None:
        raise Unreachable("The front end's address is not in the target description.", "Set VITE_APP_URL.", "unset")
    return target.settings.front_end_url


def _written(version: str) -> datetime | None:
    """Return when a migration was written, as its version says (year to second, UTC), or None."""
    found = _VERSION.match(version)
    try:
        return datetime.strptime(found[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


live = Probe(
    name="front-end-live",
    title="The deployment that production points at",
    read=_live,
    source="the hoster's API: project (site), deployment",
    by_executor=True,
)
"""One row: who is live, whether later pushes are held back, and the last request to move production."""

deployments = Probe(
    name="front-end-deployments",
    title="Deployments, and whether production could go back to each",
    read=_deployments,
    source="the hoster's API: project (site), deployments",
    by_executor=True,
)
"""A row per deployment, newest first; ``obstacle`` says why production cannot go back to it."""

documents = Probe(
    name="front-end-documents",
    title="The document of production, and that of the deployment it points at",
    read=_documents,
    source="GET VITE_APP_URL, GET the deployment's own address",
    by_executor=True,
)
"""One row: what both addresses answer, and whether it is the same document."""

variables = Probe(
    name="front-end-variables",
    title="Environment variables set since each deployment that production could go back to",
    read=_variables,
    source="the hoster's API: environment variables (names and times), deployments",
    by_executor=True,
)
"""A row per possible target: the names of what it was not built with."""

public = Probe(
    name="front-end-public",
    title="Environment variables that a build puts into the browser",
    read=_public,
    source="the hoster's API: environment variables (names and times)",
    by_executor=True,
)
"""A row per variable that some framework's build would publish: whether this one does, and whether it is a secret."""

pipeline = Probe(
    name="front-end-pipeline",
    title="How the hoster builds what it is given",
    read=_pipeline,
    source="the hoster's API: project (site)",
    by_executor=True,
)
"""One row: repository, branch, build command, output folder, Node's version; None is the hoster's default."""

migrations = Probe(
    name="front-end-migrations",
    title="Migrations written since each deployment that production could go back to",
    read=_migrations,
    source="supabase_migrations.schema_migrations, the hoster's API: deployments",
    by_executor=True,
)
"""A row per possible target: how many applied migrations are newer than its build."""
