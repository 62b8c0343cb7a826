"""The actions: the only effects that the executor knows, each by its name.

The dictionary is closed and written out: nothing registers itself, so that what can be asked for is
what stands here.
"""

from __future__ import annotations

from opslib.actions.backups import ApplyRetention, ProveBackup, TakeBackup
from opslib.actions.base import Action
from opslib.actions.restore import RestoreIntoNewDatabase
from opslib.actions.stage import StageBackup
from opslib.actions.swap import SwapDatabases

_KINDS: tuple[type[Action], ...] = (
    TakeBackup,
    ProveBackup,
    ApplyRetention,
    StageBackup,
    RestoreIntoNewDatabase,
    SwapDatabases,
)

ACTIONS: dict[str, type[Action]] = {kind.name: kind for kind in _KINDS}
"""Every action, by its name."""
