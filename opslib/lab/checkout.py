"""The lab's folder of migrations: those that its history records, two that are pending, and their rollbacks.

The recorded ones are the lab's own schema under the product's names and versions; the lab is not made from them.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

APPLIED = {
    "20260104090000_baseline": "10-foundation.sql",
    "20260111101500_tenancy_and_roles": "20-tenancy.sql",
    "20260118143000_agent_memory_vectors": "30-work.sql",
    "20260202080000_audit_immutability": "40-usage-and-audit.sql",
    "20260209160500_billing_core": "50-billing.sql",
    "20260223112000_webhook_dead_letters": "60-operations.sql",
    "20260302093000_row_level_security": "70-policies.sql",
    "20260316101000_usage_indexes": "75-usage-indexes.sql",
}
"""What the history records, and the schema file that holds it."""


def record(session: psycopg.Connection[dict[str, Any]]) -> None:
    """Record the schema files as applied, each with its text."""
    for name, script in APPLIED.items():
        session.execute(
            "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)",
            (*name.split("_", 1), [_packaged("schema", script)]),
        )


def write(folder: Path) -> None:
    """Write the folder as the product's checkout has it; one that is there is left as it is."""
    if folder.is_dir():
        return
    for kind in ("migrations", "rollbacks"):
        (folder / kind).mkdir(mode=0o700, parents=True)
        for file in sorted(files("opslib.lab").joinpath(kind).iterdir(), key=lambda file: file.name):
            (folder / kind / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    for name, script in APPLIED.items():
        (folder / "migrations" / f"{name}.sql").write_text(_packaged("schema", script), encoding="utf-8")


def _packaged(kind: str, name: str) -> str:
    return files("opslib.lab").joinpath(kind, name).read_text(encoding="utf-8")
