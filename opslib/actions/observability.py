"""The actions of the area: people told of an incident, and nobody told."""

from opslib.actions.observability_notify import TellNobody, TellOfIncident, tell

__all__ = ["TellNobody", "TellOfIncident", "tell"]
