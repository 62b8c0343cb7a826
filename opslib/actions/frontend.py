"""The action of the area: point production at an older deployment."""

from opslib.actions.frontend_roll_back import RollBackFrontEnd

__all__ = ["RollBackFrontEnd"]
