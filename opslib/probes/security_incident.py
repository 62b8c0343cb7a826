"""What an incident is looked at by: who is signed in from where, who signed in since, how the secrets stand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from opslib.errors import Unreachable
from opslib.model import UNKNOWN_UNTIL, Probe
from opslib.probes.database_asking import source_of
from opslib.probes.questions import question
from opslib.systems.secret_store import Standing
from opslib.systems.target import ReadTarget

SHOWN = 20


def networks(hours: float) -> Probe:
    """Return the probe of users with sessions of the last ``hours``, by the number of networks, most first.

    A network is what shares the first 24 bits (IPv4) or 48 bits (IPv6) of its address.
    """
    asked = question("incident/networks")

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        return target.database.ask(asked, {"hours": hours, "most": SHOWN})

    return Probe("incident-networks", asked.title, read, source_of(asked))


def sign_ins(hours: float) -> Probe:
    """Return the probe of when the sessions that are there began, in 48 equal slots of the last ``hours``."""
    asked = question("incident/sign_ins")

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        return target.database.ask(asked, {"hours": hours})

    return Probe("incident-sign-ins", asked.title, read, source_of(asked))


_DEFINERS = question("incident/definers")

definers = Probe(
    name="incident-definers",
    title=_DEFINERS.title,
    read=lambda target: target.database.ask(_DEFINERS),
    source=source_of(_DEFINERS),
)
"""Functions that run with their owner's rights, in all schemas but the server's own and extensions'."""


def came_since(moment: Any) -> Probe:
    """Return the probe of the newest 20 sessions that began after ``moment`` (ISO 8601, as the evidence says it).

    In a planning run there is no such moment yet, and the reading says so.
    """
    asked, said = question("incident/came_since"), str(moment)

    def read(target: ReadTarget) -> list[dict[str, Any]]:
        if said.startswith(UNKNOWN_UNTIL):
            raise Unreachable("Since when to look is known once the evidence is preserved.", "Apply the plan.", "early")
        return target.database.ask(asked, {"since": datetime.fromisoformat(said), "most": SHOWN})

    return Probe("incident-came-since", asked.title, read, source_of(asked))


def shown(standing: Standing) -> list[dict[str, Any]]:
    """Return how a secret stands as rows, one a version, without any value."""
    return [
        {
            "secret": standing.name,
            "rotates": standing.rotates,
            "rotated": standing.rotated,
            "last_read": standing.accessed,
            "version": version.id,
            "stages": list(version.stages),
            "created": version.created,
        }
        for version in standing.versions
    ]


def _secret(target: ReadTarget) -> list[dict[str, Any]]:
    name = target.settings.vault_secret
    standing = target.secrets.standing(name)
    if standing is None:
        raise Unreachable(
            f"There is no secret {name}.", "Correct OPS_VAULT_SECRET in the target description.", "missing"
        )
    return shown(standing)


secret = Probe(
    name="incident-secret",
    title="How the application's secret stands: versions, stages, dates",
    read=_secret,
    source="secretsmanager DescribeSecret, ListSecretVersionIds",
)
"""One row a version of the secret that OPS_VAULT_SECRET names."""
