"""Checks of who watches the product; each part in a module of its own, all of it offered here."""

from opslib.checks.observability_alerts import guide_alerts, silent_rules
from opslib.checks.observability_labels import labels
from opslib.checks.observability_stack import dashboards, stack, targets
from opslib.checks.observability_told import told
from opslib.checks.tree import Tree
from opslib.model import Check

DECISIVE: tuple[Check, ...] = (targets, guide_alerts, told, silent_rules, stack, dashboards, labels)
"""What tells most of the watching, most telling first."""

TREES: tuple[Tree, ...] = ()
"""The guide has no common issue of the watching."""

__all__ = ["DECISIVE", "TREES", "dashboards", "guide_alerts", "labels", "silent_rules", "stack", "targets", "told"]
