"""The handles that change single workloads of the cluster: the product's, and those of who watches it."""

from __future__ import annotations

from functools import cached_property

from opslib import systems
from opslib.errors import SettingsError
from opslib.settings import ReadSettings, Settings


def watching_namespace(settings: ReadSettings) -> str:
    """Return the namespace of who measures and who shows; raises SettingsError where they run elsewhere."""
    if settings.observability_namespace is None:
        raise SettingsError(
            "Prometheus and Grafana are no deployments of this description.",
            "Set OPS_OBSERVABILITY_NAMESPACE where the cluster runs them; elsewhere start them where they run.",
        )
    return settings.observability_namespace


class WorkloadsChanging:
    """A part of what an approved step gets."""

    settings: Settings

    @cached_property
    def workloads_writer(self) -> systems.kubernetes_history.Workloads:
        """Kubernetes, by a token that may set a deployment's template and remove single pods."""
        return systems.kubernetes_history.Workloads(self.settings, self.settings.kubernetes_token)

    @cached_property
    def watchers_writer(self) -> systems.kubernetes_history.Workloads:
        """The same in the namespace of who measures and who shows."""
        return systems.kubernetes_history.Workloads(
            self.settings, self.settings.kubernetes_token, watching_namespace(self.settings)
        )
