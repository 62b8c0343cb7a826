"""The actions of the area: clear the cache's own keys; set its memory and what is done when full; start it anew."""

from opslib.actions.cache_clear import ClearFamily
from opslib.actions.cache_memory import SetCacheMemory
from opslib.actions.cache_restart import RestartCache

__all__ = ["ClearFamily", "RestartCache", "SetCacheMemory"]
