"""The actions of the area: backups taken, proven, retained and let in; a database staged, restored, swapped."""

from opslib.actions.backups_prove import ProveBackup
from opslib.actions.backups_reopen import ReopenBucket
from opslib.actions.backups_restore import RestoreIntoNewDatabase
from opslib.actions.backups_retain import ApplyRetention
from opslib.actions.backups_stage import StageBackup
from opslib.actions.backups_swap import SwapDatabases
from opslib.actions.backups_take import TakeBackup

__all__ = [
    "ApplyRetention",
    "ProveBackup",
    "ReopenBucket",
    "RestoreIntoNewDatabase",
    "StageBackup",
    "SwapDatabases",
    "TakeBackup",
]
