"""Whether the product's accounts at the vendors are there and take its credentials."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import environment_accounts as probes


def _standing(row: Row) -> Verdict:
    if row["standing"] in ("there", "not asked"):
        return Verdict.OK
    if row["standing"] == "unknown":
        return Verdict.UNKNOWN
    return Verdict.CRITICAL if row["need"] == "required" else Verdict.WARNING


def _judge(reading: Reading) -> Judgement:
    found = sorted(reading.rows, key=lambda row: -list(Verdict).index(_standing(row)))
    verdict = Verdict.worst([_standing(row) for row in reading.rows])
    amiss = [row for row in found if _standing(row) is not Verdict.OK]
    bad = [f"{row['account']} ({row['need']}): {row['standing']}, {row['says']}" for row in amiss]
    if bad:
        return Judgement(verdict, "; ".join(text.rstrip(".") for text in bad) + ".", len(bad), reading.rows)
    there = sum(row["standing"] == "there" for row in reading.rows)
    said = f"{there} accounts are there and take the product's credentials; PostHog, which is optional, is not asked."
    return Judgement(verdict, said, 0, reading.rows)


accounts = Check(
    name="environment-accounts",
    title="The accounts at the vendors are there",
    probe=probes.accounts,
    judge=_judge,
    remedy=(
        "Refused: renew the credential (a model provider's key by runbooks/rotate-api-keys, a token at the vendor), or "
        "look whether the account was closed or is not paid for. Not described: docs/production.md says what each "
        "needs. UNKNOWN: see diagnostics/dependencies, whether the vendor is out."
    ),
    items=tuple(f"ENV-ACC-0{number}" for number in range(1, 7)),
)
"""CRITICAL for a required account that says no or is not described, WARNING for a recommended one."""
