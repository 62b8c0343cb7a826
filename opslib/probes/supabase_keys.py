"""The project's keys, decoded and compared by the executor, and the addresses that the project keeps out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from opslib.errors import OpsError
from opslib.model import Probe, now
from opslib.systems.env_variables import project
from opslib.systems.target import PlanTarget


def _keys(target: PlanTarget) -> list[dict[str, Any]]:
    settings, keys = target.settings, target.project_keys
    meant = settings.supabase_project or project({"VITE_SUPABASE_URL": settings.supabase_site or ""}) or ""
    moment, legacy = now().timestamp(), _legacy(target)
    return [
        {
            **{name: value for name, value in asdict(one).items() if name != "expires"},
            "days_left": None if one.expires is None else round((one.expires - moment) / 86_400, 1),
            "meant": meant,
            "same_as_other": keys.same,
            "taken": legacy if one.form == "token" else None,
        }
        for one in keys.standings()
    ]


def _legacy(target: PlanTarget) -> bool | None:
    """Return whether the project takes keys of the older form; None where it does not say, which proves nothing."""
    try:
        return target.keyring.legacy_keys()
    except OpsError:
        return None


def _network(target: PlanTarget) -> list[dict[str, Any]]:
    """Return the bans and the restrictions; one that cannot be asked for says why, and the other stands."""
    rows: list[dict[str, Any]] = []
    try:
        rows += [_row("ban", address, "") for address in target.supabase_asked.bans().addresses] or [
            _row("ban", "", "")
        ]
    except OpsError as error:
        rows.append(_row("ban", "", str(error)))
    try:
        found = target.supabase_asked.restrictions()
    except OpsError as error:
        return [*rows, _row("restriction", "", str(error))]
    allowed = [*found.config.four, *found.config.six]
    state = "" if found.status == "applied" else found.status
    return [*rows, *([_row("allowed", one, "", state) for one in allowed] or [_row("allowed", "", "", state)])]


def _row(what: str, address: str, why: str, state: str = "") -> dict[str, Any]:
    return {"what": what, "address": address, "state": state, "why": why}


keys = Probe(
    "supabase-keys",
    "What the project's keys say of themselves",
    _keys,
    source="VITE_SUPABASE_ANON_KEY, SUPABASE_SERVICE_ROLE_KEY decoded; signatures by JWT_SECRET",
    units={"days_left": "d"},
    by_executor=True,
)
"""One row a key: role, project, issuer, days left, signature, whether its form is taken. Never a value."""

network = Probe(
    "supabase-network",
    "Addresses that the project keeps out",
    _network,
    source="POST /v1/projects/REF/network-bans/retrieve; GET /v1/projects/REF/network-restrictions",
    by_executor=True,
)
"""One row a banned address and one a range that may reach the database; a row with ``why`` where nobody was told."""
