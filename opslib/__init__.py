"""Executable runbooks for ValueCanvas: what a notebook needs stands here.

``begin`` opens the notebook's run; ``probes``, ``checks``, ``actions`` and ``pictures`` hold one module
per area. Everything is imported at its first use, so that a short command stays short.
"""

from __future__ import annotations

TYPE_CHECKING = False
# Not typing's: a command that asks a standing process for its run imports nothing that it does not need.
if TYPE_CHECKING:
    from opslib import actions, checks, pictures, probes
    from opslib.runs.run import begin

__all__ = ["actions", "begin", "checks", "pictures", "probes"]


def __getattr__(name: str) -> object:
    if name == "begin":
        from opslib.runs.run import begin

        return begin
    if name in __all__:
        import importlib

        return importlib.import_module(f"opslib.{name}")
    raise AttributeError(f"module 'opslib' has no attribute {name!r}")
