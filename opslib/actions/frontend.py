"""The actions of the area: put a commit live, point production at an older deployment."""

from opslib.actions.frontend_deploy import DeployFrontEnd
from opslib.actions.frontend_roll_back import RollBackFrontEnd

__all__ = ["DeployFrontEnd", "RollBackFrontEnd"]
