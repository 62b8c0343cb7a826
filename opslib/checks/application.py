"""The application: whether it is ready, and how it does after a change."""

from opslib.checks.application_ready import ready
from opslib.checks.application_watch import after_change

__all__ = ["after_change", "ready"]
