"""The actions of the area: preserve evidence of an incident."""

from opslib.actions.security_evidence import PreserveEvidence

__all__ = ["PreserveEvidence"]
