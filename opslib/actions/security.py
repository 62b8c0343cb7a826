"""The actions of the area: preserve evidence and logs of an incident, ask logs, tell stakeholders, rotate keys."""

from opslib.actions.security_ask_logs import AskLogs
from opslib.actions.security_evidence import PreserveEvidence
from opslib.actions.security_keys import StageKey
from opslib.actions.security_keys_cluster import SetClusterKey
from opslib.actions.security_keys_hosting import RebuildFrontEnd, SetHostingKey
from opslib.actions.security_keys_revoke import RevokeOldKey
from opslib.actions.security_keys_stores import PromoteKey, SetFunctionKey
from opslib.actions.security_keys_try import TryKey
from opslib.actions.security_logs import PreserveLogs
from opslib.actions.security_notify import NotifyStakeholders
from opslib.actions.security_signing import PrepareSigningKey, RotateSigningKey, TrySigningKey
from opslib.actions.security_signing_revoke import RevokeSigningKey

__all__ = [
    "AskLogs",
    "NotifyStakeholders",
    "PrepareSigningKey",
    "PreserveEvidence",
    "PreserveLogs",
    "PromoteKey",
    "RebuildFrontEnd",
    "RevokeOldKey",
    "RevokeSigningKey",
    "RotateSigningKey",
    "SetClusterKey",
    "SetFunctionKey",
    "SetHostingKey",
    "StageKey",
    "TryKey",
    "TrySigningKey",
]
