"""No secret is where everybody can read it: in the browser's files, under a public name, in git."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import security_secrets as probes


def _judge_bundle(reading: Reading) -> Judgement:
    files = [row for row in reading.rows if row["bytes"]]
    bad = [row for row in files if row["secrets"]]
    untold = [row["why"] for row in reading.rows if row["why"]]
    if bad:
        said = "; ".join(f"{row['file']}: {', '.join(row['secrets'])}" for row in bad[:4])
        return Judgement(Verdict.CRITICAL, f"Everybody can read secrets in {said}.", len(bad), reading.rows)
    if untold:
        return Judgement(Verdict.UNKNOWN, " ".join(untold), None, reading.rows)
    if len(files) < 2:
        said = "The document names no script of its own host: there was nothing to look through."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    maps = [row["file"] for row in files if row["map"]]
    if maps:
        said = f"No secret in {len(files)} files; source maps are public: {', '.join(maps[:3])}."
        return Judgement(Verdict.WARNING, said, len(maps), reading.rows)
    return Judgement(Verdict.OK, f"No secret in {len(files)} files that the front end serves.", 0, reading.rows)


bundle = Check(
    name="security-bundle",
    title="No secret is in what the front end serves",
    probe=probes.bundle,
    judge=_judge_bundle,
    remedy=(
        "Take the variable away that the build had it from (no VITE_), for a rotation refuses while it stands. Then "
        "rotate the secret (runbooks/rotate-api-keys): whoever opened the front end may have it. Build anew "
        "(runbooks/deploy-new-version), and delete the old deployments, which keep serving it."
    ),
    items=("ENV-VARL-03",),
)
"""By the values that are known and by looks; UNKNOWN where a part could not be looked through."""


def _judge_tracked(reading: Reading) -> Judgement:
    real = [row for row in reading.rows if row["secrets"]]
    own = [row for row in reading.rows if not row["template"] and not row["secrets"]]
    misled = [row for row in reading.rows if row["public"]]
    if real:
        said = "; ".join(f"{row['file']}: {', '.join(row['secrets'][:5])}" for row in real[:4])
        return Judgement(Verdict.CRITICAL, f"Git keeps what looks like secrets in {said}.", len(real), reading.rows)
    notes: list[str] = []
    if own:
        notes.append(f"Git keeps {', '.join(row['file'] for row in own[:4])}: nothing secret in it yet")
    if misled:
        names = ", ".join(f"{name} ({row['file']})" for row in misled for name in row["public"][:3])
        notes.append(f"Templates lead secrets into the browser: {names}")
    if notes:
        return Judgement(Verdict.WARNING, f"{'; '.join(notes)}.", len(own) + len(misled), reading.rows)
    fine = f"Git keeps {len(reading.rows)} env files, templates without secrets." if reading.rows else "Git keeps none."
    return Judgement(Verdict.OK, fine, 0, reading.rows)


tracked = Check(
    name="security-tracked-env",
    title="Git keeps no env file with secrets",
    probe=probes.tracked,
    judge=_judge_tracked,
    remedy=(
        "Rotate what stands there (runbooks/rotate-api-keys): who has a clone has it, and taking it out of the newest "
        "commit takes it out of no other. Then git rm --cached, and a line in .gitignore. A template's VITE_…KEY: "
        "rename it."
    ),
    items=("ENV-VARL-03",),
)
"""CRITICAL for values that look real; WARNING for other tracked env files, and for templates with public secrets."""
