"""The actions of the area: put a commit live, point production at an older deployment, set a variable of its builds."""

from opslib.actions.frontend_deploy import DeployFrontEnd
from opslib.actions.frontend_roll_back import RollBackFrontEnd
from opslib.actions.frontend_variables import SetHostingVariable

__all__ = ["DeployFrontEnd", "RollBackFrontEnd", "SetHostingVariable"]
