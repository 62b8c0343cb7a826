"""What an incident is judged by: networks a user signs in from, functions with their owner's rights, a secret."""

from __future__ import annotations

from opslib.guide.thresholds import threshold
from opslib.model import Check, Judgement, Reading, Verdict
from opslib.probes import security as probes

MANY_NETWORKS = 3.0


def networks(hours: float, most: float = MANY_NETWORKS) -> Check:
    """Return the check that no user signed in from more than ``most`` networks within the last ``hours``."""
    limit = threshold("networks-of-a-person", warning=most)

    def judge(reading: Reading) -> Judgement:
        if not reading.rows:
            return Judgement(Verdict.OK, f"Nobody signed in within {hours:g} hours.", 0)
        worst = reading.rows[0]
        many = [row for row in reading.rows if limit.judge(row["networks"]) is not Verdict.OK]
        who = worst["email"] or worst["user_id"]
        said = f"{who} signed in from {worst['networks']} networks within {hours:g} hours"
        if many:
            above = f"{len(many)} users{' or more' if len(many) == probes.SHOWN else ''}"
            return Judgement(Verdict.WARNING, f"{said}; above the limit: {above}.", worst["networks"], tuple(many))
        return Judgement(Verdict.OK, f"At most: {said}.", worst["networks"], (worst,))

    return Check(
        name="incident-networks",
        title="Nobody signs in from many networks",
        probe=probes.networks(hours),
        judge=judge,
        remedy="Ask that user; if it was somebody else, end the sessions (scope=users) and have the password changed.",
        threshold=limit,
    )


def _judge_definers(reading: Reading) -> Judgement:
    loose = tuple(row for row in reading.rows if not row["path_fixed"])
    if loose:
        names = ", ".join(row["name"] for row in loose[:3])
        said = f"{len(loose)} of {len(reading.rows)} take names from the caller's search path: {names}."
        return Judgement(Verdict.WARNING, said, len(loose), loose)
    return Judgement(Verdict.OK, f"All {len(reading.rows)} have a search path of their own.", 0, reading.rows)


definers = Check(
    name="incident-definers",
    title="Functions with their owner's rights cannot be led astray",
    probe=probes.definers,
    judge=_judge_definers,
    remedy=(
        "Compare the function with its migration; then ALTER FUNCTION … SET search_path = '' in a migration, with "
        "every name in it qualified."
    ),
    threshold=threshold("definer-functions"),
)
"""Whoever may create objects in a schema of the caller's path runs code as the function's owner."""


def _judge_rotation(reading: Reading) -> Judgement:
    current = [row for row in reading.rows if "AWSCURRENT" in row["stages"]]
    pending = [row for row in reading.rows if "AWSPENDING" in row["stages"] and "AWSCURRENT" not in row["stages"]]
    name = reading.rows[0]["secret"] if reading.rows else "The secret"
    if len(current) != 1:
        said = f"{name} has {len(current)} current versions instead of one: who reads it gets none, or any of them."
        return Judgement(Verdict.CRITICAL, said, len(current), reading.rows)
    if pending:
        since = f" since {pending[0]['created'][:16].replace('T', ' ')} UTC" if pending[0]["created"] else ""
        said = f"A rotation of {name} is half done{since}: AWS refuses another one until it is ended or cancelled."
        return Judgement(Verdict.WARNING, said, len(pending), reading.rows)
    if not current[0]["rotates"]:
        said = f"{name} has no rotation function: AWS refuses rotate-secret, so nothing is rotated here."
        return Judgement(Verdict.WARNING, said, None, reading.rows)
    rotated = current[0]["rotated"]
    said = f"last on {rotated[:10]}" if rotated else "never yet"
    return Judgement(Verdict.OK, f"AWS can rotate {name}; it did {said}.", None, reading.rows)


rotation = Check(
    name="incident-rotation",
    title="The application's secret could be rotated by AWS",
    probe=probes.secret,
    judge=_judge_rotation,
    remedy=(
        "Rotate by runbooks/rotate-api-keys: a new key beside the old one, proven in use everywhere, then the old one "
        "revoked. A rotation that consumers do not load changes nothing for who holds the old keys (GH-28)."
    ),
    items=("RUN-SEC-01", "IMP-OBJ-09"),
)
"""The guide's ``rotate-secret`` needs a rotation function; without one AWS refuses it, whatever the lab's does."""
