"""The guide as a document: which version the notebooks were made from, and what it says it needs and was merged from.

Source: the guide's "Document Metadata", "Merged Source Files", "Notes on Restructuring" and "Self-Service Resources";
what its commands need is read off them (IMP-FILE items).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

SHA256: Final = "578e5cf01206a6041d53fe1b180f3424bc522051fe834e991fb67ea22c9da465"
"""Of the version that items, thresholds and notebooks were made from."""
UPDATED: Final = date(2025, 12, 5)
OWNER: Final = "DevOps Team"


@dataclass(frozen=True)
class Needed:
    """A file or folder that the guide's commands need.

    ``instead`` says what does its work here, where nothing here reads it; ``used_by`` names the notebook that does.
    """

    item: str
    path: str
    used_by: str = ""
    instead: str = ""


NEEDED: Final = (
    Needed("IMP-FILE-01", ".env.example", used_by="runbooks/set-up-environment"),
    Needed("IMP-FILE-02", "scripts/verify-env.sh", instead="diagnostics/environment judges each variable"),
    Needed("IMP-FILE-03", "supabase/rollbacks/", used_by="runbooks/roll-back-deployment"),
    Needed("IMP-FILE-04", ".github/workflows/deploy-production.yml", used_by="runbooks/force-full-deployment"),
    Needed("IMP-FILE-05", "infrastructure/docker-compose.observability.yml", used_by="diagnostics/observability"),
    Needed("IMP-FILE-06", "dns-failover.json", instead="disaster/recover-everything makes the change from what stands"),
    Needed("IMP-FILE-07", "infrastructure/terraform/", used_by="disaster/recover-everything"),
    Needed("IMP-FILE-08", "k8s/production/", used_by="disaster/recover-everything"),
    Needed(
        "IMP-FILE-09",
        "security/block-suspicious-ips.yaml",
        instead="runbooks/respond-to-security-incident makes a policy whose effect it proves",
    ),
)
"""A path that ends in ``/`` is a folder; of it any file counts."""

RESOURCES: Final = {"TECHNICAL_REFERENCE.md": "SUP-SLF-02", "PROJECT_STATUS.md": "SUP-SLF-03"}
"""What the guide links to beside itself."""

MERGED: Final = {
    "DEPLOYMENT_GUIDE.md": "META-SRC-01",
    "DEPLOYMENT_CHECKLIST.md": "META-SRC-02",
    "ENVIRONMENT_SETUP.md": "META-SRC-03",
    "DISASTER_RECOVERY_RUNBOOK.md": "META-SRC-04",
    "CI_CD_OPTIMIZATION.md": "META-SRC-05",
    "OBSERVABILITY.md": "META-SRC-06",
    "TROUBLESHOOTING_GUIDE.md": "META-SRC-07",
    "PRE_COMMIT_HOOKS_GUIDE.md": "META-SRC-10",
}
"""What the guide says was merged into it, but for the two that reviews/game-day asks after."""


@dataclass(frozen=True)
class Note:
    """One note on the guide's restructuring: the items that it speaks of, and where they have to be carried out.

    ``items`` are beginnings of ids; each has to be in one of ``notebooks``, given by their own beginnings.
    """

    item: str
    says: str
    items: tuple[str, ...]
    notebooks: tuple[str, ...]


NOTES: Final = (
    Note(
        "META-NOTE-01",
        "Deployment Consolidation: one place for all environments",
        ("DEP-",),
        ("runbooks/", "diagnostics/environment", "diagnostics/delivery", "diagnostics/supabase"),
    ),
    Note(
        "META-NOTE-02",
        "Runbook Standardization: one form for all runbooks",
        ("RUN-",),
        ("runbooks/", "disaster/", "diagnostics/"),
    ),
    Note("META-NOTE-03", "Alert Unification: all alerts in one reference", ("MON-AL",), ("diagnostics/observability",)),
    Note(
        "META-NOTE-04",
        "Troubleshooting Merge: symptoms and error codes by area",
        ("TRB-",),
        ("diagnostics/", "runbooks/"),
    ),
    Note(
        "META-NOTE-05",
        "Checklist Integration: the lists before and after a deployment",
        ("CHK-",),
        ("routines/production-readiness", "routines/post-deployment-watch"),
    ),
)
