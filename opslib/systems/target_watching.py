"""The handles on what watches a target: none of them can write."""

from __future__ import annotations

from functools import cached_property

from opslib.settings import ReadSettings
from opslib.systems.prometheus import ReadOnlyPrometheus


class Watching:
    """A part of every target: who measures it."""

    settings: ReadSettings

    @cached_property
    def prometheus(self) -> ReadOnlyPrometheus:
        """What is measured of the target, and its alert rules."""
        return ReadOnlyPrometheus(self.settings)
