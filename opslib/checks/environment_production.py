"""Whether production's own processes get every variable that they need, well formed, and the same everywhere."""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import environment_production as probes

MOST = 6
"""Findings that the one sentence names."""


def _judge(reading: Reading) -> Judgement:
    places = [row for row in reading.rows if row["what"] == "place"]
    variables = tuple(
        {key: value for key, value in row.items() if key != "what"} for row in reading.rows if row["what"] == "variable"
    )
    verdict = Verdict.worst([Verdict(row["standing"]) for row in reading.rows])
    amiss = [row for row in variables if row["standing"] not in (Verdict.OK, Verdict.UNKNOWN)]
    said = [f"the {row['place']}: {_sentence(row)}" for row in places if row["standing"] == Verdict.CRITICAL]
    said += [f"{row['variable']} {row['finding']}" for row in amiss]
    said = said[:MOST] + ([f"and {len(said) - MOST} more"] if len(said) > MOST else [])
    unseen = [f"the {row['place']}: {_sentence(row)}" for row in places if row["standing"] == Verdict.UNKNOWN]
    hidden = [row["variable"] for row in variables if row["standing"] == Verdict.UNKNOWN]
    if hidden:
        unseen.append(f"nobody can say what is in {', '.join(hidden[:MOST])}{' …' if len(hidden) > MOST else ''}")
    told = [f"{'; '.join(said)}."] if said else []
    told += [f"Not seen: {'; '.join(unseen)}."] if unseen else []
    if not told:
        told = [f"All {len(variables)} variables are as they must be, as far as a process that starts now gets them."]
    return Judgement(verdict, " ".join(told), len(amiss), variables)


def _sentence(row: Row) -> str:
    return str(row["finding"]).rstrip(".")


production = Check(
    name="environment-production",
    title="Production's processes get what they need",
    probe=probes.production,
    judge=_judge,
    remedy=(
        "The API: correct the config map or the secret that its deployment names, then restart it by a rollout; a "
        "provider's key goes everywhere by runbooks/rotate-api-keys. Builds: correct the variable at the hoster, then "
        "runbooks/deploy-new-version, for what is live keeps what it was built with. A secret that had a name for "
        "browsers (VITE_, NEXT_PUBLIC_, …) is renewed, not only renamed. The guide's commands: the vault, or the "
        "target description."
    ),
    items=(*(f"ENV-VARP-{number:02}" for number in range(18)), *(f"IMP-ENV-0{number}" for number in range(1, 5))),
)
"""CRITICAL for a required variable that is missing or wrong; WARNING for one that is not the same everywhere."""
