"""Supabase: what functions get and what they are."""

from opslib.actions.supabase_functions import DeployFunctions
from opslib.actions.supabase_secret import SetFunctionSecret

__all__ = ["DeployFunctions", "SetFunctionSecret"]
