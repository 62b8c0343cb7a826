"""The actions of the area: end sessions of users."""

from opslib.actions.authentication_sessions import RevokeSessions

__all__ = ["RevokeSessions"]
