"""What a routine reads besides its checks: people's sign-offs, its own earlier runs, and what was deployed when.

Sign-offs and runs lie in the archive, so the executor takes them; here they have only their names.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from opslib.errors import OpsError, Unreachable
from opslib.guide.routines import ROUTINES, Routine, routine
from opslib.model import Probe
from opslib.probes.cluster_room import name_of
from opslib.systems.target import PlanTarget


def _read(target: PlanTarget) -> list[dict[str, Any]]:
    raise Unreachable("There is no archive at hand.", "Run the notebook by ops run, or open it in JupyterLab.")


sign_offs: dict[Routine, Probe] = {
    name: Probe(
        f"sign-offs-{name}",
        f"What people signed off of the lines of routines/{name}",
        _read,
        source="the archive: sign-offs/ITEM/*.word with their signatures",
        by_executor=True,
    )
    for name in ROUTINES
}
"""A row per sign-off and per what is none (``kind`` word, refused, unverified), with its ``item``."""

earlier: dict[Routine, Probe] = {
    name: Probe(
        f"runs-{name}",
        f"Earlier runs of routines/{name}, newest first",
        _read,
        source="the archive: sealed runs, held against its log",
        by_executor=True,
    )
    for name in ROUTINES
}
"""A row per run: how it ended, whether it can be believed, and the verdict of each of its lines by item."""


def earlier_of(notebook: str) -> Probe:
    """Return the probe of a routine's earlier runs; raises UsageError for a name that is none."""
    return earlier[routine(notebook)]


def _deployed(target: PlanTarget) -> list[dict[str, Any]]:
    rows = []
    for what, look in (("front end", _front_end), ("API", _api)):
        try:
            rows.append({"what": what, **look(target), "why": ""})
        except OpsError as error:
            rows.append({"what": what, "version": None, "commit": None, "at": None, "why": error.message})
    if all(row["why"] for row in rows):
        raise Unreachable(f"Nobody can tell what was deployed when: {rows[0]['why']}", "See diagnostics/frontend.")
    return rows


def _front_end(target: PlanTarget) -> dict[str, Any]:
    standing = target.hosting.current()
    if standing.deployment is None:
        raise Unreachable("Production points at no deployment.", "Deploy, or promote one.", "missing")
    one = target.hosting.deployment(standing.deployment)
    moved = standing.move.at if standing.move is not None else None
    return {"version": one.id, "commit": one.commit, "at": _later(one.created, moved)}


def _later(one: datetime, other: datetime | None) -> datetime:
    return one if other is None else max(one, other)


def _api(target: PlanTarget) -> dict[str, Any]:
    sets = target.workloads.replica_sets(name_of(target.settings, "api"))
    if not sets:
        raise Unreachable("The API's deployment has no ReplicaSet.", "See diagnostics/cluster.", "missing")
    return {"version": f"revision {sets[0].revision}: {sets[0].images}", "commit": None, "at": sets[0].meta.created}


deployed = Probe(
    "deployed",
    "What is deployed, and since when",
    _deployed,
    source="the hoster's API: project (site), deployment · GET replicasets",
    by_executor=True,
)
"""A row each for front end and API: version, commit, ``at`` when it went live; ``why`` where nobody could look."""
