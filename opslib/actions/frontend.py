"""The actions of the area: put a commit live, point production at an older deployment, set a variable of its builds."""

from typing import Literal

from opslib.actions.frontend_build import BuildFrontEnd
from opslib.actions.frontend_deploy import DeployFrontEnd
from opslib.actions.frontend_draft import DraftFrontEnd
from opslib.actions.frontend_roll_back import RollBackFrontEnd
from opslib.actions.frontend_variables import SetHostingVariable

__all__ = [
    "BuildFrontEnd",
    "DeployFrontEnd",
    "DraftFrontEnd",
    "RollBackFrontEnd",
    "SetHostingVariable",
    "build_front_end",
    "draft_front_end",
]

Here = Literal["if-needed", "always", "draft"]
"""What a run of runbooks/deploy-new-version builds on this machine."""


def build_front_end(branch: str, here: Here, seconds: float) -> BuildFrontEnd:
    """Return the build here: of a hoster that builds nothing, or of any where it is always asked for."""
    return BuildFrontEnd(branch=branch, when="always" if here == "always" else "if-needed", build_seconds=seconds)


def draft_front_end(files: str, here: Here, seconds: float) -> DraftFrontEnd:
    """Return the draft of what was built, or that none is made."""
    return DraftFrontEnd(files=files, act="draft" if here == "draft" else "leave", wait_seconds=seconds)
