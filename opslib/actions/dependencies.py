"""Actions on what others keep for us: where the API's name leads."""

from opslib.actions.dependencies_switch import SwitchSite

__all__ = ["SwitchSite"]
