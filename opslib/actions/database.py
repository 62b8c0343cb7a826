"""The actions of the area: tables, indexes and views kept in order; migrations and their rollback; failover."""

from typing import Literal

from opslib.actions.database_failover import FencePrimary
from opslib.actions.database_indexes import CreateIndex, DropInvalidIndexes
from opslib.actions.database_let_in import LetStandbyIn
from opslib.actions.database_migrate import ApplyDestructiveMigrations, ApplyMigrations
from opslib.actions.database_migrating import ALL, NONE
from opslib.actions.database_promote import PromoteStandby, ProveWrites
from opslib.actions.database_recover import RecoverToMoment
from opslib.actions.database_rehearse import RehearseMigrations
from opslib.actions.database_rejoin import RejoinFormerPrimary
from opslib.actions.database_replay import ResumeReplay
from opslib.actions.database_repoint import RepointApplication
from opslib.actions.database_roll_back import RollBackMigration
from opslib.actions.database_rows import BringBackRows
from opslib.actions.database_sessions import EndBlockingSession
from opslib.actions.database_slots import DropForgottenSlot
from opslib.actions.database_vacuum import VacuumTables
from opslib.actions.database_views import RefreshViews
from opslib.errors import Refused

__all__ = [
    "ApplyDestructiveMigrations",
    "ApplyMigrations",
    "BringBackRows",
    "CreateIndex",
    "DropForgottenSlot",
    "DropInvalidIndexes",
    "EndBlockingSession",
    "FencePrimary",
    "LetStandbyIn",
    "PromoteStandby",
    "ProveWrites",
    "RecoverToMoment",
    "RefreshViews",
    "RehearseMigrations",
    "RejoinFormerPrimary",
    "RepointApplication",
    "ResumeReplay",
    "RollBackMigration",
    "VacuumTables",
    "apply_migrations",
    "rehearse_migrations",
    "roll_back_migration",
]


Act = Literal["rehearse", "apply", "apply-destructive", "roll-back"]
"""What a run of runbooks/migrate-database is asked to do."""


def rehearse_migrations(act: Act, version: str) -> RehearseMigrations:
    """Return the rehearsal of the pending migrations up to ``version``; of none where one is rolled back."""
    return RehearseMigrations(through=NONE if act == "roll-back" else version)


def apply_migrations(act: Act, version: str) -> ApplyMigrations:
    """Return the action for what a run is asked to do with the pending migrations up to ``version``."""
    if act == "apply-destructive":
        return ApplyDestructiveMigrations(through=version)
    return ApplyMigrations(through=version if act == "apply" else NONE)


def roll_back_migration(act: Act, version: str) -> RollBackMigration:
    """Return the rollback of ``version``; of none unless the run is asked for it. Raises Refused for ``all``."""
    if act != "roll-back":
        return RollBackMigration()
    if version == ALL:
        raise Refused("Which migration is to be rolled back is not said.", "Name it: -p version=20260401090000")
    return RollBackMigration(version=version)
