"""The action of the area: scale a deployment."""

from opslib.actions.cluster_scale import ScaleDeployment

__all__ = ["ScaleDeployment"]
