"""Who watches the product: the stack's parts, what is scraped, alert rules, whom they tell, dashboards."""

from opslib.probes.observability_dashboards import dashboards
from opslib.probes.observability_labels import labels
from opslib.probes.observability_rules import contradictions, firing, rules, told
from opslib.probes.observability_stack import stack, targets

__all__ = ["contradictions", "dashboards", "firing", "labels", "rules", "stack", "targets", "told"]
