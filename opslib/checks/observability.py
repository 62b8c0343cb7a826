"""Checks of who watches the product; each part in a module of its own, all of it offered here."""

from opslib.checks.observability_alerts import guide_alerts, silent_rules
from opslib.checks.observability_audit import (
    archive_dated,
    archive_published,
    archive_room,
    archive_signed,
    archive_silent,
    archive_sound,
    runs_redacted,
)
from opslib.checks.observability_audit_runs import due_times_kept, runs_agreed, runs_settled, words_kept
from opslib.checks.observability_handover import contacts, on_call, open_incidents, runs_handed_over, watched
from opslib.checks.observability_impact import impact
from opslib.checks.observability_incident import acknowledged, documented, escalation, incident, report
from opslib.checks.observability_labels import labels
from opslib.checks.observability_review import actions, causes, reviewed, spans, timeline
from opslib.checks.observability_schedules import schedules_kept
from opslib.checks.observability_stack import dashboards, stack, targets
from opslib.checks.observability_support import answered, email
from opslib.checks.observability_told import told
from opslib.checks.observability_trends import trending
from opslib.checks.tree import Tree
from opslib.model import Check

DECISIVE: tuple[Check, ...] = (targets, guide_alerts, told, silent_rules, stack, dashboards, labels)
"""What tells most of the watching, most telling first."""

TREES: tuple[Tree, ...] = ()
"""The guide has no common issue of the watching."""

__all__ = [
    "DECISIVE",
    "TREES",
    "acknowledged",
    "actions",
    "answered",
    "archive_dated",
    "archive_published",
    "archive_room",
    "archive_signed",
    "archive_silent",
    "archive_sound",
    "causes",
    "contacts",
    "dashboards",
    "documented",
    "due_times_kept",
    "email",
    "escalation",
    "guide_alerts",
    "impact",
    "incident",
    "labels",
    "on_call",
    "open_incidents",
    "report",
    "reviewed",
    "runs_agreed",
    "runs_handed_over",
    "runs_redacted",
    "runs_settled",
    "schedules_kept",
    "silent_rules",
    "spans",
    "stack",
    "targets",
    "timeline",
    "told",
    "trending",
    "watched",
    "words_kept",
]
