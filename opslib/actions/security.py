"""The actions of the area: preserve evidence of an incident and the logs of pods, tell the stakeholders."""

from opslib.actions.security_evidence import PreserveEvidence
from opslib.actions.security_logs import PreserveLogs
from opslib.actions.security_notify import NotifyStakeholders

__all__ = ["NotifyStakeholders", "PreserveEvidence", "PreserveLogs"]
