"""The actions of the area: scale and recover a deployment, block addresses, set how much the API logs."""

from opslib.actions.cluster_audit import SetAuditLevel
from opslib.actions.cluster_block import BlockAddresses
from opslib.actions.cluster_recover import RecoverDeployment
from opslib.actions.cluster_scale import ScaleDeployment

__all__ = ["BlockAddresses", "RecoverDeployment", "ScaleDeployment", "SetAuditLevel"]
