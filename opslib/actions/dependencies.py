"""Actions on what others keep for us: where the API's name leads, and how a clock goes."""

from opslib.actions.dependencies_clocks import AwaitClock
from opslib.actions.dependencies_switch import SwitchSite

__all__ = ["AwaitClock", "SwitchSite"]
