"""The handles on what watches a target: none of them can write."""

from __future__ import annotations

from functools import cached_property

from opslib.settings import ReadSettings
from opslib.systems.alertmanager import ReadOnlyAlertmanager
from opslib.systems.github_issues import ReadOnlyIssues
from opslib.systems.grafana import ReadOnlyGrafana
from opslib.systems.jaeger import ReadOnlyJaeger
from opslib.systems.kubernetes_history import ReadOnlyWorkloads
from opslib.systems.on_call import ReadOnlyOnCall
from opslib.systems.prometheus import ReadOnlyPrometheus
from opslib.systems.slack_support import ReadOnlySupport
from opslib.systems.target_workloads import watching_namespace


class Watching:
    """A part of every target: who measures it, who tells, who shows, who answers."""

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

    @cached_property
    def watchers(self) -> ReadOnlyWorkloads:
        """The deployments of who measures and who shows; only GET is sent. Raises SettingsError: they run elsewhere."""
        said = self.settings
        return ReadOnlyWorkloads(said, said.read_kubernetes_token, watching_namespace(said))

    @cached_property
    def on_call(self) -> ReadOnlyOnCall:
        """Who is on call and how incidents were answered, by a key that only reads."""
        return ReadOnlyOnCall(self.settings)

    @cached_property
    def support(self) -> ReadOnlySupport:
        """What is asked in the channel of support, by a token that only reads."""
        return ReadOnlySupport(self.settings)

    @cached_property
    def issues(self) -> ReadOnlyIssues:
        """What was reported at GitHub, by a token that only reads."""
        return ReadOnlyIssues(self.settings)
