"""The actions of the area: scale a deployment, block addresses, set how much the API logs."""

from opslib.actions.cluster_audit import SetAuditLevel
from opslib.actions.cluster_block import BlockAddresses
from opslib.actions.cluster_scale import ScaleDeployment

__all__ = ["BlockAddresses", "ScaleDeployment", "SetAuditLevel"]
