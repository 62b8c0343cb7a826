"""The actions of the area: vacuum tables, make an index, drop invalid ones, refresh views."""

from opslib.actions.database_indexes import CreateIndex, DropInvalidIndexes
from opslib.actions.database_vacuum import VacuumTables
from opslib.actions.database_views import RefreshViews

__all__ = ["CreateIndex", "DropInvalidIndexes", "RefreshViews", "VacuumTables"]
