"""Who watches the product: the stack's parts, what is scraped, alert rules, whom they tell, dashboards."""

from opslib.probes.observability_audit import archive
from opslib.probes.observability_dashboards import dashboards
from opslib.probes.observability_labels import labels
from opslib.probes.observability_made import runs_made
from opslib.probes.observability_record import incident_record
from opslib.probes.observability_rules import contradictions, firing, rules, told
from opslib.probes.observability_schedules import due_times
from opslib.probes.observability_stack import stack, targets
from opslib.probes.observability_support import cases, contacts, open_incidents, shifts
from opslib.probes.observability_support import levels as escalation_levels
from opslib.probes.observability_trends import trends

__all__ = [
    "archive",
    "cases",
    "contacts",
    "contradictions",
    "dashboards",
    "due_times",
    "escalation_levels",
    "firing",
    "incident_record",
    "labels",
    "open_incidents",
    "rules",
    "runs_made",
    "shifts",
    "stack",
    "targets",
    "told",
    "trends",
]
