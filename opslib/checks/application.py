"""Checks of the API; each part in a module of its own, all of it offered here."""

from opslib.checks.application_ready import ready
from opslib.checks.application_watch import after_change

__all__ = ["after_change", "ready"]
