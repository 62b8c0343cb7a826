"""Checks of what depends on others being well: vendors, names and certificates, error tracking."""

from opslib.checks.dependencies_clocks import clocks
from opslib.checks.dependencies_names import certificates, names
from opslib.checks.dependencies_pages import cloud, language_models, ready_to_deploy, vendors
from opslib.checks.dependencies_sentry import intake, new_issues
from opslib.checks.dependencies_sites import api_name, recovery_site

__all__ = [
    "api_name",
    "certificates",
    "clocks",
    "cloud",
    "intake",
    "language_models",
    "names",
    "new_issues",
    "ready_to_deploy",
    "recovery_site",
    "vendors",
]

DECISIVE = (clocks, names, api_name, certificates, vendors(), intake())
"""What tells most of what depends on others, nearest first."""
