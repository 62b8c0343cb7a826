"""The handles on what watches a target: none of them can write."""

from __future__ import annotations

from functools import cached_property

from opslib import systems
from opslib.settings import ReadSettings
from opslib.systems.target_workloads import watching_namespace


class Watching:
    """A part of every target: who measures it, who tells, who shows, who answers."""

    settings: ReadSettings

    @cached_property
    def prometheus(self) -> systems.prometheus.ReadOnlyPrometheus:
        """What is measured of the target, and its alert rules."""
        return systems.prometheus.ReadOnlyPrometheus(self.settings)

    @cached_property
    def alertmanager(self) -> systems.alertmanager.ReadOnlyAlertmanager:
        """Who is told of which alert."""
        return systems.alertmanager.ReadOnlyAlertmanager(self.settings)

    @cached_property
    def grafana(self) -> systems.grafana.ReadOnlyGrafana:
        """The dashboards, by a token that only reads."""
        return systems.grafana.ReadOnlyGrafana(self.settings)

    @cached_property
    def jaeger(self) -> systems.jaeger.ReadOnlyJaeger:
        """Which services send traces."""
        return systems.jaeger.ReadOnlyJaeger(self.settings)

    @cached_property
    def watchers(self) -> systems.kubernetes_history.ReadOnlyWorkloads:
        """The deployments of who measures and who shows; only GET is sent. Raises SettingsError: they run elsewhere."""
        said = self.settings
        return systems.kubernetes_history.ReadOnlyWorkloads(said, said.read_kubernetes_token, watching_namespace(said))

    @cached_property
    def on_call(self) -> systems.on_call.ReadOnlyOnCall:
        """Who is on call and how incidents were answered, by a key that only reads."""
        return systems.on_call.ReadOnlyOnCall(self.settings)

    @cached_property
    def support(self) -> systems.slack_support.ReadOnlySupport:
        """What is asked in the channel of support, by a token that only reads."""
        return systems.slack_support.ReadOnlySupport(self.settings)

    @cached_property
    def issues(self) -> systems.github_issues.ReadOnlyIssues:
        """What was reported at GitHub, by a token that only reads."""
        return systems.github_issues.ReadOnlyIssues(self.settings)
