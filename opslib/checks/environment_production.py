"""Whether production's own processes get every variable that they need, well formed, and the same everywhere; and
whether what is live was built with the variables of now.
"""

from __future__ import annotations

from opslib.model import Check, Judgement, Reading, Row, Verdict
from opslib.probes import environment_production as probes
from opslib.systems.env_variables_production import DIFFERS
from opslib.systems.publishable import secret_by_name
from opslib.systems.rotated_keys import ROTATED

MOST = 6
"""Findings that the one sentence names."""
KEYS = frozenset(one.variable for one in ROTATED.values())
REMEDIES = {
    "key": "A provider's key that is another one in the cluster than in the vault: runbooks/rotate-api-keys, for it "
    "gives every place and every pod one new key, and nobody has to know which of the two was right.",
    "public": "A secret under a name for browsers (VITE_, NEXT_PUBLIC_, …): whoever put it there takes it away, for a "
    "build may read it and a rotation refuses until then; then it is renewed.",
    "builds": "Builds: correct the variable at the hoster (no runbook does), then runbooks/deploy-new-version, for "
    "what is live keeps what it was built with.",
    "API": "The API: correct the config map or the secret that its deployment names, then restart it by a rollout.",
    "commands": "The guide's commands: the vault, or the target description.",
}
"""By what is amiss: what to do about it."""


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
    kinds = [*("API" for row in places if row["standing"] == Verdict.CRITICAL), *map(_kind, amiss)]
    remedy = " ".join(REMEDIES[kind] for kind in dict.fromkeys(kinds))
    return Judgement(verdict, " ".join(told), len(amiss), variables, remedy)


def _kind(row: Row) -> str:
    """Return what is amiss with a variable, as a key of :data:`REMEDIES`."""
    if secret_by_name(row["variable"]):
        return "public"
    if row["variable"] in KEYS and DIFFERS in row.values():
        return "key"
    return str(row["gets"])


def _judge_built(reading: Reading) -> Judgement:
    if not reading.rows:
        return Judgement(Verdict.UNKNOWN, "The hoster has no variable that builds publish.", None, ())
    newer = [row for row in reading.rows if row["newer"]]
    untold = [row["variable"] for row in reading.rows if row["newer"] is None]
    live = f"{reading.rows[0]['deployment']} was built ({_minute(reading.rows[0]['built_at'])})"
    if newer:
        named = ", ".join(f"{row['variable']} ({_minute(row['set_at'])})" for row in newer[:MOST])
        said = f"Set after {live}, so that users still get what it was before: {named}."
        return Judgement(Verdict.WARNING, said, len(newer), reading.rows)
    if untold:
        said = f"The hoster does not say when {', '.join(untold[:MOST])}{' …' if len(untold) > MOST else ''} was set."
        return Judgement(Verdict.UNKNOWN, said, None, reading.rows)
    return Judgement(Verdict.OK, f"{live} after each of {len(reading.rows)} variables was set.", 0, reading.rows)


def _minute(moment: str) -> str:
    return f"{moment[:16].replace('T', ' ')} UTC"


def _sentence(row: Row) -> str:
    return str(row["finding"]).rstrip(".")


production = Check(
    name="environment-production",
    title="Production's processes get what they need",
    probe=probes.production,
    judge=_judge,
    remedy=" ".join(REMEDIES.values()),
    items=(*(f"ENV-VARP-{number:02}" for number in range(18)), *(f"IMP-ENV-0{number}" for number in range(1, 5))),
)
"""CRITICAL for a required variable that is missing or wrong; WARNING for one that is not the same everywhere."""

built = Check(
    name="environment-built",
    title="What is live was built with the variables of now",
    probe=probes.built,
    judge=_judge_built,
    remedy=(
        "A build keeps the variables that it was made with, and a rollback brings those of then back, so only a new "
        "build gives users the new value: runbooks/deploy-new-version. It sets the project's address and public key "
        "itself; every other variable is looked at first (environment-production), for the build takes it as it is."
    ),
)
"""WARNING where one was set later: by times alone, for no hoster tells a former value. UNKNOWN without times."""
