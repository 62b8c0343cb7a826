"""The handles on what watches a target: none of them can write."""

from __future__ import annotations

from functools import cached_property

from opslib.settings import ReadSettings
from opslib.systems.alertmanager import ReadOnlyAlertmanager
from opslib.systems.grafana import ReadOnlyGrafana
from opslib.systems.jaeger import ReadOnlyJaeger
from opslib.systems.prometheus import ReadOnlyPrometheus


class Watching:
    """A part of every target: who measures it, who tells, who shows."""

    settings: ReadSettings

    @cached_property
    def prometheus(self) -> ReadOnlyPrometheus:
        """What is measured of the target, and its alert rules."""
        return ReadOnlyPrometheus(self.settings)

    @cached_property
    def alertmanager(self) -> ReadOnlyAlertmanager:
        """Who is told of which alert."""
        return ReadOnlyAlertmanager(self.settings)

    @cached_property
    def grafana(self) -> ReadOnlyGrafana:
        """The dashboards, by a token that only reads."""
        return ReadOnlyGrafana(self.settings)

    @cached_property
    def jaeger(self) -> ReadOnlyJaeger:
        """Which services send traces."""
        return ReadOnlyJaeger(self.settings)
