"""The action of the area: clear the cache's own keys."""

from opslib.actions.cache_clear import ClearFamily

__all__ = ["ClearFamily"]
