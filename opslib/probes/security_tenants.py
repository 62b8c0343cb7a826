"""Who sees whose rows: each table and view that the API exposes, with the eyes of nobody and of members of two tenants.

The question of a review after an incident is not "is row level security on" but "does somebody see what is another's".
Catalogue checks miss ``USING (true)`` and views with their owner's rights; this looks. Writing across tenants is tried
nowhere here: what policies would let pass is read from the catalogue, the rest belongs on a restored copy.
"""

from __future__ import annotations

from typing import Any

from opslib.errors import Unreachable
from opslib.model import Probe
from opslib.probes.database_asking import source_of
from opslib.probes.questions import question
from opslib.systems.postgres_tenants import CAP, Identity, Seen
from opslib.systems.target import PlanTarget, ReadTarget

KINDS = {"r": "table", "p": "table", "v": "view", "m": "materialised view", "f": "foreign table"}


def _matrix(target: PlanTarget) -> list[dict[str, Any]]:
    settings = target.settings
    relations = _relations(target)
    excepted, identities = settings.exceptions(), _identities(target)
    return [
        _row(target, one, identity, excepted.get(str(one["relation"]), ""))
        for one in relations
        for identity in identities
    ]


def _relations(target: ReadTarget) -> list[dict[str, Any]]:
    settings = target.settings
    given = {"columns": list(settings.tenant_columns), "schemas": list(settings.exposed_schemas)}
    relations = target.database.ask(question("security/relations"), given)
    if not relations:
        raise Unreachable("OPS_EXPOSED_SCHEMAS has no table.", "Name the schemas that the API exposes.", "missing")
    return relations


def _row(target: PlanTarget, one: dict[str, Any], identity: Identity, excepted: str) -> dict[str, Any]:
    seen: Seen = target.tenants.see(identity, one["schema"], one["relation"], one["tenant_column"])
    return {
        "relation": f"{one['schema']}.{one['relation']}",
        "kind": KINDS[one["kind"]],
        "identity": identity.name,
        "tenant_column": one["tenant_column"] or "",
        "word": seen.word,
        "visible": seen.visible,
        "foreign": seen.strange,
        "nobodys": seen.nobodys,
        "capped": seen.visible == CAP,
        "excepted": excepted,
        "why": seen.why,
    }


def _identities(target: PlanTarget) -> tuple[Identity, ...]:
    found = target.database.ask(question("security/tenants"))
    if len(found) < 2:
        said = f"There are {len(found)} organizations with a member who is in no other; two are needed."
        raise Unreachable(said, "Make two on the restored copy of a drill, and look there.", "missing")
    members = (
        Identity(f"member {letter}", "authenticated", row["member"], (row["organization"],))
        for letter, row in zip("AB", found, strict=True)
    )
    return (Identity("anybody", "anon"), *members)


def _exposure(target: ReadTarget) -> list[dict[str, Any]]:
    settings = target.settings
    excepted = settings.exceptions()
    rows = target.database.ask(question("security/exposure"), {"schemas": list(settings.exposed_schemas)})
    return [{**row, "kind": KINDS[row["kind"]], "excepted": excepted.get(row["relation"], "")} for row in rows]


def _writes(target: ReadTarget) -> list[dict[str, Any]]:
    # Where there is no table at all, no policy says nothing.
    _relations(target)
    settings = target.settings
    given = {"columns": list(settings.tenant_columns), "schemas": list(settings.exposed_schemas)}
    return target.database.ask(question("security/writes"), given)


matrix = Probe(
    "security-tenants",
    "Who sees whose rows",
    _matrix,
    source="SET LOCAL ROLE, request.jwt.claims, SELECT count(*) of each relation; read only, rolled back",
    by_executor=True,
)
"""One row a relation and identity: rows seen, rows of other tenants, rows without a tenant; denied is good."""

exposure = Probe(
    "security-exposure",
    question("security/exposure").title,
    _exposure,
    source=source_of(question("security/exposure")),
)
"""One row a relation: row level security, policies, grants, a view's rights, policies that are true."""

writes = Probe(
    "security-writes",
    question("security/writes").title,
    _writes,
    source=source_of(question("security/writes")),
)
"""One row a table, role, command and policy that counts for it: its expressions, as the catalogue has them."""
