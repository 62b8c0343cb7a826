"""The part of a target's description that says who watches it: Prometheus, Alertmanager, Grafana, Jaeger."""

from typing import Annotated

from pydantic import Field

from opslib.redaction import Secret
from opslib.settings_guard import Address
from opslib.settings_part import Part

Job = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}$")]
"""A scrape job's name: nothing that could end a text within a query."""
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""Of an object of Kubernetes."""


class Observability(Part):
    """Where the target's metrics, alerts, dashboards and traces are, and what only reads there."""

    prometheus_url: Address | None = Field(
        None, alias="OPS_PROMETHEUS_URL", description="guide: http://localhost:9090; unset: rates come from two scrapes"
    )
    read_prometheus_token: Secret | None = Field(
        None, alias="OPS_READ_PROMETHEUS_TOKEN", description="of what stands before it; unset: none is sent"
    )
    prometheus_job: Job = Field(
        "valuecanvas-api", alias="OPS_PROMETHEUS_JOB", description="name of the job that scrapes the API"
    )
    alertmanager_url: Address | None = Field(
        None, alias="OPS_ALERTMANAGER_URL", description="who sends alerts on, to PagerDuty and Slack"
    )
    read_alertmanager_token: Secret | None = Field(
        None, alias="OPS_READ_ALERTMANAGER_TOKEN", description="of what stands before it; unset: none is sent"
    )
    grafana_url: Address | None = Field(None, alias="OPS_GRAFANA_URL", description="guide: http://localhost:3001")
    read_grafana_token: Secret | None = Field(
        None, alias="OPS_READ_GRAFANA_TOKEN", description="of a service account with the role Viewer"
    )
    jaeger_url: Address | None = Field(None, alias="OPS_JAEGER_URL", description="guide: http://localhost:16686")
    read_jaeger_token: Secret | None = Field(
        None, alias="OPS_READ_JAEGER_TOKEN", description="of what stands before it; unset: none is sent"
    )

    observability_namespace: Name | None = Field(
        None,
        alias="OPS_OBSERVABILITY_NAMESPACE",
        description="of the cluster, where Prometheus and Grafana run; unset: they run elsewhere",
    )
    prometheus_deployment: Name = Field("prometheus", alias="OPS_PROMETHEUS_DEPLOYMENT", description="there")
    grafana_deployment: Name = Field("grafana", alias="OPS_GRAFANA_DEPLOYMENT", description="there")


ADDRESSES = ("OPS_PROMETHEUS_URL", "OPS_ALERTMANAGER_URL", "OPS_GRAFANA_URL", "OPS_JAEGER_URL")
"""Variables that lead to these."""
