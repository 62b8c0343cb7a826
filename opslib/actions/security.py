"""The actions of the area: preserve evidence of an incident, tell the stakeholders."""

from opslib.actions.security_evidence import PreserveEvidence
from opslib.actions.security_notify import NotifyStakeholders

__all__ = ["NotifyStakeholders", "PreserveEvidence"]
