"""The actions of the area: take, prove and retain backups; stage, restore and swap a database."""

from opslib.actions.backups_prove import ProveBackup
from opslib.actions.backups_restore import RestoreIntoNewDatabase
from opslib.actions.backups_retain import ApplyRetention
from opslib.actions.backups_stage import StageBackup
from opslib.actions.backups_swap import SwapDatabases
from opslib.actions.backups_take import TakeBackup

__all__ = [
    "ApplyRetention",
    "ProveBackup",
    "RestoreIntoNewDatabase",
    "StageBackup",
    "SwapDatabases",
    "TakeBackup",
]
