"""The actions of the area: clear the cache's own keys; set its memory and what is done when that is full."""

from opslib.actions.cache_clear import ClearFamily
from opslib.actions.cache_memory import SetCacheMemory

__all__ = ["ClearFamily", "SetCacheMemory"]
