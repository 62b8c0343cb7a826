"""The actions of the area: preserve evidence of an incident and the logs of pods, tell stakeholders, rotate keys."""

from opslib.actions.security_evidence import PreserveEvidence
from opslib.actions.security_keys import StageKey
from opslib.actions.security_keys_cluster import SetClusterKey
from opslib.actions.security_keys_hosting import RebuildFrontEnd, SetHostingKey
from opslib.actions.security_keys_revoke import RevokeOldKey
from opslib.actions.security_keys_stores import PromoteKey, SetFunctionKey
from opslib.actions.security_keys_try import TryKey
from opslib.actions.security_logs import PreserveLogs
from opslib.actions.security_notify import NotifyStakeholders

__all__ = [
    "NotifyStakeholders",
    "PreserveEvidence",
    "PreserveLogs",
    "PromoteKey",
    "RebuildFrontEnd",
    "RevokeOldKey",
    "SetClusterKey",
    "SetFunctionKey",
    "SetHostingKey",
    "StageKey",
    "TryKey",
]
