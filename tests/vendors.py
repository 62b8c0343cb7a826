"""For tests of the vendors' stand-ins: the lab's own doors to them."""

from opslib.lab.doors import Doors

__all__ = ["Doors"]
