"""The check of what a commit has to rebuild the system from: infrastructure code, manifests; what the guide names."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes.delivery_infrastructure import rebuild as probe


def rebuild(commit: str) -> Check:
    """Return the check of a branch or commit: CRITICAL without infrastructure code, WARNING without manifests."""
    return Check(
        name="delivery-rebuild",
        title="What the guide rebuilds the system from is there",
        probe=probe(commit),
        judge=_judge,
        remedy=(
            "The guide's k8s/production/ is in no commit of the product (GH-01): set OPS_MANIFESTS and "
            "OPS_INFRASTRUCTURE to yours. A kustomization is rendered (kubectl kustomize), read, applied by people. "
            "Without a lock file of providers, commit one (terraform init)."
        ),
        items=("DR-SYS-04", "DR-SYS-06"),
    )


def _judge(reading: Reading) -> Judgement:
    missing = [
        f"{row['folder']} ({row['what']}) is not there" + (f"; there is {row['instead']}" if row["instead"] else "")
        for row in reading.rows
        if not row["files"]
    ]
    commit = str(reading.rows[0]["commit"])[:12]
    if missing:
        verdict = Verdict.WARNING if reading.rows[0]["files"] else Verdict.CRITICAL
        return Judgement(verdict, f"At {commit}: {'; '.join(missing)}.", len(missing), reading.rows)
    said = ", ".join(f"{row['folder']} ({row['files']} files)" for row in reading.rows)
    if loose := [row["folder"] for row in reading.rows if row["locked"] is False]:
        words = f"At {commit}: {said}; {', '.join(loose)} has no lock file of providers"
        return Judgement(Verdict.WARNING, f"{words}: none, or whichever are newest.", 0, reading.rows)
    return Judgement(Verdict.OK, f"At {commit}: {said}.", 0, reading.rows)
