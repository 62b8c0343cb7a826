"""The actions of the area: vacuum tables, make an index, drop invalid ones, refresh views; migrate and roll back."""

from typing import Literal

from opslib.actions.database_indexes import CreateIndex, DropInvalidIndexes
from opslib.actions.database_migrate import ApplyDestructiveMigrations, ApplyMigrations
from opslib.actions.database_migrating import NONE
from opslib.actions.database_rehearse import RehearseMigrations
from opslib.actions.database_roll_back import RollBackMigration
from opslib.actions.database_vacuum import VacuumTables
from opslib.actions.database_views import RefreshViews

__all__ = [
    "ApplyDestructiveMigrations",
    "ApplyMigrations",
    "CreateIndex",
    "DropInvalidIndexes",
    "RefreshViews",
    "RehearseMigrations",
    "RollBackMigration",
    "VacuumTables",
    "apply_migrations",
]


def apply_migrations(act: Literal["rehearse", "apply", "apply-destructive"], through: str) -> ApplyMigrations:
    """Return the action for what a run is asked to do with the pending migrations; ``rehearse`` applies none."""
    if act == "apply-destructive":
        return ApplyDestructiveMigrations(through=through)
    return ApplyMigrations(through=through if act == "apply" else NONE)
